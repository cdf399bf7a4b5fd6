"""
How a finding is made: the one place that gives it its id, bounds what it carries, and says what was not seen.

A detector states what it holds to be so and how sure it would be with everything in view. Here the mail flow's
coverage speaks: what could not be seen becomes a sentence in ``gaps``, and where most was hidden the confidence goes
down a step. Everything that came from mail is cut to a bound and made one printable line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from sensor.detect.base import DAY_MS, HOUR_MS
from sensor.detect.events import Context, stable_id
from sensor.intervals import jeffreys
from sensor.model import Actor, Artifact, Confidence, Exhibit, Finding, Level, Measured, Seen, Severity

MAX_EXHIBITS_EACH = 8
"""Mails kept from the beginning of an episode, and as many of its latest."""
MAX_LINES = 8
"""Lines kept of one exhibit. A forwarded mail carries two to five marks."""
MAX_LINES_OCTETS = 1_024
"""Of all lines of one exhibit together, so that sixteen exhibits leave a blob room for the rest."""
MAX_NAME_OCTETS = 64
"""Of a mark's slug, a header field's name or a transaction's id."""
MAX_ADDRESS_OCTETS = 320
"""The longest address there can be: 64 + 1 + 255 (RFC 5321 4.5.3.1.1 and 4.5.3.1.2)."""
MAX_DESTINATIONS = 32
"""Named in a finding. A rule has a few; of a person's many, those named first are the ones that count most."""
MAX_MAILBOXES = 128
"""Named in a finding: enough to start an investigation, and the count tells the rest."""
MAX_SENTENCE_OCTETS = 1_000
"""Of a summary, a reason, an assumption or a gap."""

POOR_CLEAR_SHARE = 0.5
"""Below it most mail was hidden in TLS, so what is missing may outweigh what was seen."""
GOOD_CLEAR_SHARE = 0.95
"""From here on it is not worth an analyst's time to read that some mail was hidden."""
SHORT_WATCH_MS = 7 * DAY_MS
"""A week: less than that holds no full rhythm of working days and weekend."""

_LEAST_VALUE_OCTETS = 4  # room for one character and an ellipsis
_LOWER: dict[Confidence, Confidence] = {"high": "medium", "medium": "low", "low": "low"}


class Exhibits(msgspec.Struct):
    """The mails an episode rests on, as a detector's state keeps them: the first ``MAX_EXHIBITS_EACH``, the latest."""

    first: list[Exhibit] = []
    last: list[Exhibit] = []

    def add(self, transaction_id: str, at_ms: int, lines: Iterable[Artifact] = ()) -> None:
        """Keep one mail. Among the latest, it takes the place of the oldest."""
        exhibit = Exhibit(transaction_id=cut(transaction_id, MAX_NAME_OCTETS), at_ms=at_ms, lines=_cut_lines(lines))
        if len(self.first) < MAX_EXHIBITS_EACH:
            self.first.append(exhibit)
            return
        self.last.append(exhibit)
        del self.last[:-MAX_EXHIBITS_EACH]

    def all(self) -> tuple[Exhibit, ...]:
        """The first and the latest, oldest first."""
        return (*self.first, *self.last)


def claim(
    *,
    detector: str,
    key: str,
    episode: str,
    summary: str,
    first_seen_ms: int,
    last_seen_ms: int,
    context: Context,
    mailbox: str | None = None,
    mailboxes: Iterable[str] = (),
    destinations: Iterable[str] = (),
    counts: Mapping[str, int] | None = None,
    observed: Measured | None = None,
    baseline: Measured | None = None,
    level: Level = "unknown",
    level_reason: str = "",
    severity: Severity = "medium",
    confidence: Confidence = "medium",
    confidence_reason: str = "",
    missing_octets: int = 0,
    assumptions: Iterable[str] = (),
    gaps: Iterable[str] = (),
    actor: Actor | None = None,
    exhibits: Iterable[Exhibit] = (),
    technique: str = "T1114.003",
    pairs: Iterable[tuple[str, str]] = (),
) -> Finding:
    """
    The finding of *detector* on *key*, in the episode that began with the event whose id is *episode*.

    Detector, key and episode alone make the id, so that the same claim told again has the same. *confidence* is that
    with everything in view; *context* is what was known at the last event and may lower it. *missing_octets* are
    those of the mails the claim rests on. ``mailboxes`` begins with *mailbox* where there is one.
    """
    affected, more_mailboxes = _bounded(mailboxes if mailbox is None else (mailbox, *mailboxes), MAX_MAILBOXES)
    named, more_destinations = _bounded(destinations, MAX_DESTINATIONS)
    unseen = _unseen(context, missing_octets, last_seen_ms)
    unnamed = _unnamed(more_mailboxes, "mailbox", "mailboxes") + _unnamed(more_destinations, "destination")
    sure, why = _weighed(confidence, confidence_reason, context)
    return Finding(
        id=stable_id(detector, key, episode),
        detector=detector,
        mailbox=None if mailbox is None else address(mailbox),
        mailboxes=affected,
        destinations=named,
        summary=sentence(summary),
        first_seen_ms=first_seen_ms,
        last_seen_ms=max(first_seen_ms, last_seen_ms),
        counts=dict(counts or {}),
        observed=observed,
        baseline=baseline,
        level=level,
        level_reason=sentence(level_reason),
        severity=severity,
        confidence=sure,
        confidence_reason=sentence(why),
        coverage=Seen(
            clear_share=context.clear_share,
            missing_octets=missing_octets,
            unseen_mails=context.unseen_24h,
            unseen_of_mailbox=0 if mailbox is None else context.mailbox_unseen_24h,
        ),
        assumptions=tuple(sentence(each) for each in assumptions),
        gaps=tuple(sentence(each) for each in (*gaps, *unseen, *unnamed)),
        actor=_plain_actor(actor or Actor()),
        exhibits=_bounded_exhibits(tuple(exhibits)),
        technique=technique,
        pairs=tuple(pairs) if not (more_mailboxes or more_destinations) else (),
    )


def measured_share(what: str, part: int, whole: int) -> Measured | None:
    """*part* of *whole* with its Jeffreys interval; none where there is no whole. A larger *part* counts as all."""
    if whole <= 0:
        return None
    part = max(0, min(part, whole))
    low, high = jeffreys(part, whole)
    return Measured(what=what, value=part / whole, low=low, high=high)


def sentence(text: str) -> str:
    """*text* as one printable line of at most ``MAX_SENTENCE_OCTETS``, whatever a mail put into it."""
    return cut(text, MAX_SENTENCE_OCTETS)


def quoted(text: str) -> str:
    """What others wrote, in the double quotes by which it can be told from our own words."""
    return '"' + text.replace('"', "'") + '"'


def address(text: str) -> str:
    """An address as findings and states carry it: printable and bounded."""
    return cut(text, MAX_ADDRESS_OCTETS)


def cut(text: str, octets: int) -> str:
    """*text* with what is not printable as an escape, and an ellipsis where it was longer than *octets* of UTF-8."""
    if len(text) <= octets and text.isascii() and text.isprintable():
        return text
    # Cut first: a long text is not to be escaped whole.
    text = text[: octets + 1]
    if not text.isprintable():
        text = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
    encoded = text.encode()
    return text if len(encoded) <= octets else encoded[: max(0, octets - 3)].decode(errors="ignore") + "…"


def _weighed(confidence: Confidence, reason: str, context: Context) -> tuple[Confidence, str]:
    share, unseen = context.clear_share, context.mailbox_unseen_24h
    seen = context.received_24h + context.sent_24h
    if share is not None and share < POOR_CLEAR_SHARE:
        hidden = f"Only {share:.0%} of mail sessions were seen in clear, so this is told with less confidence."
    elif unseen and seen / (seen + unseen) < POOR_CLEAR_SHARE:
        hidden = "More of this mailbox's mail passed unseen than was seen, so this is told with less confidence."
    else:
        return confidence, reason
    return _LOWER[confidence], f"{reason} {hidden}".strip()


def _unseen(context: Context, missing_octets: int, now_ms: int) -> tuple[str, ...]:
    gaps = list(_hidden(context))
    if missing_octets > 0:
        gaps.append(f"{missing_octets:,} octets of the mails in question were lost on the way to the sensor.")
    since = context.sensor_since_ms
    if since is not None and now_ms - since < SHORT_WATCH_MS:
        gaps.append(f"The sensor had watched for {_duration(now_ms - since)} only: what was before is not known.")
    return tuple(gaps)


def _hidden(context: Context) -> Iterator[str]:
    """What of the last 24 hours nobody could read. Each mail that passed unseen is in the share like a session."""
    share, unseen = context.clear_share, context.unseen_24h
    if share is None:
        yield "How much mail passed unseen in TLS is not known."
    elif share < GOOD_CLEAR_SHARE:
        how = "were hidden in TLS, or passed the sensor unseen" if unseen else "were hidden in TLS"
        yield f"{1 - share:.0%} of mail sessions in the last 24 hours {how}."
    if unseen:
        of_mailbox = min(context.mailbox_unseen_24h, unseen)
        known = f", {of_mailbox:,} of them known to be of this mailbox" if of_mailbox else ""
        yield f"In the last 24 hours {_mails(unseen)} passed the sensor unseen{known}."


def _mails(count: int) -> str:
    return "1 mail" if count == 1 else f"{count:,} mails"


def _duration(ms: int) -> str:
    hours = max(0, ms) // HOUR_MS
    if hours < 1:
        return "less than an hour"
    if hours < 48:
        return f"{hours} hour{'s' if hours > 1 else ''}"
    return f"{hours // 24} days"


def _unnamed(count: int, one: str, many: str | None = None) -> tuple[str, ...]:
    if not count:
        return ()
    return (f"{count} more {one + ' is' if count == 1 else (many or one + 's') + ' are'} not named here.",)


def _bounded(addresses: Iterable[str], most: int) -> tuple[tuple[str, ...], int]:
    """The first *most* of *addresses*, each once, and how many more there were."""
    unique = tuple(dict.fromkeys(address(each) for each in addresses))
    return unique[:most], max(0, len(unique) - most)


def _bounded_exhibits(exhibits: tuple[Exhibit, ...]) -> tuple[Exhibit, ...]:
    most = 2 * MAX_EXHIBITS_EACH
    if len(exhibits) > most:
        exhibits = exhibits[:MAX_EXHIBITS_EACH] + exhibits[-MAX_EXHIBITS_EACH:]
    return tuple(map(_bounded_exhibit, exhibits))


def _bounded_exhibit(exhibit: Exhibit) -> Exhibit:
    lines = _cut_lines(exhibit.lines)
    return exhibit if lines is exhibit.lines else msgspec.structs.replace(exhibit, lines=lines)


def _cut_lines(lines: Iterable[Artifact]) -> tuple[Artifact, ...]:
    """The first lines, within the bounds of their number and of all their octets."""
    lines = tuple(lines)
    if _are_within_bounds(lines):
        return lines
    kept: list[Artifact] = []
    room = MAX_LINES_OCTETS
    for line in lines:
        slug, name = cut(line.slug, MAX_NAME_OCTETS), cut(line.field, MAX_NAME_OCTETS)
        room -= _octets(slug) + _octets(name)
        if len(kept) == MAX_LINES or room < _LEAST_VALUE_OCTETS:
            break
        value = cut(line.value, room)
        room -= _octets(value)
        is_same = (slug, name, value) == (line.slug, line.field, line.value)
        kept.append(line if is_same else Artifact(slug=slug, field=name, value=value))
    return tuple(kept)


def _are_within_bounds(lines: tuple[Artifact, ...]) -> bool:
    """True if no line needs to be cut; false if that takes a closer look. Nearly all lines are plain and short."""
    if len(lines) > MAX_LINES:
        return False
    text = "".join([each.slug + each.field + each.value for each in lines])
    return (
        len(text) <= MAX_LINES_OCTETS - _LEAST_VALUE_OCTETS
        and text.isascii()
        and text.isprintable()
        and all(len(each.slug) <= MAX_NAME_OCTETS and len(each.field) <= MAX_NAME_OCTETS for each in lines)
    )


def _octets(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _plain_actor(actor: Actor) -> Actor:
    return Actor(
        auth_user=_plain(actor.auth_user),
        helo=_plain(actor.helo),
        client_ip=_plain(actor.client_ip),
        server_ip=_plain(actor.server_ip),
    )


def _plain(text: str | None) -> str | None:
    return None if text is None else address(text)
