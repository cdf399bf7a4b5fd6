"""
Why a mail is, or is not, a forward: its marks held against the rules of trust.

A mail in a capture has its envelope. A stored mail has lost it. What the receiving server wrote on top (Return-Path,
Delivered-To, its Received lines) tells of it; that much is taken off again, so that the mail is judged as it was on the
wire.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from ipaddress import ip_address

from sensor.classify import Judgement, Organisation, Table, judge
from sensor.classify.road import is_own_hop, related
from sensor.classify.text import bare_address, domain_of
from sensor.model import InterestSpec, ReceivedView, Transaction
from sensor.taps.mailfiles import MailEnvelope, MailReader

# What servers write at delivery, best first (RFC 5321 4.4, RFC 9228; Postfix, Exim).
_RECIPIENT_FIELDS = ("x-original-to", "delivered-to", "envelope-to")
# What Exchange writes on mail that it stores and strips from what it sends; it puts Return-Path there too, at the foot.
_EXCHANGE_STORED = "x-ms-exchange-organization-authsource"
_ENVELOPE_FIELDS = InterestSpec(
    # Received makes the core read the trace lines.
    fields=("Return-Path", "X-Original-To", "Delivered-To", "Envelope-to", _EXCHANGE_STORED, "Received"),
    reverse_path_marks=(),
    subject_prefixes=(),
    body_marks=(),
)
# Received lines of the receiving side that are looked through for the one that took the mail in.
_RECEIVING_LINES = 6


@dataclass(frozen=True, slots=True)
class Explanation:
    """One mail's verdict with its reasons, and the envelope it was judged by: what was seen, what assumed."""

    name: str
    judgement: Judgement
    seen: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()


@dataclass(slots=True)
class _Assumed:
    """An envelope in the making."""

    envelope: MailEnvelope
    notes: list[str] = field(default_factory=list)
    top_fields: int = 0


class _StoredMail:
    """A mail's file, by what tells of its last journey: fields of delivery, and the lines down to where it came in."""

    def __init__(self, stored: Transaction, organisation: Organisation) -> None:
        self.stored = stored
        self.lines = tuple(stored.received[:_RECEIVING_LINES])
        fields = [(each.name.lower(), each.value, each.received_above) for each in reversed(stored.fields)]
        # Servers that take a mail in drop an older one (RFC 5321 4.4), and not all put theirs on top.
        self.return_path = next((value for name, value, _ in reversed(fields) if name == "return-path"), None)
        self.on_top = {name: value for name, value, above in fields if above == 0 and name in _RECIPIENT_FIELDS}
        self.is_delivered = self.return_path is not None or bool(self.on_top)
        self.is_delivered |= any(name == _EXCHANGE_STORED for name, _, _ in fields)
        self._organisation = organisation

    def first_foreign(self, sides: Collection[str] = ()) -> ReceivedView | None:
        """The topmost line whose client is not of *sides*: by it the mail came in."""
        hops = (line for line in self.lines if line.from_ is not None)
        return next((line for line in hops if not is_own_hop(line, tuple(sides), self._organisation)), None)

    def told_by_line(self) -> ReceivedView | None:
        """The line that names the recipient: the topmost, or one down to that by which the sending host took it."""
        entry = self.first_foreign()
        down_to = self.lines.index(entry) + 1 if entry is not None and self.is_delivered else 0
        return next(
            (
                line
                for at, line in enumerate(self.lines[: down_to + 1])
                if line.for_address and (at < max(down_to, 1) or line.from_ is None)
            ),
            None,
        )


class Explainer:
    """Explains mails by one table, for one organisation. What *given* says outranks a file's word on its envelope."""

    def __init__(
        self,
        table: Table,
        organisation: Organisation,
        given: MailEnvelope | None = None,
    ) -> None:
        self._table = table
        self._organisation = organisation
        self._given = given or MailEnvelope()
        self._reader = MailReader(table.interest)
        self._envelope_reader = MailReader(_ENVELOPE_FIELDS)

    def explain(self, name: str, octets: bytes) -> Explanation:
        """The mail *octets*, told by *name*."""
        assumed = self._assume(octets)
        on_the_wire = without_top_fields(octets, assumed.top_fields)
        transaction = self._reader.read(on_the_wire, assumed.envelope)
        judgement = judge(transaction, self._organisation, self._table)
        return Explanation(name, judgement, assumptions=tuple(assumed.notes))

    def _assume(self, octets: bytes) -> _Assumed:
        given = self._given
        stored = self._envelope_reader.read(octets, MailEnvelope())
        assumed = _Assumed(given)
        file = _StoredMail(stored, self._organisation)
        if given.reverse_path is None:
            _assume_sender(assumed, file)
        if not given.forward_paths:
            _assume_recipients(assumed, file)
            _assume_client(assumed, file)
        else:
            _assume_last_hop(assumed, stored)
        return assumed


def explain_transaction(transaction: Transaction, organisation: Organisation, table: Table) -> Explanation:
    """A mail of a capture, by the envelope that was seen."""
    return Explanation(transaction.id, judge(transaction, organisation, table), seen=tuple(_seen(transaction)))


def _seen(transaction: Transaction) -> Iterator[str]:
    session, flow = transaction.session, transaction.flow
    client = session.client_ip or flow.src_ip
    yield f"on {_utc(transaction.started_at_ns)}, from {session.helo or 'a host that gave no name'} [{client}]"
    sender = transaction.reverse_path
    yield f"MAIL FROM:<{sender}>" if sender is not None else "MAIL FROM was not seen"
    for path in transaction.forward_paths:
        orcpt = f" ORCPT={path.orcpt}" if path.orcpt is not None else ""
        verdict = "accepted" if path.accepted else f"not accepted ({path.reply_code or 'no reply seen'})"
        yield f"RCPT TO:<{path.address}>{orcpt}, {verdict}"
    reply = transaction.reply
    said = f": {reply.code} {reply.enhanced or ''} {reply.text}".replace("  ", " ") if reply is not None else ""
    yield f"outcome {transaction.outcome}{said}"
    if transaction.header is None:
        yield "no header section was seen: only the envelope can tell"


def _utc(at_ns: int) -> str:
    return f"{datetime.fromtimestamp(at_ns // 1_000_000_000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _assume_sender(assumed: _Assumed, file: _StoredMail) -> None:
    header = file.stored.header
    if file.return_path is not None:
        sender, where = file.return_path.strip().strip("<>"), "Return-Path"
    elif header is not None and (header.sender or header.from_):
        sender, where = header.sender or header.from_[0], "Sender or From, for there is no Return-Path"
    else:
        assumed.notes.append("MAIL FROM is not known: give it with --mail-from")
        return
    assumed.envelope = replace(assumed.envelope, reverse_path=sender)
    assumed.notes.append(f"MAIL FROM is assumed to be <{sender}>, from {where}")


def _assume_recipients(assumed: _Assumed, file: _StoredMail) -> None:
    found, where = _recipients_told(file)
    if not found:
        assumed.notes.append("RCPT TO is not known: give it with --rcpt-to")
        return
    assumed.envelope = replace(assumed.envelope, forward_paths=found)
    told = ", ".join(f"<{address}>" for address in found)
    assumed.notes.append(f"RCPT TO is assumed to be {told}, from {where}")


def _recipients_told(file: _StoredMail) -> tuple[tuple[str, ...], str]:
    for name in _RECIPIENT_FIELDS:
        address = bare_address(file.on_top.get(name, ""))
        if address is not None:
            return (address,), name.title()
    line = file.told_by_line()
    if line is not None and line.for_address is not None:
        line_of = f"the Received line of {line.by or 'a server'}"
        return (line.for_address.lower(),), "the topmost Received line" if line is file.lines[0] else line_of
    header = file.stored.header
    written_to = tuple(dict.fromkeys((*header.to, *header.cc))) if header is not None else ()
    return written_to, "To and Cc"


def _assume_client(assumed: _Assumed, file: _StoredMail) -> None:
    """Who sent it: whom the receiving server names, or the last server that took it where none is seen to have."""
    if not file.lines:
        return
    entry = _entry_line(file, assumed.envelope.forward_paths)
    if entry is None:
        _assume_last_hop(assumed, file.stored)
        return
    given = assumed.envelope
    helo, client_ip = given.helo or entry.from_, given.client_ip or _address_or_none(entry.from_ip)
    assumed.envelope = replace(given, helo=helo, client_ip=client_ip)
    assumed.top_fields = entry.position + 1
    named = f"the sending host is assumed to be {entry.from_ or 'unknown'}, as " if given.helo is None else "by "
    assumed.notes.append(
        f"{named}the Received line of {entry.by or 'the receiving server'}"
        f"{' says' if given.helo is None else ' the mail came in'}; fields down to that line were added on receipt and "
        "are left out"
    )


def _assume_last_hop(assumed: _Assumed, stored: Transaction) -> None:
    """A mail as it was on the wire, as who tells its envelope has it: who took it last is who sends it now."""
    helo = stored.received[0].by if stored.received else None
    if helo is not None and assumed.envelope.helo is None:
        assumed.envelope = replace(assumed.envelope, helo=helo)
        assumed.notes.append(f"the sending host is assumed to be {helo}, which took the mail last")


def _entry_line(file: _StoredMail, recipients: Sequence[str]) -> ReceivedView | None:
    """The Received line by which the recipient's side took the mail in; none if it is not there."""
    folded = {address.lower() for address in recipients}
    sides = {domain_of(address) for address in folded}
    foreign = file.first_foreign(sides)
    # A line without a client tells of no hop: the sending host wrote it, as Google's do.
    hops = [line for line in file.lines if line.from_ is not None]
    named = next((line for line in hops if line.for_address is not None and line.for_address.lower() in folded), None)
    if named is not None and foreign is not None and foreign.position > named.position:
        # Filters and stores of the recipient's side name him above the line by which the mail came in.
        return foreign if any(related(foreign.by or "", side) for side in (*sides, named.by or "")) else named
    if named is not None or not file.is_delivered:
        return named
    return foreign or next(iter(hops), None)


def _address_or_none(text: str | None) -> str | None:
    try:
        return str(ip_address(text)) if text is not None else None
    except ValueError:
        return None


def without_top_fields(octets: bytes, fields: int) -> bytes:
    """The mail without its first *fields* header fields, continuation lines included (RFC 5322 2.2.3)."""
    if fields <= 0:
        return octets
    seen, at = 0, 0
    for line in re.finditer(rb"[^\n]*\n?", octets):
        if line[0] in (b"\n", b"\r\n", b""):
            return octets[line.start() :]
        if line[0][:1] not in (b" ", b"\t"):
            seen += 1
        if seen > fields:
            return octets[line.start() :]
        at = line.end()
    return octets[at:]
