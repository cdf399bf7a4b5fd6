"""
The front end of pairing: finds, among all mail, the few mails of which another leg was seen.

Most fingerprints are seen once. So what comes in to mailboxes of ours is remembered by its fingerprints and no event
is made of it. What leaves asks for its own: if they are there, legs are made for the stage that judges
(``sensor.detect.pairing``), and it is told of further ones as they come. What leaves before its original was seen is
held for a minute and asks again.

What is remembered lives in two generations by packet time: when the young one spans the window or is full, the old one
is dropped. So an original is found for at least the window, unless there is more mail than the bound.

A mail to somebody inside and somebody outside at once is one that came in; nobody's rule addresses both in one go.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush
from typing import Literal, NamedTuple

from sensor import sightings
from sensor.classify import Organisation, Table, builtin_table, judge
from sensor.classify.rows import NOT_A_FORWARD
from sensor.classify.text import domain_of, split_subject
from sensor.detect.events import ForwardSeen, Leg, stable_id
from sensor.detect.pairing import PARENT_WITHIN_MS, SETTLE_MS, WINDOW_MS, Pairing, PairingState
from sensor.model import Actor, Artifact, Transaction
from sensor.tally import Trace

LIMITS: tuple[tuple[str, str, int], ...] = (
    (
        "pairing_originals",
        "Fingerprints of incoming mail remembered to find its copies going out; two a mail, some 400 octets each.",
        400_000,
    ),
    (
        "pairing_same_originals",
        "Incoming mails remembered of one fingerprint; with more it is a template, or reused to confuse, and dropped.",
        8,
    ),
    (
        "pairing_waiting",
        "Outgoing mails held for a minute in case their originals are seen later; beyond it the first is judged early.",
        65_536,
    ),
    (
        "pairing_in_progress",
        "Fingerprints with legs on both sides; one not seen longest goes first. Copies follow within minutes.",
        4_096,
    ),
)

MAX_NAMED_RECIPIENTS = 128
"""Recipients of an incoming leg that are told to the stage, which keeps no more."""

# Hosts that hybrid Exchange routes to, inside one organisation; the mailbox keeps its name.
_ROUTING_SUFFIX = ".mail.onmicrosoft.com"
# Names that no public server has (RFC 6762, RFC 8375, and what companies use).
_PRIVATE_SUFFIXES = (".local", ".internal", ".lan", ".localdomain", ".home.arpa", ".intranet", ".corp")

_FOREVER_MS = 1 << 62

# A redirect keeps the marks of its original, so these say something of mail that was made anew alone.
_MADE_BY_PROGRAMS = frozenset((*NOT_A_FORWARD, "ticket"))

Basis = Literal["message_id", "parent", "body"]
_BODY = -1  # What fingerprints of bodies are multiplied by, so that one dictionary holds both kinds.


class Original(NamedTuple):
    """The incoming mail that a forward was made of."""

    transaction_id: str
    at_ms: int


class Found(NamedTuple):
    """A forward found by pairing, and the fingerprint of its own Message-ID (empty: it has none)."""

    forward: ForwardSeen
    message: str


class PairingFront:
    """
    Sees every mail that was taken, in the order in which it became known, and gives the forwards found.

    A redirect waits for its original if that was not seen yet; what a client made anew cannot have left before it.

    ``next_due_ms`` is the packet time from which on ``due`` has something to look at. ``verdicts`` counts by verdict
    the outgoing mails that had a match, ``judged_early`` those that found no room to wait.
    """

    def __init__(
        self,
        organisation: Organisation,
        *,
        table: Table | None = None,
        limits: Mapping[str, int] | None = None,
    ) -> None:
        bounds = {name: default for name, _, default in LIMITS} | dict(limits or {})
        self._organisation = organisation
        self._owns = organisation.owns if organisation.known else None
        self._table = table or builtin_table()
        self._reply_prefixes = self._table.reply_prefixes
        self._originals = _Originals(bounds["pairing_originals"], bounds["pairing_same_originals"])
        self._waiting: deque[tuple[int, Trace, tuple[str, ...]]] = deque()
        self._max_waiting = max(1, bounds["pairing_waiting"])
        self._stage = Pairing()
        self._states: dict[int, PairingState] = {}
        self._max_states = max(1, bounds["pairing_in_progress"])
        self._wakes: list[tuple[int, int]] = []
        self._found: list[Found] = []
        self.next_due_ms = _FOREVER_MS
        self.judged_early = 0
        self.verdicts: dict[str, int] = {}

    @property
    def forgotten(self) -> int:
        """Fingerprints dropped for want of room before their time."""
        return self._originals.forgotten

    @property
    def ambiguous(self) -> int:
        """Fingerprints dropped as used by too many mails."""
        return self._originals.ambiguous

    def see(
        self, trace: Trace, recipients: Sequence[str], draw: Callable[[int], Transaction] | None, index: int
    ) -> None:
        """
        See a mail that a server took, with those of its *recipients* that took it.

        *draw* gives the mail itself for its *index*, or is none if its marks say all there is to say.
        """
        owns = self._owns
        inside = owns is None
        if owns is not None:
            for address in recipients:
                if owns(address):
                    inside = True
                    break
        # The core makes each fact anew when it is asked for it, so that each mail is asked once.
        message_id, body = trace.message_id, trace.body * _BODY
        if draw is not None and (owns is None or not inside):
            self._see_leaving(trace, message_id, body, draw, index)
        if inside and recipients:
            if message_id:
                self._see_arriving(trace, message_id)
            if body:
                self._see_arriving(trace, body)

    def _see_arriving(self, trace: Trace, key: int) -> None:
        self._originals.add(key, trace)
        if key in self._states:
            self._step(key, self._arrived(key, trace))

    def original(self, trace: Trace, mailbox: str) -> Original | None:
        """The mail to *mailbox* that the forward *trace* was made of, if it is remembered: the last hop before it."""
        for key in (trace.message_id, *trace.parents, trace.body * _BODY):
            arrived = [each for each in self._originals.get(key) if mailbox in each.recipients]
            before = [each for each in arrived if each.at_ms <= trace.at_ms and each is not trace]
            if before:
                latest = max(before, key=lambda each: each.at_ms)
                return Original(latest.transaction_id, latest.at_ms)
        return None

    def due(self, at_ms: int) -> list[Found]:
        """The forwards that can be judged now that packet time has come to *at_ms*."""
        while self._waiting and self._waiting[0][0] <= at_ms:
            self._ask_again(*self._waiting.popleft()[1:])
        while self._wakes and self._wakes[0][0] <= at_ms:
            _, key = heappop(self._wakes)
            self._wake(key, at_ms)
        self._set_due()
        found, self._found = self._found, []
        return found

    def held(self) -> int:
        """How many mails and fingerprints are remembered in all."""
        return len(self._originals) + len(self._waiting) + len(self._states) + len(self._wakes)

    def finish(self) -> list[Found]:
        """The forwards among what still waits: nothing more will come."""
        return self.due(_FOREVER_MS)

    # ---- what leaves

    def _stays(self, address: str) -> bool:
        """True for ours, and for addresses that a mail is routed to inside our own house."""
        organisation = self._organisation
        if not organisation.known:
            return False
        if organisation.owns(address):
            return True
        domain = domain_of(address).rstrip(".")
        return organisation.owns_host(domain) or domain.endswith((_ROUTING_SUFFIX, *_PRIVATE_SUFFIXES))

    def _see_leaving(
        self, trace: Trace, message_id: int, body: int, draw: Callable[[int], Transaction], index: int
    ) -> None:
        unaddressed, match = bool(message_id and trace.unaddressed), None
        if unaddressed or self._originals.holds_any(body, trace.parents):
            match = self._match(trace, self._bases(trace))
        if match is not None:
            transaction = draw(index)
            if match[0] == "message_id" or not self._is_programs(transaction):
                self._depart(trace, *match, transaction)
        elif unaddressed and (self._owns is not None or trace.named):
            self._wait(trace, self._ours_of(_written_to(draw(index))))

    def _is_programs(self, transaction: Transaction) -> bool:
        """True for a mail made anew that says what it is: a ticket system's note on a mail, an automatic reply."""
        shown = judge(transaction, self._organisation, self._table).look_alikes
        if _MADE_BY_PROGRAMS.isdisjoint(shown):
            return False
        self.verdicts["look_alike"] = self.verdicts.get("look_alike", 0) + 1
        return True

    def _bases(self, trace: Trace) -> Iterator[tuple[Basis, int]]:
        """The fingerprints that an original of *trace* may have, the best first."""
        if trace.message_id and trace.unaddressed:
            yield "message_id", trace.message_id
        for parent in trace.parents:
            yield "parent", parent
        if trace.body:
            yield "body", trace.body * _BODY

    def _match(self, trace: Trace, bases: Iterable[tuple[Basis, int]]) -> tuple[Basis, int] | None:
        """The first fingerprint of which an original is remembered that may be one of *trace*: a rough look."""
        for basis, key in bases:
            if any(self._may_be(basis, trace, each) for each in self._originals.get(key)):
                return basis, key
        return None

    def _may_be(self, basis: Basis, trace: Trace, original: Trace) -> bool:
        if original is trace or (basis == "parent" and trace.at_ms - original.at_ms > PARENT_WITHIN_MS):
            return False
        if basis == "message_id" and self._organisation.known:
            return True
        if basis != "message_id" and (original.author in trace.recipients or original.sender in trace.recipients):
            return False
        if basis == "body" and trace.unaddressed and trace.author and trace.author == original.author:
            return True
        delivered_to = original.recipients
        return (
            trace.author in delivered_to
            or trace.sender in delivered_to
            or any(map(delivered_to.__contains__, trace.named))
        )

    def _wait(self, trace: Trace, addressed: tuple[str, ...]) -> None:
        if len(self._waiting) >= self._max_waiting:
            self.judged_early += 1
            self._ask_again(*self._waiting.popleft()[1:])
        self._waiting.append((trace.at_ms + SETTLE_MS, trace, addressed))
        self._set_due()

    def _ask_again(self, trace: Trace, addressed: tuple[str, ...]) -> None:
        """Look for the original of a redirect that left before it came, or so it seemed."""
        match = self._match(trace, (("message_id", trace.message_id),))
        if match is not None:
            self._depart(trace, *match, None, addressed)

    def _depart(
        self, trace: Trace, basis: Basis, key: int, transaction: Transaction | None, addressed: tuple[str, ...] = ()
    ) -> None:
        leg = self._leaving(key, basis, trace, transaction, addressed)
        if not leg.recipients:
            return
        for original in self._originals.get(key):
            self._step(key, self._arrived(key, original))
        self._step(key, leg)

    def _ours_of(self, addresses: Iterable[str]) -> tuple[str, ...]:
        return tuple(filter(self._organisation.owns, addresses))

    # ---- the stage

    def _step(self, key: int, leg: Leg) -> None:
        state = self._states.pop(key, None)
        out = self._stage.step(state, leg)
        if out.state is None:
            return
        if len(self._states) >= self._max_states:
            evicted = next(iter(self._states))
            self._wake(evicted, _FOREVER_MS)
            del self._states[evicted]
        self._states[key] = out.state
        if out.wake_at_ms is not None and leg.side == "out":
            heappush(self._wakes, (out.wake_at_ms, key))
            self._set_due()

    def _wake(self, key: int, at_ms: int) -> None:
        state = self._states.get(key)
        if state is None:
            return
        waiting = [leg for leg in state.leaving if not leg.verdict]
        out = self._stage.wake(state, _fingerprint(key), at_ms)
        for verdict in [leg.verdict for leg in waiting if leg.verdict]:
            self.verdicts[verdict] = self.verdicts.get(verdict, 0) + 1
        messages = {leg.transaction_id: leg.message for leg in waiting}
        for forward in out.derived:
            if isinstance(forward, ForwardSeen):
                self._found.append(Found(forward, messages[forward.transaction_id]))
        if out.wake_at_ms is not None:
            heappush(self._wakes, (out.wake_at_ms, key))

    def _set_due(self) -> None:
        first_waiting = self._waiting[0][0] if self._waiting else _FOREVER_MS
        first_wake = self._wakes[0][0] if self._wakes else _FOREVER_MS
        self.next_due_ms = min(first_waiting, first_wake)

    # ---- legs

    def _arrived(self, key: int, trace: Trace) -> Leg:
        organisation = self._organisation
        recipients = [each for each in trace.recipients if not organisation.known or organisation.owns(each)]
        return Leg(
            id=stable_id("leg", "in", _fingerprint(key), trace.transaction_id),
            at_ms=trace.at_ms,
            transaction_id=trace.transaction_id,
            fingerprint=_fingerprint(key),
            basis="body" if key < 0 else "message_id",
            side="in",
            sender=trace.sender or "",
            author=trace.author or "",
            recipients=tuple(recipients[:MAX_NAMED_RECIPIENTS]),
            octets=trace.octets,
            missing_octets=trace.missing_octets,
        )

    def _leaving(
        self, key: int, basis: Basis, trace: Trace, transaction: Transaction | None, addressed: tuple[str, ...]
    ) -> Leg:
        organisation = self._organisation
        header = transaction.header if transaction is not None else None
        recipients = tuple(each for each in trace.recipients if not self._stays(each))
        unaddressed = frozenset(trace.unaddressed)
        written_to = _written_to(transaction) if transaction is not None else ()
        return Leg(
            id=stable_id("leg", "out", _fingerprint(key), trace.transaction_id),
            at_ms=trace.at_ms,
            transaction_id=trace.transaction_id,
            fingerprint=_fingerprint(key),
            basis=basis,
            side="out",
            sender=trace.sender or "",
            author=trace.author or "",
            message=message_key(trace.message_id or trace.body),
            recipients=recipients,
            unaddressed=tuple(each for each in recipients if each in unaddressed),
            written_to=written_to,
            addressed=addressed or self._ours_of(written_to),
            named=tuple(trace.named),
            from_ours=organisation.owns(trace.author or trace.sender or ""),
            is_reply=header is not None and split_subject(header.subject)[0] in self._reply_prefixes,
            needs_sign=not organisation.known,
            octets=trace.octets,
            missing_octets=trace.missing_octets,
            actor=sightings.actor_of(transaction) if transaction is not None else Actor(),
            lines=_lines(basis, transaction),
        )


class _Originals:
    """Incoming mails by fingerprint, in two generations. A fingerprint of too many mails is kept as an empty list."""

    def __init__(self, most: int, most_of_one: int) -> None:
        self._young: dict[int, Trace | list[Trace]] = {}
        self._old: dict[int, Trace | list[Trace]] = {}
        self._rotate_at_ms = -_FOREVER_MS
        self._max_generation = max(1, most // 2)
        self._max_of_one = max(1, most_of_one)
        self.forgotten = 0
        self.ambiguous = 0

    def add(self, key: int, trace: Trace) -> None:
        """Remember *trace* under *key*, and of what the old generation holds that it was seen again."""
        known = self._young.get(key)
        if known is None:
            if self._old:
                known = self._old.pop(key, None)
            if len(self._young) >= self._max_generation or trace.at_ms > self._rotate_at_ms:
                self._rotate(trace.at_ms)
        self._young[key] = trace if known is None else self._joined(known, trace)

    def holds_any(self, key: int, keys: Iterable[int]) -> bool:
        """True if *key* or one of *keys* is known."""
        young, old = self._young, self._old
        if key in young or key in old:
            return True
        for each in keys:  # noqa: SIM110 - a third of the time of any() where most mails have none
            if each in young or each in old:
                return True
        return False

    def get(self, key: int) -> Sequence[Trace]:
        """The mails of *key*; none for a fingerprint that is 0, unknown or ambiguous."""
        if not key:
            return ()
        known = self._young.get(key) or self._old.get(key)
        if known is None:
            return ()
        return known if isinstance(known, list) else (known,)

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def _joined(self, known: Trace | list[Trace], trace: Trace) -> list[Trace]:
        if not isinstance(known, list):
            return [known, trace]
        if known and len(known) >= self._max_of_one:
            self.ambiguous += 1
            known.clear()
        elif known:
            known.append(trace)
        return known

    def _rotate(self, at_ms: int) -> None:
        if at_ms <= self._rotate_at_ms:
            self.forgotten += len(self._old)
        # The first mail of all only starts the clock.
        if self._young:
            self._old, self._young = self._young, {}
        self._rotate_at_ms = at_ms + WINDOW_MS


def message_key(message_id: int) -> str:
    """The fingerprint of a Message-ID as the ledger tells copies apart by; empty for none."""
    return f"{message_id:016x}" if message_id else ""


def _written_to(transaction: Transaction) -> tuple[str, ...]:
    """All that To and Cc name, in lower case."""
    header = transaction.header
    return tuple(each.lower() for each in (*header.to, *header.cc)) if header is not None else ()


def _fingerprint(key: int) -> str:
    """A fingerprint as legs are keyed by."""
    return f"b{-key:016x}" if key < 0 else f"m{key:016x}"


def _lines(basis: Basis, transaction: Transaction | None) -> tuple[Artifact, ...]:
    """What the copy has in common with its original, as evidence."""
    header = transaction.header if transaction is not None else None
    if transaction is None or header is None:
        return ()
    if basis == "body":
        return (Artifact(slug="paired_body", field="body digest", value=transaction.body_digest or ""),)
    if basis == "message_id":
        return (Artifact(slug="paired_message_id", field="Message-ID", value=f"<{header.message_id}>"),)
    parent = header.in_reply_to or next(reversed(header.references), "")
    return (Artifact(slug="paired_parent", field="In-Reply-To or References", value=f"<{parent}>" if parent else ""),)
