"""
What the pipeline needs to know of a batch, drawn in one go.

Nearly all mail shows no trace of forwarding. Of such mail only the counts and the mailboxes matter, so nothing else of
it is looked at. The core draws the tally of its batches itself (``Batch.tally``); ``tally`` here does the same for
events from anywhere, and is what the core's is tested against.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, get_args

from sensor.model import Event, Outcome, TlsSession, Transaction

# What a server took, or may have taken: the deciding reply was lost.
TAKEN = frozenset(("delivered", "unknown"))

Mail = tuple[int, bool, str | None, Sequence[str], Transaction | None]
"""
Index in the batch; whether it was taken; sender and recipients that took it, or may have, in lower case; and the
transaction itself if it is to be classified. A recipient whose verdict was never seen counts like a mail whose outcome
was never seen.
"""


class Tally(Protocol):
    """Counts of a batch, and its mails in order: those to be classified, and of the others those that were taken."""

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


@dataclass(slots=True)
class PlainTally:
    """A tally made here."""

    outcomes: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(get_args(Outcome), 0))
    incomplete: int = 0
    missing_octets: int = 0
    one_sided: int = 0
    tls_sessions: int = 0
    tls_octets: int = 0
    first_seen_ns: int | None = None
    last_seen_ns: int | None = None
    mails: list[Mail] = field(default_factory=list)

    def see_time(self, started_at_ns: int, ended_at_ns: int) -> None:
        """Widen the time that was seen."""
        self.first_seen_ns = started_at_ns if self.first_seen_ns is None else min(self.first_seen_ns, started_at_ns)
        self.last_seen_ns = ended_at_ns if self.last_seen_ns is None else max(self.last_seen_ns, ended_at_ns)


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
        if isinstance(event, transaction_type):
            _see_mail(drawn, index, event, classify_all or event.touched)
        elif isinstance(event, session_type):
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
    if taken or classified:
        sender = transaction.reverse_path
        recipients = [
            path.address.lower() for path in transaction.forward_paths if path.accepted or path.reply_code is None
        ]
        drawn.mails.append(
            (index, taken, sender.lower() if sender else None, recipients, transaction if classified else None)
        )
