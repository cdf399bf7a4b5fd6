"""
The road of one mail after the tap: classify, ledger, pairing; what detectors work on comes out. Plain calls; no I/O, no
clock.

Nearly all mail shows no trace of forwarding, so the loop does little for it: count who sent and who received. What it
needs of a batch comes as a tally, which the core draws in one go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from msgspec.structs import replace

from sensor import sightings
from sensor.classify import NONE, Organisation, Table, builtin_table, classify
from sensor.coverage import ClearSessions, Coverage, UnseenByMailbox
from sensor.detect.events import AttachmentsSent, Context, DetectorEvent, ForwardRefused, ForwardSeen
from sensor.ledger import Ledger
from sensor.model import Event, Forwarding, TlsSession, Transaction
from sensor.pairing import Found, PairingFront, message_key
from sensor.tally import Tally, Trace, missed_in, tally

__all__ = ["Coverage", "Pipeline", "Verdicts"]

Told = TypeVar("Told", ForwardSeen, ForwardRefused, AttachmentsSent)


@dataclass(slots=True)
class Verdicts:
    """
    What one batch came to. ``forwardings`` holds, by index, every verdict that is not the plain ``NONE``; ``events`` is
    what detectors are to be fed, in order.
    """

    forwardings: dict[int, Forwarding] = field(default_factory=dict)
    events: list[DetectorEvent] = field(default_factory=list)


class Pipeline:
    """
    Runs batches of events through classifier and ledger, and tells what detectors work on.

    *transaction_type* and *session_type* are the classes that the tap's events are of. What comes out does not depend
    on how the mails were cut into batches.
    """

    def __init__(
        self,
        organisation: Organisation,
        ledger: Ledger,
        *,
        transaction_type: type[Transaction],
        session_type: type[TlsSession],
        table: Table | None = None,
        limits: Mapping[str, int] | None = None,
    ) -> None:
        self.organisation = organisation
        self._table = table or builtin_table()
        self._policy_slugs = frozenset(row.slug for row in self._table.rows if row.place in ("reply", "report"))
        self._transaction_type = transaction_type
        self._session_type = session_type
        self.sessions = ClearSessions()
        self.unseen = UnseenByMailbox(limits)
        self.since_ms: int | None = None
        self._next_session = 0
        self.ledger = ledger
        self.pairing = PairingFront(organisation, table=self._table, limits=limits)
        self.coverage = Coverage()

    @property
    def classifies_all(self) -> bool:
        """True if mail that the artifact table does not touch is to be classified too: it has a direction."""
        return self.organisation.known

    def feed(self, events: Iterable[Event]) -> Verdicts:
        """Take events that come from anywhere as one batch."""
        drawn = tally(
            events,
            transaction_type=self._transaction_type,
            session_type=self._session_type,
            classify_all=self.classifies_all,
        )
        return self.take(drawn)

    def take(self, batch: Tally) -> Verdicts:
        """Take one batch. Verdicts of direction alone are made only where the organisation is known."""
        verdicts = Verdicts()
        self.coverage.add(batch)
        self._see_missed(batch)
        self._next_session = 0
        count_mail, organisation, table = self.ledger.count_mail, self.organisation, self._table
        pairing, draw = self.pairing, batch.transaction
        for index, taken, sender, recipients, transaction, trace in batch.mails:
            at_ms = trace.at_ms
            if at_ms >= pairing.next_due_ms:
                self._see_pairs(batch, index, pairing.due(at_ms), verdicts)
            if self.since_ms is None:
                self.since_ms = at_ms
            forwarder, is_plain = None, True
            if transaction is not None:
                forwarding = classify(transaction, organisation, table)
                if forwarding is not NONE:
                    verdicts.forwardings[index] = forwarding
                    if forwarding.kind != "none" or forwarding.look_alike is not None:
                        is_plain = False
                        forwarder = self._judge(_Sight(batch, index, trace, taken, verdicts), transaction, forwarding)
            if not taken:
                continue
            if trace.has_attachments:
                self._see_attachments(_Sight(batch, index, trace, taken, verdicts), forwarder or sender)
            message = trace.message_id or _without_id(batch, index, trace)
            count_mail(forwarder or sender, recipients, at_ms, trace.octets or 0, message)
            pairing.see(trace, recipients, draw if is_plain else None, index)
        self._see_sessions(batch, None)
        return verdicts

    def wake(self, at_ms: int) -> list[DetectorEvent]:
        """What pairing held back until packet time came to *at_ms*, which it did without mail."""
        verdicts = Verdicts()
        if at_ms >= self.pairing.next_due_ms:
            self._tell_pairs(self.pairing.due(at_ms), verdicts)
        return verdicts.events

    def finish(self) -> list[DetectorEvent]:
        """What pairing still held back, at the end of the mail."""
        verdicts = Verdicts()
        self._tell_pairs(self.pairing.finish(), verdicts)
        return verdicts.events

    def _judge(self, sight: _Sight, transaction: Transaction, forwarding: Forwarding) -> str | None:
        """Tell of a mail that shows something; the mailbox that forwarded it, in lower case, if one did."""
        self._count_look(forwarding)
        if forwarding.kind == "none" or not sight.taken:
            # A report that a forward was refused is no forward, but somebody tried.
            self._see_attempt(sight, transaction, forwarding)
        else:
            self._see_forward(sight, transaction, forwarding)
        return forwarding.mailbox.lower() if forwarding.mailbox and forwarding.kind != "none" else None

    def _count_look(self, forwarding: Forwarding) -> None:
        coverage, alike = self.coverage, forwarding.look_alike
        if alike is not None:
            coverage.look_alikes[alike] = coverage.look_alikes.get(alike, 0) + 1
        elif forwarding.mailbox is None:
            coverage.unattributed += 1

    def _see_forward(self, sight: _Sight, transaction: Transaction, forwarding: Forwarding) -> None:
        forward = sightings.forward_seen(transaction, forwarding, self.organisation)
        if forward is None:
            return
        self.coverage.untold_destinations += len(set(forwarding.destinations)) - len(forward.destinations)
        slugs = {artifact.slug for artifact in forwarding.artifacts}
        if self.ledger.count_forward(forward, message_id=sight.message_key, slugs=slugs):
            told = self._in_context(sight, self._with_original(sight.trace, forward))
            sight.verdicts.events += (told, *sightings.destinations_seen(told))

    def _with_original(self, trace: Trace, forward: ForwardSeen) -> ForwardSeen:
        original = self.pairing.original(trace, forward.mailbox)
        if original is None:
            return forward
        return replace(forward, original_id=original.transaction_id, original_at_ms=original.at_ms)

    def _see_pairs(self, batch: Tally, index: int, found: Iterable[Found], verdicts: Verdicts) -> None:
        self._see_sessions(batch, index)
        self._tell_pairs(found, verdicts)

    def _tell_pairs(self, found: Iterable[Found], verdicts: Verdicts) -> None:
        for forward, message in found:
            slugs = {line.slug for line in forward.lines}
            if self.ledger.count_forward(forward, message_id=message or None, slugs=slugs):
                told = replace(forward, context=self._context(forward.mailbox, forward.at_ms))
                verdicts.events += (told, *sightings.destinations_seen(told))

    def _see_attempt(self, sight: _Sight, transaction: Transaction, forwarding: Forwarding) -> None:
        if forwarding.look_alike is not None and forwarding.kind != "none":
            return
        attempt = sightings.forward_tried(transaction, forwarding, self.organisation, self._policy_slugs)
        if attempt is None:
            return
        slugs = {artifact.slug for artifact in forwarding.artifacts}
        self.ledger.count_attempt(attempt, message_id=sight.message_key, evidence=forwarding.evidence, slugs=slugs)
        if attempt.is_policy or transaction.outcome == "rejected":
            # Deferrals are left out otherwise: a next hop that greylists defers the first try of every mail.
            sight.verdicts.events.append(self._in_context(sight, attempt))

    def _see_attachments(self, sight: _Sight, mailbox: str | None) -> None:
        destinations = sightings.outside(sight.trace.recipients, self.organisation)
        if not destinations or mailbox is None or not sightings.ours(mailbox, self.organisation):
            return
        transaction = sight.batch.transaction(sight.index)
        if transaction.attached_messages or any(
            sightings.may_be_archive(each.filename, each.content_type) for each in transaction.attachments
        ):
            sent = sightings.attachments_sent(transaction, mailbox, destinations)
            sight.verdicts.events.append(self._in_context(sight, sent))

    def _in_context(self, sight: _Sight, event: Told) -> Told:
        """*event* with what is known by now of mailbox, organisation and sensor."""
        self._see_sessions(sight.batch, sight.index)
        return replace(event, context=self._context(event.mailbox, event.at_ms))

    def _context(self, mailbox: str, at_ms: int) -> Context:
        activity = self.ledger.activity(mailbox, at_ms)
        mailboxes, forwarders = self.ledger.population(at_ms)
        clear_share, unseen = self.sessions.lately(at_ms)
        return Context(
            received_1h=activity.received_1h,
            received_24h=activity.received_24h,
            received_7d=activity.received_7d,
            sent_24h=activity.sent_24h,
            sent_7d=activity.sent_7d,
            mailbox_since_ms=activity.since_ms,
            sensor_since_ms=self.since_ms,
            mailboxes=mailboxes,
            forwarders=forwarders,
            clear_share=clear_share,
            unseen_24h=unseen,
            mailbox_unseen_24h=self.unseen.lately(mailbox, at_ms),
        )

    def _see_missed(self, batch: Tally) -> None:
        for missed in missed_in(batch):
            self.coverage.unseen_mails += missed.mails
            self.sessions.miss(missed.at_ms, missed.mails)
            for mailbox in missed.mailboxes:
                self.unseen.add(mailbox, missed.at_ms)

    def _see_sessions(self, batch: Tally, index: int | None) -> None:
        """Count the sessions of a batch up to *index*, or all that are left: an event knows what came before it."""
        stop = batch.events if index is None else index + 1
        self.sessions.add(batch.sessions(self._next_session, stop))
        self._next_session = stop


def _without_id(batch: Tally, index: int, trace: Trace) -> int:
    """
    What the hops and taps that show a mail without Message-ID have in common: its body, and where that is short its
    date, too. 0 where there is too little to tell it from others.
    """
    return trace.body or sightings.fingerprint_of_short(batch.transaction(index))


@dataclass(slots=True)
class _Sight:
    """One mail on its way: its place in the batch, its trace, whether a server took it, and where to tell of it."""

    batch: Tally
    index: int
    trace: Trace
    taken: bool
    verdicts: Verdicts

    @property
    def message_key(self) -> str | None:
        """What its copies are told apart by."""
        return message_key(self.trace.message_id or _without_id(self.batch, self.index, self.trace)) or None
