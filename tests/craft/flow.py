"""A dialogue cut into TCP segments as two honest stacks send them, and everything a span port then does to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from ipaddress import ip_address
from itertools import pairwise
from typing import Any, Literal, NamedTuple, Self

from tests.craft.dialogue import Dialogue, Side

FIN, SYN, RST, PSH, ACK, URG = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
EPOCH_NS = 1_767_225_600_000_000_000
"""2026-01-01T00:00:00Z, when every made capture begins."""
MODULUS = 1 << 32

Acks = Literal["delayed", "every", "none"]


class Endpoint(NamedTuple):
    """Address and port; the address may be IPv4 or IPv6."""

    address: str
    port: int

    @property
    def packed(self) -> bytes:
        """The address in network order: 4 or 16 octets."""
        return _packed(self.address)


@lru_cache(maxsize=4096)
def _packed(address: str) -> bytes:
    return ip_address(address).packed


CLIENT = Endpoint("192.0.2.10", 40000)
SERVER = Endpoint("198.51.100.25", 25)
CLIENT6 = Endpoint("2001:db8:a::10", 40000)
SERVER6 = Endpoint("2001:db8:b::25", 25)


class Segment(NamedTuple):
    """One TCP segment with its packet time. `name` is `c1`, `s1` ... for those with payload, else what it is."""

    at_ns: int
    source: Endpoint
    destination: Endpoint
    seq: int
    ack: int
    flags: int
    payload: bytes
    name: str
    side: Side
    window: int = 64240
    options: bytes = b""
    checksum_error: int = 0
    """XORed into the right checksum: 0 leaves it right."""


Selector = str | bytes | int | Callable[[Segment], bool]
"""Which segment: its name, octets that its payload holds (the first that does), its index, or a test."""


class Flow:
    """
    The segments of one connection in the order in which the span port shows them.

    Every method that changes something returns the flow itself and leaves a line in `faults`, for the case's README.
    Where order changes, packet times stay in file order, as a capture machine stamps what it gets when it gets it.
    """

    def __init__(self, segments: list[Segment], dialogues: list[Dialogue], faults: list[str] | None = None) -> None:
        self.segments = segments
        self.dialogues = dialogues
        self.faults = faults if faults is not None else []

    def copy(self) -> Flow:
        """The same segments in a flow of their own, since the methods below change the one they are called on."""
        return Flow(list(self.segments), list(self.dialogues), list(self.faults))

    # ---- finding

    def index(self, which: Selector) -> int:
        """Place of the segment *which* names; LookupError if there is none, so that no test misses silently."""
        if isinstance(which, int):
            return range(len(self.segments))[which]
        for place, segment in enumerate(self.segments):
            if _matches(segment, which):
                return place
        raise LookupError(f"no segment {which!r} in {[segment.name for segment in self.segments]}")

    def __getitem__(self, which: Selector) -> Segment:
        return self.segments[self.index(which)]

    def payload_segments(self, side: Side | None = None) -> list[Segment]:
        """Those with payload, of *side* or of both."""
        return [segment for segment in self.segments if segment.payload and side in (None, segment.side)]

    # ---- loss

    def lose(self, *which: Selector) -> Self:
        """The span never shows these segments; the endpoints had them (the ACKs stay)."""
        for one in which:
            gone = self.segments.pop(self.index(one))
            self._note(f"{gone.name} lost ({len(gone.payload)} octets, {_who(gone)})")
        return self

    def only(self, side: Side) -> Self:
        """One direction is mirrored, the other is not."""
        self.segments = [segment for segment in self.segments if segment.side == side]
        return self._note(f"only the {'client' if side == 'c' else 'server'} side is mirrored")

    def since(self, which: Selector) -> Self:
        """The capture starts with this segment."""
        place = self.index(which)
        name = self.segments[place].name
        del self.segments[:place]
        return self._note(f"the capture starts at {name}")

    def until(self, which: Selector) -> Self:
        """The capture ends before this segment."""
        place = self.index(which)
        name = self.segments[place].name
        del self.segments[place:]
        return self._note(f"the capture ends before {name}")

    # ---- order and repetition

    def swap(self, first: Selector, second: Selector) -> Self:
        """Two segments change places."""
        one, other = self.index(first), self.index(second)
        order = list(self.segments)
        order[one], order[other] = order[other], order[one]
        self.arrange(order)
        return self._note(f"{order[other].name} and {order[one].name} change places")

    def move(self, which: Selector, before: Selector) -> Self:
        """*which* is shown right before another segment."""
        order = list(self.segments)
        moved = order.pop(self.index(which))
        target = self[before]
        order.insert(order.index(target), moved)
        self.arrange(order)
        return self._note(f"{moved.name} shown before {target.name}")

    def arrange(self, order: list[Segment]) -> Self:
        """The segments in *order*, with the packet times they had, ascending. Leaves no note."""
        times = sorted(segment.at_ns for segment in order)
        self.segments = [segment._replace(at_ns=at) for segment, at in zip(order, times, strict=True)]
        return self

    def repeat(self, which: Selector, *, after_ms: float = 200.0, times: int = 1) -> Self:
        """The segment comes again, later: a retransmission, or the span's own duplicate when *after_ms* is tiny."""
        segment = self[which]
        for count in range(1, times + 1):
            self._insert(segment._replace(at_ns=segment.at_ns + int(count * after_ms * 1e6)))
        return self._note(f"{segment.name} comes {times} more time{'s' if times > 1 else ''}")

    def delay(self, which: Selector, by_ms: float) -> Self:
        """The span shows the segment this much later."""
        place = self.index(which)
        segment = self.segments.pop(place)
        self._insert(segment._replace(at_ns=segment.at_ns + int(by_ms * 1e6)))
        return self._note(f"{segment.name} shown {by_ms:g} ms late")

    # ---- shape

    def cut(self, which: Selector, *at: int) -> Self:
        """One segment becomes several, cut at these payload offsets; they are called `c1.0`, `c1.1` ..."""
        place = self.index(which)
        self.segments[place : place + 1] = _pieces(self.segments[place], at)
        return self._note(f"{self.segments[place].name.split('.')[0]} cut at {', '.join(map(str, at))}") if at else self

    def cut_all(self, size: int) -> Self:
        """Every payload in pieces of *size* octets."""
        cut: list[Segment] = []
        for segment in self.segments:
            cut += _pieces(segment, range(size, len(segment.payload), size))
        self.segments = cut
        return self._note(f"every segment carries at most {size} octet{'s' if size > 1 else ''}")

    def alter(self, which: Selector, **changes: Any) -> Self:
        """Replaces fields of a segment (`seq`, `payload`, `flags` ...) without a care for the rest."""
        place = self.index(which)
        self.segments[place] = self.segments[place]._replace(**changes)
        return self._note(f"{self.segments[place].name}: {', '.join(changes)} altered")

    def overlap(self, which: Selector, payload: bytes, *, offset: int = 0, after_ms: float = 0.1) -> Self:
        """A segment with *payload* at *offset* of an existing one's sequence space follows it, or precedes it."""
        segment = self[which]
        new = segment._replace(
            at_ns=segment.at_ns + int(after_ms * 1e6),
            seq=(segment.seq + offset) % MODULUS,
            payload=payload,
            name=f"{segment.name}.overlap",
        )
        self._insert(new, before=after_ms < 0)
        return self._note(f"{new.name}: {len(payload)} octets laid over {segment.name} at {offset}")

    def insert(self, segment: Segment) -> Self:
        """One more segment, placed by its time."""
        self._insert(segment)
        return self._note(f"{segment.name} inserted")

    def bad_checksums(self, side: Side | None = None) -> Self:
        """Wrong TCP checksums, as checksum offload leaves them in a capture made on the sending host."""
        self.segments = [
            segment._replace(checksum_error=0x5A5A) if side in (None, segment.side) else segment
            for segment in self.segments
        ]
        return self._note("TCP checksums are wrong")

    # ---- joining

    def then(self, later: Flow, after_s: float = 1.0) -> Self:
        """*later* follows when this flow is over, *after_s* seconds after its last segment."""
        shift = self.segments[-1].at_ns + int(after_s * 1e9) - later.segments[0].at_ns
        self.segments += [segment._replace(at_ns=segment.at_ns + shift) for segment in later.segments]
        return self._join(later)

    def beside(self, *others: Flow) -> Self:
        """The flows at the same time, their segments interleaved by packet time."""
        for other in others:
            self.segments = sorted([*self.segments, *other.segments], key=_by_time)
            self._join(other)
        return self

    def _join(self, other: Flow) -> Self:
        self.dialogues = [*self.dialogues, *other.dialogues]
        self.faults = [*self.faults, *other.faults]
        return self

    def _insert(self, segment: Segment, *, before: bool = False) -> None:
        place = next(
            (
                at
                for at, held in enumerate(self.segments)
                if held.at_ns > segment.at_ns or (before and held.at_ns == segment.at_ns)
            ),
            len(self.segments),
        )
        self.segments.insert(place, segment)

    def _note(self, text: str) -> Self:
        self.faults = [*self.faults, text]
        return self

    def story(self) -> str:
        """What was said and what the span did to it."""
        told = "\n\n".join(dialogue.transcript() for dialogue in self.dialogues)
        return told + "".join(f"\n-- {fault}" for fault in self.faults)


def flow_of(
    dialogue: Dialogue,
    *,
    client: Endpoint = CLIENT,
    server: Endpoint = SERVER,
    port: int | None = None,
    isn: tuple[int, int] = (1_000_000, 7_000_000),
    mss: int = 1460,
    handshake: bool = True,
    close: Literal["fin", "rst"] | None = "fin",
    acks: Acks = "delayed",
    start_s: float = 0.0,
    step_ms: float = 0.5,
) -> Flow:
    """
    The segments of *dialogue* between two honest stacks, *step_ms* apart.

    *isn* holds the initial sequence numbers of client and server, *port* is the server's. ``close="fin"`` ends with a
    FIN of each side, unless the dialogue closed by itself; None leaves it open, as when the capture ends first.
    """
    if port is not None:
        server = Endpoint(server.address, port)
    wire = _Wire((client, server), isn, mss, acks, EPOCH_NS + int(start_s * 1e9), int(step_ms * 1e6))
    if handshake:
        wire.handshake()
    else:
        wire.next = [(isn[0] + 1) % MODULUS, (isn[1] + 1) % MODULUS]
    for place, turn in enumerate(dialogue.turns):
        wire.now += int(turn.after_ms * 1e6)
        following = dialogue.turns[place + 1] if place + 1 < len(dialogue.turns) else None
        answered = following is not None and following.side != turn.side and not following.after_ms
        wire.play(turn.side, turn.act, turn.octets, answered=answered)
    if close is not None and not wire.closed:
        wire.close(close)
    return Flow(wire.segments, [dialogue])


class _Wire:
    """The state of both stacks while a dialogue plays: next sequence number of each, what each has acknowledged."""

    def __init__(
        self, ends: tuple[Endpoint, Endpoint], isn: tuple[int, int], mss: int, acks: Acks, now: int, step: int
    ) -> None:
        self.ends, self.mss, self.acks, self.now, self.step = ends, mss, acks, now, step
        self.next = [isn[0] % MODULUS, isn[1] % MODULUS]
        self.counts = [0, 0]
        self.closed = False
        self.segments: list[Segment] = []

    def emit(self, who: int, flags: int, payload: bytes = b"", name: str = "", *, seq: int | None = None) -> None:
        """Sends one segment and moves its side's sequence number on (SYN and FIN take one number, RFC 9293 3.4)."""
        if payload and not name:
            self.counts[who] += 1
            name = f"{'cs'[who]}{self.counts[who]}"
        self.segments.append(
            Segment(
                self.now,
                self.ends[who],
                self.ends[1 - who],
                self.next[who] if seq is None else seq,
                self.next[1 - who] if flags & ACK else 0,
                flags,
                payload,
                name,
                "c" if who == 0 else "s",
                options=b"\x02\x04" + self.mss.to_bytes(2) if flags & SYN else b"",
            )
        )
        self.now += self.step
        if seq is None:
            self.next[who] = (self.next[who] + len(payload) + bool(flags & (SYN | FIN))) % MODULUS

    def handshake(self) -> None:
        self.emit(0, SYN, name="c.syn")
        self.emit(1, SYN | ACK, name="s.syn")
        self.emit(0, ACK, name="c.ack")

    def play(self, side: Side, act: str, octets: bytes, *, answered: bool) -> None:
        who = "cs".index(side)
        if act == "write":
            self.write(who, octets, answered=answered)
        elif act == "fin":
            self.emit(who, FIN | ACK, name=f"{side}.fin")
            self.emit(1 - who, ACK, name=f"{'sc'[who]}.ack")
            self.closed = True
        elif act == "rst":
            self.emit(who, RST | ACK, name=f"{side}.rst")
            self.closed = True
        else:
            self.emit(who, ACK, octets, name=f"{side}.keepalive", seq=(self.next[who] - 1) % MODULUS)
            self.emit(1 - who, ACK, name=f"{'sc'[who]}.ack")

    def write(self, who: int, octets: bytes, *, answered: bool) -> None:
        """One send in segments of the MSS; the peer acknowledges every second one, and the last unless it answers."""
        last = max(0, (len(octets) - 1) // self.mss)
        for number, at in enumerate(range(0, len(octets), self.mss)):
            self.emit(who, ACK | (PSH if number == last else 0), octets[at : at + self.mss])
            due = (number % 2 == 1 and number != last) or (number == last and not answered)
            if self.acks == "every" or (self.acks == "delayed" and due):
                self.emit(1 - who, ACK, name=f"{'sc'[who]}.ack")

    def close(self, how: Literal["fin", "rst"]) -> None:
        if how == "rst":
            self.emit(0, RST | ACK, name="c.rst")
            return
        self.emit(0, FIN | ACK, name="c.fin")
        self.emit(1, FIN | ACK, name="s.fin")
        self.emit(0, ACK, name="c.ack")


def _matches(segment: Segment, which: str | bytes | Callable[[Segment], bool]) -> bool:
    if isinstance(which, bytes):
        return which in segment.payload
    return segment.name == which if isinstance(which, str) else which(segment)


def _pieces(segment: Segment, at: Iterable[int]) -> list[Segment]:
    edges = [0, *at, len(segment.payload)]
    if len(edges) == 2:
        return [segment]
    return [
        segment._replace(
            seq=(segment.seq + start) % MODULUS,
            payload=segment.payload[start:end],
            name=f"{segment.name}.{number}",
            flags=segment.flags if end == edges[-1] else segment.flags & ~(FIN | PSH),
        )
        for number, (start, end) in enumerate(pairwise(edges))
    ]


def _who(segment: Segment) -> str:
    return "client to server" if segment.side == "c" else "server to client"


def _by_time(segment: Segment) -> int:
    return segment.at_ns
