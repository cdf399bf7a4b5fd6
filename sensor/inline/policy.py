"""
Which rule a mail meets, and what follows from it. Pure: what a mail shows goes in, a verdict comes out.

Rules are tried in the order of the settings and the first that fits is followed; where none fits, mail is observed.
A rule that lets mail pass (``observe``) fits a list of destinations only if *every* destination of the mail is on it,
and each other action if *any* is: a forward to a partner and to a stranger is not excused by the partner.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sensor.domains import same_form
from sensor.inline.tag import tag_value
from sensor.model import Forwarding
from sensor.settings import Action, InlineRule, InlineSettings


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    What is to be done with one mail. ``action`` is what to do, now: in a dry run it is "observe", and ``would`` is what
    the rule says.

    ``rule`` is the name of the rule that was followed, none where none fitted or the verdict failed. ``reply`` is code,
    enhanced code and text of "reject" and "defer". ``tag`` is name and value of the header field of "tag", plain ASCII
    in one line, without a line end.
    """

    action: Action = "observe"
    rule: str | None = None
    reply: tuple[int, str, str] | None = None
    dry_run: bool = False
    tag: tuple[bytes, bytes] | None = None
    would: Action = "observe"


OBSERVE = Verdict()
"""Mail that no rule is about: one object, shared."""


class Policy:
    """
    The rules in force, made ready for looking things up. ``may_act`` is true if one of them may do more than observe,
    ``may_tag`` if one may tag.
    """

    def __init__(self, settings: InlineSettings) -> None:
        self._tag_header = settings.tag_header.encode("ascii")
        self._dry_run = settings.dry_run
        self._rules = tuple(_Ready(rule) for rule in settings.rules)
        self.has_rules = bool(settings.rules)
        self.may_act = not settings.dry_run and any(
            rule.action != "observe" and not rule.dry_run for rule in settings.rules
        )
        self.may_tag = not settings.dry_run and any(
            rule.action == "tag" and not rule.dry_run for rule in settings.rules
        )

    def verdict(self, forwarding: Forwarding) -> Verdict:
        """What is to be done with mail that shows *forwarding*."""
        for ready in self._rules:
            if ready.fits(forwarding):
                return self._following(ready.rule, forwarding)
        return OBSERVE

    def _following(self, rule: InlineRule, forwarding: Forwarding) -> Verdict:
        if self._dry_run or rule.dry_run:
            return Verdict(rule=rule.name, dry_run=True, would=rule.action)
        tag = (self._tag_header, tag_value(forwarding, rule.name)) if rule.action == "tag" else None
        return Verdict(rule.action, rule.name, rule.reply, tag=tag, would=rule.action)


class _Ready:
    """A rule, with its lists as sets."""

    def __init__(self, rule: InlineRule) -> None:
        self.rule = rule
        self._kinds = frozenset(rule.kinds)
        self._levels = frozenset(rule.levels)
        self._evidence = frozenset(rule.evidence)
        self._directions = frozenset(rule.directions)
        self._mailboxes = _Listed(rule.mailboxes) if rule.mailboxes else None
        self._destinations = _Listed(rule.destinations) if rule.destinations else None

    def fits(self, forwarding: Forwarding) -> bool:
        return (
            forwarding.kind in self._kinds
            and (self.rule.look_alikes or forwarding.look_alike is None or forwarding.kind == "none")
            and (not self._levels or forwarding.level in self._levels)
            and (not self._evidence or forwarding.evidence in self._evidence)
            and (not self._directions or forwarding.direction in self._directions)
            and (self._mailboxes is None or (forwarding.mailbox is not None and forwarding.mailbox in self._mailboxes))
            and (self._destinations is None or self._goes_to(forwarding.destinations, self._destinations))
        )

    def _goes_to(self, destinations: Iterable[str], listed: _Listed) -> bool:
        found = [each in listed for each in destinations]
        return bool(found) and (all(found) if self.rule.action == "observe" else any(found))


class _Listed:
    """
    Addresses and domains, as settings name them: ``corp.example`` is itself alone, ``.corp.example`` also all below.

    Case does not matter, in local parts neither: servers that tell ``Ann`` from ``ann`` are hard to find, and a rule
    that is passed by writing ``Ann`` is none. Nor does it whether a domain is written in letters or as in the DNS.
    """

    def __init__(self, entries: Iterable[str]) -> None:
        lowered = [same_form(each) for each in entries]
        self._addresses = frozenset(each for each in lowered if "@" in each)
        domains = [each for each in lowered if "@" not in each]
        self._exact = frozenset(each.lstrip(".") for each in domains)
        self._above = frozenset(each[1:] for each in domains if each.startswith("."))

    def __contains__(self, address: str) -> bool:
        address = same_form(address)
        if address in self._addresses:
            return True
        domain = address[address.rfind("@") + 1 :]
        if domain in self._exact:
            return True
        return bool(self._above) and any(parent in self._above for parent in _parents(domain))


# RFC 1035 2.3.4: a name has at most 255 octets, so 127 labels. What has more is looked at no further.
_MAX_LABELS = 128


def _parents(domain: str) -> Iterable[str]:
    labels = domain.split(".", _MAX_LABELS)
    return (".".join(labels[start:]) for start in range(1, len(labels)))
