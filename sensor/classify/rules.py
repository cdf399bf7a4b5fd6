"""Each rule of trust: its test, and in words what it holds or fails for. Which are asked when, ``trust`` says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sensor.classify.artifacts import Match
from sensor.classify.context import Context, own_hops_above
from sensor.classify.direction import below_any, sender_inside
from sensor.classify.road import is_inner_domain, related, routes_to
from sensor.classify.rows import languages
from sensor.classify.text import domain_of, split_subject

REACH = "out_of_senders_reach"
LEANS = "leans_on_other_evidence"
_SOMETHING = "something_passed_on"
# Encrypted (RFC 3156 4, RFC 8551 3.3): nothing of the body shows.
_UNREADABLE = frozenset(("multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime"))


# ---- rules for every marker


def _destination_is_recipient(match: Match, context: Context) -> bool:
    return not match.destinations or not set(match.destinations).isdisjoint(context.recipients)


def _mailbox_on_sending_side(match: Match, context: Context) -> bool:
    if match.mailbox is None or match.row.place in ("reply", "report"):
        return True
    return context.sends_now(match.mailbox, match.row.hosts)


def _forwarder_is_sending(match: Match, context: Context) -> bool:
    """A marker that names nobody: somebody whom the mail had reached must be on the side that sends."""
    transaction, organisation = context.transaction, context.organisation
    if context.leaves_us and sender_inside(organisation, transaction):
        return True
    helo = transaction.session.helo
    if not organisation.knows_networks and helo is not None and organisation.owns_host(helo):
        return True
    named = [other.mailbox for other in context.matches if other.row.place == "reverse_path" and other.mailbox]
    return any(context.sends_now(each, match.row.hosts) for each in (*named, *context.addressees))


def _out_of_senders_reach(match: Match, context: Context) -> bool:
    return not match.received_above or own_hops_above(match.received_above, match.mailbox, context)


def _never_alone(match: Match, context: Context) -> bool:
    """Whether a marker has something to lean on is seen once all have been weighed alone."""
    return False


def _same_side(one: str, other: str, context: Context) -> bool:
    owns = context.organisation.owns
    if related(domain_of(one), domain_of(other)) or (owns(one) and owns(other)):
        return True
    return routes_to(other, one) or is_inner_domain(domain_of(one))


def _mailbox_is_not_recipient(match: Match, context: Context) -> bool:
    return match.mailbox not in context.recipients


def _anothers_mail(match: Match, context: Context) -> bool:
    """A forward keeps its author; what the mailbox itself writes to somebody bears its marks from an older journey."""
    if (match.mailbox or context.reverse_path) not in context.authors:
        return True
    return _recipient_unaddressed(match, context)


# ---- rules that a row may ask for


def _one_recipient(match: Match, context: Context) -> bool:
    return len(context.recipients) == 1


def _mailbox_addressed(match: Match, context: Context) -> bool:
    return match.mailbox is not None and match.mailbox in context.addressees


def _recipient_unaddressed(match: Match, context: Context) -> bool:
    return context.header is not None and context.written_to.isdisjoint(context.recipients)


def _recipient_elsewhere(match: Match, context: Context) -> bool:
    if match.mailbox is not None:
        mailbox = match.mailbox
        return any(not _same_side(recipient, mailbox, context) for recipient in context.recipients)
    inside = (context.organisation.owns(each) or is_inner_domain(domain_of(each)) for each in context.recipients)
    return not context.organisation.known or not all(inside)


def _came_from_elsewhere(match: Match, context: Context) -> bool:
    """A stranger's mail came by a hop from outside. Where all hops are the house's own, a program wrote it."""
    lines, mailbox = context.transaction.received, match.mailbox
    if not lines or mailbox is None or any(_same_side(author, mailbox, context) for author in context.authors):
        return True
    return context.own_hops(mailbox) < len(lines)


def _forward_shape(match: Match, context: Context) -> bool:
    if context.header is None:
        return False
    # A marker that names nobody speaks of the mailbox that sends.
    return (match.mailbox or context.reverse_path) not in context.authors or _looks_forwarded(context)


def _looks_forwarded(context: Context) -> bool:
    """A visible sign that proves something, or a prefix of an unknown language above a quoted mail."""
    visible = [other for other in context.matches if other.row.kind == "visible"]
    if any(other.row.evidence != "weak" and _requirements_hold(other, context) for other in visible):
        return True
    # The rule wrote the prefix, so it is no word: a flat to share, a camper.
    if any(
        _SOMETHING in other.row.requires and _requirements_hold(other, context, but=_SOMETHING) for other in visible
    ):
        return True
    unknown_prefix = any(other.row.shape == "topic_behind_prefix" for other in visible)
    return unknown_prefix and any(other.row.place == "body" for other in visible)


def _requirements_hold(match: Match, context: Context, but: str | None = None) -> bool:
    return all(RULES[name].holds(match, context) for name in match.row.requires if name != but)


def _no_resent_to(match: Match, context: Context) -> bool:
    return not context.has_field("resent-to")


def _resent_block(match: Match, context: Context) -> bool:
    return match.mailbox is not None and context.has_field("resent-date")


def _loop_guard_beside(match: Match, context: Context) -> bool:
    """Resent-From and X-Loop name the mailbox at one place of the mail's road: one hand wrote both."""
    resent, guarded = (_places_naming(match.mailbox, name, context) for name in ("resent-from", "x-loop"))
    return not resent.isdisjoint(guarded)


def _places_naming(mailbox: str | None, name: str, context: Context) -> set[int]:
    """How many Received lines stand above each field of that name (lower case) that names the mailbox."""
    named = (each for each in context.transaction.fields if each.name.lower() == name)
    return {each.received_above for each in named if mailbox is not None and mailbox in each.value.lower()}


def _no_loop_guard_beside(match: Match, context: Context) -> bool:
    return not _loop_guard_beside(match, context)


def _from_its_hosts(match: Match, context: Context) -> bool:
    helo = context.transaction.session.helo
    return helo is not None and below_any(helo, match.row.hosts)


def _thread_sign(match: Match, context: Context) -> bool:
    header = context.header
    if header is None:
        return False
    _, rest = split_subject(header.subject)
    same_topic = bool(rest) and (header.thread_topic or "").strip().lower() == rest.lower()
    goes_on = bool(header.in_reply_to) or bool(header.references)
    return same_topic or goes_on or _forward_language(match, context)


def _forward_sign(match: Match, context: Context) -> bool:
    return any(
        other.row.kind == "visible"
        and other.row.place in ("body", "field", "attached_message")
        and other.row.evidence != "weak"
        for other in context.matches
    )


def _forward_language(match: Match, context: Context) -> bool:
    codes = [language.code for language in languages()]
    written = {codes[number] for number in context.transaction.label_languages if number < len(codes)}
    return not written.isdisjoint(match.row.languages) or _forward_sign(match, context)


def _something_passed_on(match: Match, context: Context) -> bool:
    """A quoted mail, in whatever language, or a thread that goes on; what cannot be read may hold any of them."""
    transaction, seen = context.transaction, context.transaction.completeness
    if transaction.content_type in _UNREADABLE or seen.missing_octets or seen.truncated:
        return True
    # A line of hyphens or underscores alone may be a signature's.
    return bool(transaction.label_languages) or _thread_sign(match, context)


def _label_block(match: Match, context: Context) -> bool:
    return match.labelled


def _a_persons(match: Match, context: Context) -> bool:
    """A program's mail goes on no thread; a rule that forwards does, and says itself to be a program (RFC 3834 5)."""
    header = context.header
    said = (header.auto_submitted or "no") if header is not None else "no"
    return said == "no" or _thread_sign(match, context)


def _not_a_reply(match: Match, context: Context) -> bool:
    header = context.header
    prefix, _ = split_subject(header.subject if header is not None else None)
    if prefix not in context.reply_prefixes:
        return True
    # VS: is a reply in one language and a forward in others.
    return any(prefix in other.row.prefixes for other in context.matches)


Test = Callable[[Match, Context], bool]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: its test, and in words what holds where it is passed, and what does not where it fails."""

    holds: Test
    passed: str
    failed: str


RULES: Mapping[str, Rule] = {
    "destination_is_recipient": Rule(
        _destination_is_recipient,
        "the destination it names is a recipient of this mail",
        "the destination it names is no recipient of this mail: it is of another journey, or forged",
    ),
    "mailbox_on_sending_side": Rule(
        _mailbox_on_sending_side,
        "the mailbox it names belongs to the side that is sending",
        "the mailbox it names does not belong to the side that is sending",
    ),
    "out_of_senders_reach": Rule(
        _out_of_senders_reach,
        "it was written after the last hop from a foreign host",
        "it stands below a hop from a foreign host: the sender of the mail can have written it, and nothing that he "
        "could not write shows a forward by that mailbox",
    ),
    LEANS: Rule(
        _never_alone,
        "it stands where the mail's sender can write, at the foot where its own writer puts it; what he could not "
        "write shows a forward by the same mailbox",
        "nothing that the mail's sender could not write shows a forward by that mailbox",
    ),
    "forwarder_is_sending": Rule(
        _forwarder_is_sending,
        "it names no mailbox; somebody whom the mail had reached is on the side that is sending",
        "it names no mailbox, and nobody whom the mail had reached is on the side that is sending",
    ),
    "mailbox_is_not_recipient": Rule(
        _mailbox_is_not_recipient,
        "the mailbox it names is not where the mail goes",
        "the mail goes to the very mailbox that it names",
    ),
    "anothers_mail": Rule(
        _anothers_mail,
        "somebody else wrote the mail, or not to this recipient",
        "the mailbox itself wrote the mail to this recipient: the mark is of an older journey, or forged",
    ),
    "one_recipient": Rule(
        _one_recipient,
        "the mail has one recipient, as a forwarded copy has",
        "the mail has several recipients, a forwarded copy one",
    ),
    "mailbox_addressed": Rule(
        _mailbox_addressed,
        "the mail was written or delivered to that mailbox",
        "the mail was neither written nor delivered to that mailbox",
    ),
    "recipient_unaddressed": Rule(
        _recipient_unaddressed,
        "the recipient stands neither in To nor in Cc",
        "the recipient stands in To or Cc: the mail was written to it",
    ),
    "recipient_elsewhere": Rule(
        _recipient_elsewhere,
        "the recipient is of another side than the mailbox",
        "the recipient is on the mailbox's own side: an alias or a hop inside the house",
    ),
    "came_from_elsewhere": Rule(
        _came_from_elsewhere,
        "the author is of the mailbox's own side, or a hop from outside brought the mail",
        "a stranger is its author, and no hop from outside brought it: a program of the house wrote it in his name",
    ),
    "forward_shape": Rule(
        _forward_shape,
        "somebody else wrote the mail, or it looks forwarded",
        "the mailbox wrote the mail itself and it does not look forwarded: a rule's reply",
    ),
    "no_resent_to": Rule(
        _no_resent_to,
        "there is no Resent-To, as a person's resend has",
        "there is a Resent-To: a person resent the mail",
    ),
    "resent_block": Rule(
        _resent_block,
        "Resent-From and Resent-Date stand with it",
        "Resent-From or Resent-Date is missing: no client's resend",
    ),
    "loop_guard_beside": Rule(
        _loop_guard_beside,
        "Resent-From names the mailbox at the same place",
        "no Resent-From names the mailbox at the same place",
    ),
    "no_loop_guard_beside": Rule(
        _no_loop_guard_beside,
        "no X-Loop of the mailbox stands with it, as where a rule resends",
        "an X-Loop of the mailbox stands with it: a rule resent the mail, no person",
    ),
    "from_its_hosts": Rule(
        _from_its_hosts,
        "a host of the service that writes it is sending",
        "no host of the service that writes it is sending",
    ),
    "thread_sign": Rule(
        _thread_sign,
        "the mail goes on a thread, or its quoted block is in the language of the prefix",
        "nothing shows that the mail goes on a thread: the prefix may be a word",
    ),
    "forward_sign": Rule(
        _forward_sign,
        "there is a sign that replies lack: a separator, an attached mail",
        "a reply could look the same: no separator, no attached mail",
    ),
    "forward_language": Rule(
        _forward_language,
        "the quoted block is in a language in which the prefix means a forward, or there is a sign that replies lack",
        "in one language the prefix is a reply's, and nothing shows another",
    ),
    _SOMETHING: Rule(
        _something_passed_on,
        "the mail quotes another one, goes on a thread, or cannot be read",
        "nothing is passed on: no quoted mail, no thread; the prefix may be a word",
    ),
    "label_block": Rule(
        _label_block,
        "two or more labels of the forwarded mail's header follow it",
        "no header block follows it: it may be quoted in running text",
    ),
    "a_persons": Rule(
        _a_persons,
        "a person wrote it, or it goes on a thread",
        "a program wrote it, and it goes on no thread: the prefix may be a word",
    ),
    "not_a_reply": Rule(
        _not_a_reply,
        "the subject is not a reply's",
        "the subject is a reply's: it quotes what was forwarded before",
    ),
}
_ALWAYS_ASKED = (
    "destination_is_recipient",
    "mailbox_on_sending_side",
    "forwarder_is_sending",
    REACH,
    LEANS,
    "mailbox_is_not_recipient",
)
RULE_NAMES = tuple(name for name in RULES if name not in _ALWAYS_ASKED)
