"""
What the pipeline needs to know of a batch, drawn in one go.

Nearly all mail shows no trace of forwarding. Of such mail only the counts and the mailboxes matter, so nothing else of
it is looked at. The core draws the tally of its batches itself (``Batch.tally``); ``tally`` here does the same for
events from anywhere, and is what the core's is tested against.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha1
from typing import Protocol, get_args

from sensor.model import Event, HeaderView, Missed, Outcome, TlsSession, Transaction

# What a server took, or may have taken: the deciding reply was lost.
TAKEN = frozenset(("delivered", "unknown"))

MIN_BODY_OCTETS = 256
"""Bodies shorter than this ("ok, thanks") are alike by chance."""
MAX_REFERENCES = 4
"""The last References name the mail that is answered or passed on; a long thread names hundreds."""
MAX_NAMED = 8
"""Addresses that a mail says it came through; whoever writes more wants to be paired with somebody."""
PARENT_FIELD = "x-ms-exchange-parent-message-id"
"""Exchange's own word for the mail that a rule's mail was made from."""


HOUR_NS = 3_600_000_000_000

SessionsSeen = tuple[int, int, int]
"""An hour since the epoch, and mail sessions that ended in it: in clear, in TLS. An hour may be told in parts."""


class Trace(Protocol):
    """
    What pairing needs of a mail, small enough to be kept for days. Addresses are in lower case.

    Fingerprints are of 64 bits, 0 where there is nothing: ``message_id``; ``parents`` (In-Reply-To, the last
    References, Exchange's parent field); ``body``, for bodies of ``MIN_BODY_OCTETS`` that were seen whole.
    ``recipients`` took the mail, or may have; ``unaddressed`` are those that neither To nor Cc names. ``named`` are the
    mailboxes that the mail says it came through. ``author`` is the first of From.
    """

    @property
    def transaction_id(self) -> str: ...
    @property
    def at_ms(self) -> int: ...
    @property
    def octets(self) -> int | None: ...
    @property
    def missing_octets(self) -> int: ...
    @property
    def sender(self) -> str | None: ...
    @property
    def recipients(self) -> Sequence[str]: ...
    @property
    def has_attachments(self) -> bool: ...
    @property
    def message_id(self) -> int: ...
    @property
    def body(self) -> int: ...
    @property
    def parents(self) -> Sequence[int]: ...
    @property
    def author(self) -> str | None: ...
    @property
    def unaddressed(self) -> Sequence[str]: ...
    @property
    def named(self) -> Sequence[str]: ...


Mail = tuple[int, bool, str | None, Sequence[str], Transaction | None, Trace]
"""
Index in the batch; whether it was taken; sender and recipients that took it, or may have, in lower case; the
transaction itself if it is to be classified; its trace. A recipient whose verdict was never seen counts like a mail
whose outcome was never seen.
"""


class Tally(Protocol):
    """Counts of a batch, and its mails in order: those to be classified, and of the others those that were taken."""

    @property
    def events(self) -> int: ...
    @property
    def outcomes(self) -> dict[Outcome, int]: ...
    @property
    def incomplete(self) -> int: ...
    @property
    def missing_octets(self) -> int: ...
    @property
    def one_sided(self) -> int: ...
    @property
    def tls_sessions(self) -> int: ...
    @property
    def tls_octets(self) -> int: ...
    @property
    def first_seen_ns(self) -> int | None: ...
    @property
    def last_seen_ns(self) -> int | None: ...
    @property
    def mails(self) -> Sequence[Mail]: ...
    def transaction(self, index: int) -> Transaction:
        """The transaction at *index* of the batch. Raises ``IndexError`` where there is none."""
        ...

    def sessions(self, start: int, stop: int) -> Sequence[SessionsSeen]:
        """Mail sessions among the events from *start* to *stop*. Each is counted with the first of its mails."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainTrace:
    """A trace made here."""

    transaction_id: str
    at_ms: int
    octets: int | None = None
    missing_octets: int = 0
    sender: str | None = None
    recipients: Sequence[str] = ()
    has_attachments: bool = False
    message_id: int = 0
    body: int = 0
    parents: Sequence[int] = ()
    author: str | None = None
    unaddressed: Sequence[str] = ()
    named: Sequence[str] = ()


@dataclass(slots=True)
class PlainTally:
    """A tally made here. ``missed`` is mail that no event tells of."""

    events: int = 0
    outcomes: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(get_args(Outcome), 0))
    incomplete: int = 0
    missing_octets: int = 0
    one_sided: int = 0
    tls_sessions: int = 0
    tls_octets: int = 0
    first_seen_ns: int | None = None
    last_seen_ns: int | None = None
    mails: list[Mail] = field(default_factory=list)
    transactions: dict[int, Transaction] = field(default_factory=dict)
    sessions_seen: list[tuple[int, SessionsSeen]] = field(default_factory=list)
    missed: Sequence[Missed] = ()

    def transaction(self, index: int) -> Transaction:
        """The transaction at *index* of the batch. Raises ``IndexError`` where there is none."""
        try:
            return self.transactions[index]
        except KeyError:
            raise IndexError(f"event {index} is no transaction") from None

    def sessions(self, start: int, stop: int) -> list[SessionsSeen]:
        """Mail sessions among the events from *start* to *stop*, each told by itself."""
        return [seen for index, seen in self.sessions_seen if start <= index < stop]

    def see_time(self, started_at_ns: int, ended_at_ns: int) -> None:
        """Widen the time that was seen."""
        self.first_seen_ns = started_at_ns if self.first_seen_ns is None else min(self.first_seen_ns, started_at_ns)
        self.last_seen_ns = ended_at_ns if self.last_seen_ns is None else max(self.last_seen_ns, ended_at_ns)


def missed_in(batch: Tally) -> Sequence[Missed]:
    """Mail of which a batch tells that it was missed. The core knows of none: it is told of mail that was seen."""
    return batch.missed if isinstance(batch, PlainTally) else ()


def tally(
    events: Iterable[Event],
    *,
    transaction_type: type[Transaction],
    session_type: type[TlsSession],
    classify_all: bool = False,
) -> PlainTally:
    """The tally of *events*; transactions that the table touches are to be classified, or all with *classify_all*."""
    drawn = PlainTally()
    for index, event in enumerate(events):
        drawn.events += 1
        if isinstance(event, transaction_type):
            _see_mail(drawn, index, event, classify_all or event.touched)
        elif isinstance(event, session_type):
            drawn.sessions_seen.append((index, (event.ended_at_ns // HOUR_NS, 0, 1)))
            drawn.tls_sessions += 1
            drawn.tls_octets += event.client_octets + event.server_octets
            drawn.see_time(event.started_at_ns, event.ended_at_ns)
    return drawn


def _see_mail(drawn: PlainTally, index: int, transaction: Transaction, classified: bool) -> None:
    completeness, taken = transaction.completeness, transaction.outcome in TAKEN
    drawn.outcomes[transaction.outcome] += 1
    drawn.missing_octets += completeness.missing_octets
    drawn.incomplete += bool(completeness.missing_octets or completeness.truncated or completeness.midstream)
    drawn.one_sided += completeness.one_sided
    drawn.see_time(transaction.started_at_ns, transaction.ended_at_ns)
    drawn.transactions[index] = transaction
    if transaction.session.transaction_index == 0:
        drawn.sessions_seen.append((index, (transaction.ended_at_ns // HOUR_NS, 1, 0)))
    if taken or classified:
        made = trace(transaction)
        view = transaction if classified else None
        drawn.mails.append((index, taken, made.sender, made.recipients, view, made))


def trace(transaction: Transaction) -> PlainTrace:
    """The trace of *transaction*."""
    header = transaction.header
    sender, author = transaction.reverse_path, header.from_[0] if header is not None and header.from_ else None
    recipients = _recipients(transaction)
    return PlainTrace(
        transaction_id=transaction.id,
        at_ms=transaction.started_at_ns // 1_000_000,
        octets=transaction.size_octets,
        missing_octets=transaction.completeness.missing_octets,
        sender=sender.lower() if sender else None,
        recipients=recipients,
        has_attachments=bool(transaction.attachments or transaction.attached_messages),
        message_id=fingerprint(header.message_id) if header is not None and header.message_id is not None else 0,
        body=_fingerprint_of_body(transaction),
        parents=_parents(transaction),
        author=None if author is None else author.lower(),
        unaddressed=_unaddressed(recipients, header),
        named=_named(transaction),
    )


def fingerprint(text: str) -> int:
    """The first 64 bits of SHA-1: the same in every program, and quick."""
    return int.from_bytes(sha1(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).digest()[:8])


def _recipients(transaction: Transaction) -> list[str]:
    """Those that took the mail, or may have."""
    return [path.address.lower() for path in transaction.forward_paths if path.accepted or path.reply_code is None]


def _fingerprint_of_body(transaction: Transaction) -> int:
    """The first half of the body's digest."""
    digest = transaction.body_digest
    return int(digest[:16], 16) if digest is not None and transaction.body_octets >= MIN_BODY_OCTETS else 0


def _parents(transaction: Transaction) -> list[int]:
    header = transaction.header
    if header is None:
        return []
    named = [header.in_reply_to] if header.in_reply_to is not None else []
    named += reversed(header.references[-MAX_REFERENCES:])
    named += [each.value.strip("<> ") for each in transaction.fields if each.name.lower() == PARENT_FIELD][:1]
    return list(dict.fromkeys(map(fingerprint, named)))


def _unaddressed(recipients: Sequence[str], header: HeaderView | None) -> list[str]:
    if header is None:
        return []
    written_to = {address.lower() for address in (*header.to, *header.cc)}
    return [address for address in dict.fromkeys(recipients) if address not in written_to]


def _named(transaction: Transaction) -> list[str]:
    """ORCPT (RFC 3461 4.2), Resent-From, Delivered-To, and ``for`` in the Received lines kept."""
    originals = [path.orcpt for path in transaction.forward_paths if path.orcpt is not None]
    names = [orcpt.partition(";")[2] if ";" in orcpt else orcpt for orcpt in originals]
    if transaction.header is not None:
        names += [*transaction.header.resent_from, *transaction.header.delivered_to]
        names += [line.for_address for line in transaction.received if line.for_address is not None]
    kept = list(dict.fromkeys(name.strip(" <>").lower() for name in names))[:MAX_NAMED]
    recipients = {path.address.lower() for path in transaction.forward_paths}
    return [name for name in kept if name not in recipients]
