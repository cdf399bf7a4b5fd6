"""
An account as one blob, and back: a version octet, then MessagePack.

What is read back may be damaged, foreign, or of another version. A later version is refused, since what it says can't
be known; an earlier one is read, its missing fields being those that were added since. Anything else is damage.
"""

from __future__ import annotations

from array import array
from itertools import pairwise
from typing import Annotated, Literal

import msgspec

from sensor.ledger.mailbox import (
    CELLS,
    EVIDENCE,
    LEVELS,
    REACHES,
    Account,
    Destination,
    Forwards,
    Room,
)
from sensor.ledger.timeline import FIRST_WIDTH_MS, MAX_BUCKETS, Timeline
from sensor.ledger.windows import WindowedCount, within_time

VERSION = 1

MAX_BLOB_OCTETS = 512 * 1024
"""Beyond what 200 destinations with names of 320 characters and full logs take."""

BlobFault = Literal["empty", "of_a_later_version", "too_large", "damaged"]

_Number = Annotated[int, msgspec.Meta(ge=0, le=1 << 62)]
_Time = Annotated[int, msgspec.Meta(ge=within_time(-(1 << 63)), le=within_time(1 << 63))]


class _Destination(msgspec.Struct, array_like=True, frozen=True):
    name: str
    count: _Number
    octets: _Number
    first_seen_ms: _Time
    last_seen_ms: _Time
    is_outside: bool


class _Forwards(msgspec.Struct, array_like=True, frozen=True):
    cells: Annotated[list[_Number], msgspec.Meta(min_length=len(CELLS), max_length=len(CELLS))]
    counts: dict[Annotated[int, msgspec.Meta(ge=0, lt=len(CELLS) * REACHES)], bytes]
    attempts: _Number
    first_seen_ms: _Time
    last_seen_ms: _Time
    destinations: list[_Destination]
    domains: list[_Destination]
    other_destinations: _Number
    other_domains: _Number
    levels: Annotated[int, msgspec.Meta(ge=0, lt=1 << len(LEVELS))]
    evidence: Annotated[int, msgspec.Meta(ge=0, lt=len(EVIDENCE))]
    slugs: dict[str, _Number]
    width_ms: Annotated[int, msgspec.Meta(ge=FIRST_WIDTH_MS, le=FIRST_WIDTH_MS << 32)]
    buckets: Annotated[list[tuple[_Time, _Number, _Number, _Number, _Number]], msgspec.Meta(max_length=MAX_BUCKETS)]


class _Account(msgspec.Struct, array_like=True, frozen=True):
    since_ms: _Time
    received: bytes | None
    sent: bytes | None
    forwards: _Forwards | None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Account)


def encode(account: Account) -> bytes:
    """The account as a blob; the same counts give the same octets."""
    written = _Account(
        since_ms=account.since_ms,
        received=account.in_.to_octets() if account.in_ is not None else None,
        sent=account.out.to_octets() if account.out is not None else None,
        forwards=_written(account.forwards) if account.forwards is not None else None,
    )
    return bytes((VERSION,)) + _encoder.encode(written)


def decode(blob: bytes, room: Room) -> Account | BlobFault:
    """The account that a blob holds, its destinations in *room*; or what is wrong with the blob."""
    if not blob:
        return "empty"
    if blob[0] > VERSION:
        return "of_a_later_version"
    if len(blob) > MAX_BLOB_OCTETS:
        return "too_large"
    if blob[0] == 0:
        return "damaged"
    try:
        return _account(_decoder.decode(memoryview(blob)[1:]), room)
    except (msgspec.DecodeError, ValueError):
        return "damaged"


def _written(forwards: Forwards) -> _Forwards:
    return _Forwards(
        cells=list(forwards.cells),
        counts={key: count.to_octets() for key, count in sorted(forwards.counts.items())},
        attempts=forwards.attempts,
        first_seen_ms=forwards.first_seen_ms,
        last_seen_ms=forwards.last_seen_ms,
        destinations=_destinations(forwards.destinations),
        domains=_destinations(forwards.domains),
        other_destinations=forwards.other_destinations,
        other_domains=forwards.other_domains,
        levels=sum(1 << LEVELS.index(level) for level in forwards.levels),
        evidence=EVIDENCE.index(forwards.evidence),
        slugs=dict(sorted(forwards.slugs.items())),
        width_ms=forwards.timeline.width_ms,
        buckets=list(forwards.timeline),
    )


def _destinations(kept: dict[str, Destination]) -> list[_Destination]:
    """Those with the most forwards first: a ledger with less room reads back those."""
    return [
        _Destination(name, each.count, each.octets, each.first_seen_ms, each.last_seen_ms, each.is_outside)
        for name, each in sorted(kept.items(), key=lambda item: (-item[1].count, item[0]))
    ]


def _account(read: _Account, room: Room) -> Account:
    account = Account(read.since_ms)
    account.in_ = WindowedCount.from_octets(read.received) if read.received is not None else None
    account.out = WindowedCount.from_octets(read.sent) if read.sent is not None else None
    if read.forwards is not None:
        account.forwards = _forwards(read.forwards, room)
    return account


def _forwards(read: _Forwards, room: Room) -> Forwards:
    """What a mailbox forwarded. Places in *room* are taken last, when nothing can fail any more."""
    forwards = Forwards(read.first_seen_ms)
    forwards.last_seen_ms = read.last_seen_ms
    forwards.cells = list(read.cells)
    forwards.counts = {key: WindowedCount.from_octets(octets) for key, octets in read.counts.items()}
    forwards.attempts = read.attempts
    forwards.other_destinations = read.other_destinations
    forwards.other_domains = read.other_domains
    forwards.levels = {level for number, level in enumerate(LEVELS) if read.levels >> number & 1}
    forwards.evidence = EVIDENCE[read.evidence]
    forwards.slugs = dict(read.slugs)
    forwards.timeline = _timeline(read)
    forwards.other_destinations += _read_destinations(read.destinations, forwards.destinations, room)
    forwards.other_domains += _read_destinations(read.domains, forwards.domains, room)
    return forwards


def _timeline(read: _Forwards) -> Timeline:
    """Raises ``ValueError`` for buckets that are out of order or off their width."""
    starts = [bucket[0] for bucket in read.buckets]
    if any(later <= earlier for earlier, later in pairwise(starts)):
        raise ValueError("buckets out of order")
    if any(start % read.width_ms for start in starts):
        raise ValueError("a bucket off its width")
    return Timeline(array("q", [word for bucket in read.buckets for word in bucket]), read.width_ms)


def _read_destinations(read: list[_Destination], kept: dict[str, Destination], room: Room) -> int:
    """Take as many as there is room for; the forwards to those that find none."""
    other = 0
    for each in read:
        if each.name in kept or not room.take(each.name, len(kept)):
            other += each.count
            continue
        destination = kept[each.name] = Destination(each.first_seen_ms, is_outside=each.is_outside)
        destination.count, destination.octets = each.count, each.octets
        destination.last_seen_ms = each.last_seen_ms
    return other
