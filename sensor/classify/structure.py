"""
Shapes of a redirected mail: what its envelope and its header section say against each other.

No field of its own tells of these; a plain ``.forward``, an alias and many servers' redirects leave nothing else. Each
shape names the mailbox that it would be; whether it is one, the rules of trust say.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sensor.classify.road import related
from sensor.classify.text import MAX_VALUE_CHARS, domain_of, recipients, split_subject
from sensor.model import HeaderView, Transaction

_ARC_RESULTS = "arc-authentication-results"
# The core keeps its tag "d=" alone.
_SIGNATURE = "dkim-signature"
# RFC 8601 2.7.2: the sender that SPF was asked about, a whole address or its domain.
_SEEN_SENDER = re.compile(r"\bsmtp\.mailfrom=<?([^\s;<>\"]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Shape:
    """One shape: where it shows, with what value, the mailbox that it names, and the Received lines above it."""

    field: str
    value: str
    mailbox: str | None
    received_above: int | None = None


def drawn_shapes(
    transaction: Transaction,
    header: HeaderView,
    known_prefixes: Collection[str],
    reply_prefixes: Collection[str] = (),
) -> dict[str, Shape]:
    """All shapes that the mail has, by name."""
    forward_to = recipients(transaction.forward_paths)
    written_to = list(dict.fromkeys(address.lower() for address in (*header.to, *header.cc)))
    shapes: dict[str, Shape] = {}
    _sent_by_addressee(transaction, header, shapes)
    _received_for(transaction, forward_to, written_to, shapes)
    if forward_to and written_to and not set(forward_to) & set(written_to):
        shapes["recipient_unaddressed"] = Shape("To", ", ".join(written_to[:3]), written_to[0])
        _authors_signature(transaction, header, shapes)
    received_for = shapes.get("received_for_addressee") or shapes.get("received_for_another")
    if transaction.reverse_path == "" and received_for is not None:
        shapes["null_sender"] = Shape("reverse_path", "<>", received_for.mailbox)
    _sender_rewritten(transaction, shapes)
    _thread(header, known_prefixes, reply_prefixes, shapes)
    return shapes


def _sent_by_addressee(transaction: Transaction, header: HeaderView, shapes: dict[str, Shape]) -> None:
    """The reverse-path is somebody the mail was written to, and not its author."""
    sender = (transaction.reverse_path or "").lower()
    authors = {address.lower() for address in (*header.from_, *([header.sender] if header.sender else []))}
    written_to = {address.lower() for address in (*header.to, *header.cc)}
    if sender and authors and sender not in authors and sender in written_to:
        shapes["sent_by_addressee"] = Shape("reverse_path", sender, sender)


def _received_for(
    transaction: Transaction,
    forward_to: list[str],
    written_to: list[str],
    shapes: dict[str, Shape],
) -> None:
    """
    The topmost Received line whose ``for`` clause names another address than the one recipient.

    Those of gateways that the mail left by name the recipient of now, and stand above it.
    """
    if len(forward_to) != 1:
        return
    named = ((at, line.for_address.lower()) for at, line in enumerate(transaction.received) if line.for_address)
    at, received_for = next((each for each in named if each[1] not in forward_to), (0, None))
    if received_for is None:
        return
    names_addressee = received_for in written_to and forward_to[0] not in written_to
    name = "received_for_addressee" if names_addressee else "received_for_another"
    shapes[name] = Shape("Received", f"for <{received_for}>", received_for, at)


def _sender_rewritten(transaction: Transaction, shapes: dict[str, Shape]) -> None:
    """The newest ARC set, which stands topmost, was made under another domain of the reverse-path than that of now."""
    sender = (transaction.reverse_path or "").lower()
    sealed = next((each.value for each in transaction.fields if each.name.lower() == _ARC_RESULTS), None)
    seen = _SEEN_SENDER.search(sealed[:MAX_VALUE_CHARS]) if sealed is not None and sender else None
    if seen is not None and domain_of(seen[1].lower()) != domain_of(sender):
        shapes["sender_rewritten"] = Shape("ARC-Authentication-Results", seen[0], None)


def _authors_signature(transaction: Transaction, header: HeaderView, shapes: dict[str, Shape]) -> None:
    """The author's side signed the mail, and sends it under a reverse-path of another side now."""
    author = domain_of(header.from_[0].lower()) if header.from_ else ""
    sender = domain_of((transaction.reverse_path or "").lower())
    if not author or not sender or related(author, sender):
        return
    signatures = (each.value for each in transaction.fields if each.name.lower() == _SIGNATURE)
    domains = (value.partition("=")[2].strip().lower() for value in signatures)
    domain = next((each for each in domains if related(each, author)), None)
    if domain is not None:
        shapes["authors_signature"] = Shape("DKIM-Signature", f"d={domain}", None)


def _thread(
    header: HeaderView,
    known_prefixes: Collection[str],
    reply_prefixes: Collection[str],
    shapes: dict[str, Shape],
) -> None:
    """What a mail on a thread shows that is not marked as a reply."""
    author = header.from_[0].lower() if header.from_ else None
    subject = (header.subject or "").strip()
    prefix, _ = split_subject(subject)
    original = header.in_reply_to or next(iter(reversed(header.references)), None)
    if original is not None and prefix not in reply_prefixes:
        shapes["thread_goes_on"] = Shape("In-Reply-To" if header.in_reply_to else "References", original, author)
        if not prefix and header.reply_to and not _is_among(author, header.reply_to):
            shapes["redirected_by_hand"] = Shape("Reply-To", header.reply_to[0].lower(), author)
    topic = (header.thread_topic or "").strip()
    if topic and prefix and prefix not in known_prefixes and subject != topic and subject.endswith(topic):
        # The subject is Outlook's Thread-Topic behind a prefix of which no language is known.
        shapes["topic_behind_prefix"] = Shape("Subject", subject, author)


def _is_among(address: str | None, addresses: Sequence[str]) -> bool:
    return address in [each.lower() for each in addresses]
