"""
Pairing: a mail that came in to a mailbox and the same mail that left it, where no mark says that one is the other.

A stage before the detectors: it takes ``Leg`` events under the fingerprint they share and derives ``ForwardSeen`` of
the cell "paired". An outgoing leg is judged when no incoming one is to be expected any more (``SETTLE_MS``), by all
legs of its fingerprint, so their order does not matter.

**Whose forward is it.** A mail that names the mailbox it came through (ORCPT, Resent-From, Delivered-To), or bears its
address as reverse-path or author, belongs to it, if the mail was delivered there. Without such a sign only a stranger's
mail can be attributed, and only if one single mailbox of ours got it and To and Cc name no other: what came to that one
may have gone unseen. Mail of ours to somebody inside and somebody
outside at once is one mail with two recipients.

**What tells that the legs are one mail.**

- The same Message-ID: a redirect. Its recipient stands neither in To nor Cc, or the sender had written to it himself.
- A new Message-ID and the original's as parent: a client's rule. So is a reply, and a forward by hand: the original's
  author must not be written to, the subject be no reply's, the mail as large as the original at least by half, and
  leave ``PARENT_WITHIN_MS`` after it, sooner than people read, decide and write. It stays weak evidence.
- The same body under a new Message-ID: a client's rule that sends anew, or a relay that writes the header section
  anew. Bodies are alike by chance or by template, so the mail must bear the mailbox's sign, the sizes agree, and the
  original not be older than ``BODY_WITHIN_MS``. Where no sign is left, it may still have the original's author and be
  addressed to the mailbox, alone of ours, while none of its recipients is: that is the original, sent on.

**What is none.** More than ``MAX_FAN_OUT`` destinations of one mailbox: a list or a group. The same destinations again:
a further hop. A fingerprint of more legs than are kept is no fingerprint (templates, and whoever reuses Message-IDs to
confuse us): incoming legs beyond ``MAX_IN`` leave only mail with a sign to be paired, outgoing ones beyond ``MAX_OUT``
none at all.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Literal, TypeVar

import msgspec

from sensor.detect.base import DAY_MS, MAX_BLOB_OCTETS, BlobError, BlobTooLargeError, Out
from sensor.detect.events import DetectorEvent, ForwardSeen, Leg, stable_id
from sensor.model import Actor, Artifact, Evidence

SETTLE_MS = 60_000
"""How long an outgoing leg waits: several taps and the hops of a gateway show one mail within seconds."""
WINDOW_MS = 3 * DAY_MS
"""How old an original may be: a client that was closed over the weekend works off Friday's mail on Monday."""
PARENT_WITHIN_MS = 120_000
"""A new mail about the original that leaves so soon was not written by a person; a polling client takes a minute."""
BODY_WITHIN_MS = DAY_MS
MAX_SIZE_DIFFERENCE = 16_384
"""Octets by which mails of one body may differ: their header sections."""

MAX_IN = 8
MAX_OUT = 12
MAX_FAN_OUT = 3
MAX_SIGNS = 4
MAX_MARKED_RECIPIENTS = 128
MAX_MARKED_ADDRESSES = 32
MAX_ADDRESS_OCTETS = 254
"""RFC 5321 4.5.3.1.3: a path has 256 octets, brackets included. Longer addresses are left out."""
MAX_LINES = 1
MAX_MESSAGE_CHARS = 32

Verdict = Literal["paired", "hop", "answer", "own", "late", "ambiguous", "list", "crowded"]
"""
What became of an outgoing leg. "answer": it goes to the original's sender, or is not enough to be a copy. "own": of
mail that one of ours wrote. "late": the original is too old, or came later. "ambiguous": nothing tells whose it is.
"""

_VERSION = b"\x01"


class _In(msgspec.Struct, array_like=True):
    """An incoming leg. ``sender`` and the rest are marks of addresses; ``only`` is the recipient, if it is one."""

    at_ms: int
    id: str
    transaction_id: str
    sender: int
    author: int
    recipients: list[int]
    only: str
    octets: int | None


class _Leaving(msgspec.Struct, array_like=True):
    """
    An outgoing leg: ``signs`` are whom it may be of, best first, ``answers`` the marks of all it is written to.
    ``still_to`` are those it is addressed to, where that is none of its recipients and only its body is known.
    """

    at_ms: int
    id: str
    transaction_id: str
    message: str
    basis: Literal["message_id", "parent", "body"]
    destinations: list[str]
    recipients: list[int]
    answers: list[int]
    signs: list[str]
    from_ours: bool
    is_reply: bool
    needs_sign: bool
    octets: int | None
    missing_octets: int
    actor: Actor
    lines: tuple[Artifact, ...]
    verdict: str = ""
    author: int = 0
    addressed: list[int] = []
    still_to: list[str] = []


class PairingState(msgspec.Struct):
    """The legs of one fingerprint, earliest first; ``crowded_in`` and ``crowded_out`` where some found no room."""

    fingerprint: str
    last_ms: int
    arrived: list[_In] = []
    leaving: list[_Leaving] = []
    crowded_in: bool = False
    crowded_out: bool = False
    told: list[str] = []


class Pairing:
    """The stage. It keeps nothing itself; see the module for what it pairs."""

    name = "pairing"
    version = 1
    ttl_ms = WINDOW_MS + SETTLE_MS
    lateness_ms = SETTLE_MS
    needs_timers = True
    derives = True

    def key(self, event: DetectorEvent) -> str | None:
        return event.fingerprint if isinstance(event, Leg) else None

    def step(self, state: PairingState | None, event: DetectorEvent) -> Out[PairingState]:
        if not isinstance(event, Leg):
            return Out(state)
        if state is None or event.at_ms - state.last_ms > self.ttl_ms:
            state = PairingState(fingerprint=event.fingerprint, last_ms=event.at_ms)
        elif state.last_ms - event.at_ms > self.ttl_ms:
            return Out(state, wake_at_ms=_next_wake(state))
        state.last_ms = max(state.last_ms, event.at_ms)
        if event.side == "in":
            state.crowded_in |= _keep(state.arrived, _arrived(event), MAX_IN)
        else:
            state.crowded_out |= _keep(state.leaving, _leaving(event), MAX_OUT)
        return Out(state, wake_at_ms=_next_wake(state))

    def wake(self, state: PairingState, key: str, at_ms: int) -> Out[PairingState]:
        due = [leg for leg in state.leaving if not leg.verdict and leg.at_ms + SETTLE_MS <= at_ms]
        derived = tuple(forward for leg in due if (forward := _judge(state, leg)) is not None)
        return Out(state, derived=derived, wake_at_ms=_next_wake(state))

    def last_ms(self, state: PairingState) -> int:
        return state.last_ms

    def encode(self, state: PairingState) -> bytes:
        blob = _VERSION + msgspec.msgpack.encode(state)
        if len(blob) > MAX_BLOB_OCTETS:
            raise BlobTooLargeError(f"{len(blob)} octets")
        return blob

    def decode(self, blob: bytes) -> PairingState:
        if blob[:1] != _VERSION:
            raise BlobError("not a state of pairing, or of a later version")
        try:
            return msgspec.msgpack.decode(blob[1:], type=PairingState)
        except msgspec.DecodeError as error:
            raise BlobError(str(error)) from None


# ---- from legs to what is kept of them

Kept = TypeVar("Kept", _In, _Leaving)


def _keep(legs: list[Kept], leg: Kept, most: int) -> bool:
    """Put *leg* in its place, each once; true if the last one had to go. The earliest stay, whatever came first."""
    if any(each.id == leg.id for each in legs):
        return False
    insort(legs, leg, key=_place)
    if len(legs) <= most:
        return False
    legs.pop()
    return True


def _place(leg: _In | _Leaving) -> tuple[int, str]:
    return leg.at_ms, leg.id


def _arrived(leg: Leg) -> _In:
    recipients = leg.recipients
    return _In(
        at_ms=leg.at_ms,
        id=leg.id,
        transaction_id=leg.transaction_id,
        sender=_mark(leg.sender),
        author=_mark(leg.author),
        recipients=_marks(recipients, MAX_MARKED_RECIPIENTS),
        only=recipients[0] if len(recipients) == 1 and _fits(recipients[0]) else "",
        octets=leg.octets,
    )


def _leaving(leg: Leg) -> _Leaving:
    own = (leg.sender,) if leg.basis == "message_id" else (leg.author, leg.sender)
    signs = (*leg.named, *own) if leg.basis == "message_id" else (*own, *leg.named)
    destinations = leg.unaddressed if leg.basis == "message_id" else leg.recipients
    return _Leaving(
        at_ms=leg.at_ms,
        id=leg.id,
        transaction_id=leg.transaction_id,
        message=leg.message[:MAX_MESSAGE_CHARS],
        basis=leg.basis,
        # One more than a forward has, so that a list shows.
        destinations=sorted(filter(_fits, destinations))[: MAX_FAN_OUT + 1],
        recipients=_marks(leg.recipients, MAX_MARKED_ADDRESSES),
        answers=_marks((*leg.recipients, *leg.written_to), MAX_MARKED_ADDRESSES),
        signs=[sign for sign in dict.fromkeys(signs) if sign and _fits(sign)][:MAX_SIGNS],
        from_ours=leg.from_ours,
        is_reply=leg.is_reply,
        needs_sign=leg.needs_sign,
        octets=leg.octets,
        missing_octets=leg.missing_octets,
        actor=_short_actor(leg.actor),
        lines=tuple(line for line in leg.lines if _fits(line.slug + line.field + line.value))[:MAX_LINES],
        author=_mark(leg.author),
        addressed=_marks(leg.addressed, MAX_MARKED_ADDRESSES),
        still_to=_still_to(leg),
    )


def _still_to(leg: Leg) -> list[str]:
    if leg.basis != "body" or set(leg.unaddressed) != set(leg.recipients):
        return []
    return sorted(filter(_fits, set(leg.written_to)))[:MAX_SIGNS]


def _mark(address: str) -> int:
    """64 bits of an address, 0 for none: enough to compare by."""
    if not address:
        return 0
    return int.from_bytes(blake2b(address.encode("utf-8", "surrogatepass"), digest_size=8).digest())


def _marks(addresses: Iterable[str], most: int) -> list[int]:
    return [_mark(address) for address in sorted(set(addresses))[:most]]


def _fits(text: str) -> bool:
    return len(text.encode("utf-8", "surrogatepass")) <= MAX_ADDRESS_OCTETS


def _short_actor(actor: Actor) -> Actor:
    def kept(text: str | None) -> str | None:
        return text if text is not None and _fits(text) else None

    return Actor(
        auth_user=kept(actor.auth_user),
        helo=kept(actor.helo),
        client_ip=kept(actor.client_ip),
        server_ip=kept(actor.server_ip),
    )


# ---- judging


def _next_wake(state: PairingState) -> int | None:
    return min((leg.at_ms + SETTLE_MS for leg in state.leaving if not leg.verdict), default=None)


def _judge(state: PairingState, leg: _Leaving) -> ForwardSeen | None:
    """Give *leg* its verdict; the forward, if it is one."""
    if state.crowded_out:
        leg.verdict = "crowded"
        return None
    mailbox, original, leg.verdict = _attribute(state, leg)
    if mailbox is None or original is None:
        return None
    if _destinations_of(state, mailbox) > MAX_FAN_OUT:
        leg.verdict = "list"
        return None
    forward = _forward(state.fingerprint, leg, mailbox, original)
    if forward.id in state.told:
        leg.verdict = "hop"
        return None
    state.told = [*state.told, forward.id][-MAX_OUT:]
    return forward


def _attribute(state: PairingState, leg: _Leaving) -> tuple[str | None, _In | None, Verdict]:
    """Whose forward *leg* is, and of which original; or why it is none."""
    if not leg.destinations:
        return None, None, "answer"
    arrived = [each for each in state.arrived if each.transaction_id != leg.transaction_id]
    in_time = [each for each in arrived if _in_time(each, leg)]
    if not in_time:
        return None, None, "late"
    copies = [each for each in in_time if _is_copy(each, leg)]
    if not copies:
        return None, None, "answer"
    for sign in leg.signs:
        mark = _mark(sign)
        theirs = [each for each in copies if mark in each.recipients and each.author != mark]
        if theirs and mark not in leg.recipients:
            return sign, _latest(theirs, leg.at_ms), "paired"
    kept = [each for each in copies if leg.author and each.author == leg.author]
    still = [address for address in leg.still_to if any(_mark(address) in each.recipients for each in kept)]
    if len(still) == 1:
        return still[0], _latest([each for each in kept if _mark(still[0]) in each.recipients], leg.at_ms), "paired"
    if leg.from_ours:
        return None, None, "own"
    mailbox = _only_reader(state, leg, copies)
    return (mailbox, _latest(copies, leg.at_ms), "paired") if mailbox else (None, None, "ambiguous")


def _only_reader(state: PairingState, leg: _Leaving, copies: Sequence[_In]) -> str | None:
    """The one mailbox of ours that a redirected mail was for, as far as was seen, if there is one."""
    if leg.basis != "message_id" or leg.needs_sign or state.crowded_in:
        return None
    only = {each.only for each in copies}
    is_one = len(only) == 1 and {_mark(each) for each in only}.issuperset(leg.addressed)
    return only.pop() if is_one else None


def _in_time(arrived: _In, leg: _Leaving) -> bool:
    """Packet times of two taps differ by a little; beyond that the original comes first."""
    within = {"message_id": WINDOW_MS, "parent": PARENT_WITHIN_MS, "body": BODY_WITHIN_MS}[leg.basis]
    return -SETTLE_MS <= leg.at_ms - arrived.at_ms <= within


def _is_copy(arrived: _In, leg: _Leaving) -> bool:
    """False for an answer to the original's sender, and for what is too small or too different to hold the original."""
    senders = {arrived.sender, arrived.author} - {0}
    if leg.basis == "message_id":
        return senders.isdisjoint(leg.recipients)
    if not senders.isdisjoint(leg.answers):
        return False
    if leg.basis == "parent":
        return not leg.is_reply and _holds(leg.octets, arrived.octets)
    return _agree(leg.octets, arrived.octets)


def _holds(octets: int | None, original: int | None) -> bool:
    return octets is None or original is None or 2 * octets >= original


def _agree(octets: int | None, original: int | None) -> bool:
    return octets is None or original is None or abs(octets - original) <= MAX_SIZE_DIFFERENCE


def _latest(arrived: Sequence[_In], at_ms: int) -> _In:
    """The last one before *at_ms*, since hops come one after the other; the first, if all came later."""
    before = [each for each in arrived if each.at_ms <= at_ms]
    return max(before, key=_place) if before else min(arrived, key=_place)


def _destinations_of(state: PairingState, mailbox: str) -> int:
    """To how many the mail went on from *mailbox*, as far as its legs are known."""
    legs = [each for each in state.leaving if _attribute(state, each)[0] == mailbox]
    return len({address for each in legs for address in each.destinations})


def _forward(fingerprint: str, leg: _Leaving, mailbox: str, original: _In) -> ForwardSeen:
    evidence: Evidence = "weak" if leg.basis == "parent" else "strong"
    destinations = tuple(leg.destinations)
    return ForwardSeen(
        id=stable_id("paired", fingerprint, mailbox, *destinations),
        at_ms=leg.at_ms,
        transaction_id=leg.transaction_id,
        mailbox=mailbox,
        cell="paired",
        destinations=destinations,
        outside=destinations,
        direction="unknown" if leg.needs_sign else "outbound",
        level="unknown",
        evidence=evidence,
        octets=leg.octets,
        missing_octets=leg.missing_octets,
        original_id=original.transaction_id,
        original_at_ms=original.at_ms,
        actor=leg.actor,
        lines=(*leg.lines, _beside(leg, original)),
    )


def _beside(leg: _Leaving, original: _In) -> Artifact:
    """The original as a line of evidence: alone, a copy without marks shows nothing."""
    before_s = (leg.at_ms - original.at_ms) / 1000
    when = f"{before_s:,.1f} s before" if before_s >= 0 else f"seen {-before_s:,.1f} s after"
    value = f"transaction {original.transaction_id}, {when}"
    return Artifact(slug=f"paired_{leg.basis}", field="Original", value=value)
