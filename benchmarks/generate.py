"""
Writes a large capture of mail sessions as a span port would show them.

    python -m benchmarks.generate --mix large --megabytes 500 --out large.pcap

Dozens of sessions at a time are interleaved, each with handshake, segments of 1448 octets, an acknowledgment for every
second one, and its close; some carry several mails, most pipeline, some turn to TLS. TCP checksums are left at zero, as
a host with checksum offload shows its own. The same options give the same octets.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from struct import Struct
from typing import BinaryIO

from benchmarks.mailbag import MIXES, Mail, Mailbag

MSS = 1448
SESSIONS_AT_A_TIME = 48
TLS_SHARE = 0.05
PIPELINING_SHARE = 0.7
BURST_SEGMENTS = 10
"""Segments that one session sends before another has its turn: about what a first window holds."""

_START_US = 1_795_000_000_000_000
_FLUSH_OCTETS = 4 << 20
_FILE_HEADER = Struct("<IHHiIII").pack(0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1)
_record_header = Struct("<IIII").pack
# Ethernet, IPv4, and TCP with the time stamp option: everything before the payload.
_packet_header = Struct(">16sHHIH8sHHIIHHIIII").pack
_ETHERNET = bytes.fromhex("02000000000202000000000108004500")
_HEADER_OCTETS = 66
_DF_TTL_TCP = 0x4000_4006
_NOP_NOP_TIMESTAMP = 0x0101_080A
_FIN, _SYN, _PSH, _ACK = 1, 2, 8, 16
_OFFSET = 8 << 12

Turn = tuple[bool, bytes]
"""Who sends (true: the client), and what, before the other side has something to say."""


@dataclass(slots=True)
class Facts:
    """What a capture holds."""

    mails: int = 0
    recipients: int = 0
    forwarded: int = 0
    mail_octets: int = 0
    sessions: int = 0
    tls_sessions: int = 0
    frames: int = 0
    octets: int = 0


class Writer:
    """Frames in, a capture file out; holds the clock."""

    def __init__(self, out: BinaryIO, rng: random.Random) -> None:
        self._out = out
        self._parts = [_FILE_HEADER]
        self._waiting = len(_FILE_HEADER)
        self._steps = [int(rng.expovariate(1 / 9.0)) + 1 for _ in range(4096)]
        self.now_us = _START_US
        self.frames = 0
        self.octets = 0

    def frame(self, header: bytes, payload: bytes) -> None:
        """One frame, some microseconds after the last."""
        self.frames += 1
        self.now_us = now = self.now_us + self._steps[self.frames & 4095]
        size = _HEADER_OCTETS + len(payload)
        self._parts += (_record_header(now // 1_000_000, now % 1_000_000, size, size), header, payload)
        self._waiting += size + 16
        if self._waiting >= _FLUSH_OCTETS:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        self._out.write(b"".join(self._parts))
        self.octets += self._waiting
        self._parts.clear()
        self._waiting = 0


class Side:
    """One end of a connection: what it has sent, and how its packets begin."""

    __slots__ = ("_addresses", "_base_sum", "_identification", "_ports", "next", "started_ms")

    def __init__(self, own: bytes, own_port: int, peer: bytes, peer_port: int, first: int, identification: int) -> None:
        self._addresses = own + peer
        self._ports = own_port, peer_port
        self._identification = identification
        self._base_sum = 0x4500 + (_DF_TTL_TCP >> 16) + (_DF_TTL_TCP & 0xFFFF) + sum(Struct(">4H").unpack(own + peer))
        self.next = first
        self.started_ms = first >> 8

    def header(self, octets: int, peer: Side, flags: int) -> bytes:
        """The headers of a packet with *octets* of payload; counts them as sent."""
        total = 52 + octets
        self._identification = identification = (self._identification + 1) & 0xFFFF
        checksum = self._base_sum + total + identification
        checksum = (checksum & 0xFFFF) + (checksum >> 16)
        checksum = ~((checksum & 0xFFFF) + (checksum >> 16)) & 0xFFFF
        sequence = self.next
        self.next = (sequence + octets + (flags & _SYN and 1) + (flags & _FIN)) & 0xFFFF_FFFF
        return _packet_header(
            _ETHERNET, total, identification, _DF_TTL_TCP, checksum, self._addresses, *self._ports,
            sequence, peer.next if flags & _ACK else 0, _OFFSET | flags, 65_535, 0, _NOP_NOP_TIMESTAMP,
            self.started_ms, peer.started_ms,
        )  # fmt: skip


def connection(client: Side, server: Side, turns: list[Turn], out: Writer) -> Iterator[None]:
    """Play *turns* over TCP; yields where another connection may have its turn."""
    out.frame(client.header(0, server, _SYN), b"")
    out.frame(server.header(0, client, _SYN | _ACK), b"")
    out.frame(client.header(0, server, _ACK), b"")
    frame = out.frame
    for from_client, octets in turns:
        yield
        own, peer = (client, server) if from_client else (server, client)
        if len(octets) <= MSS:
            frame(own.header(len(octets), peer, _PSH | _ACK), octets)
            continue
        for number, at in enumerate(range(0, len(octets), MSS), 1):
            payload = octets[at : at + MSS]
            frame(own.header(len(payload), peer, _ACK), payload)
            if number & 1 == 0:
                frame(peer.header(0, own, _ACK), b"")
                if number % BURST_SEGMENTS == 0:
                    yield
    yield
    out.frame(client.header(0, server, _FIN | _ACK), b"")
    out.frame(server.header(0, client, _FIN | _ACK), b"")
    out.frame(client.header(0, server, _ACK), b"")


def mail_session(rng: random.Random, bag: Mailbag, facts: Facts) -> list[Turn]:
    """A session with one mail or several."""
    count = 1 if rng.random() < 0.7 else rng.randint(2, 6)
    pipelining = rng.random() < PIPELINING_SHARE
    turns = _greeting(rng, pipelining=pipelining)
    for _ in range(count):
        mail = bag.mail()
        _count(mail, facts)
        turns += _pipelined(mail) if pipelining else _step_by_step(mail)
        turns += [
            (True, mail.content + b".\r\n"),
            (False, f"250 2.0.0 Ok: queued as {rng.getrandbits(40):010X}\r\n".encode()),
        ]
    turns += [(True, b"QUIT\r\n"), (False, b"221 2.0.0 Bye\r\n")]
    facts.sessions += 1
    return turns


def tls_session(rng: random.Random, facts: Facts) -> list[Turn]:
    """A session that turns to TLS: octets as random as real ones look."""
    turns = _greeting(rng, pipelining=True)
    turns += [(True, b"STARTTLS\r\n"), (False, b"220 2.0.0 Ready to start TLS\r\n")]
    turns += [
        (True, _client_hello(rng, f"mx{rng.randrange(4)}.corp.example")),
        (False, _tls_record(22, rng.randbytes(3_000))),
    ]
    turns += [(True, _tls_record(23, rng.randbytes(60))), (False, _tls_record(23, rng.randbytes(200)))]
    content = rng.randbytes(int(rng.lognormvariate(9, 1)))
    records = [_tls_record(23, content[at : at + 16_000]) for at in range(0, len(content), 16_000)]
    turns += [(True, b"".join(records)), (False, _tls_record(23, rng.randbytes(60)))]
    facts.tls_sessions += 1
    return turns


def _greeting(rng: random.Random, *, pipelining: bool) -> list[Turn]:
    offers = b"250-PIPELINING\r\n" if pipelining else b""
    return [
        (False, b"220 gw1.corp.example ESMTP Postfix\r\n"),
        (True, f"EHLO mx{rng.randrange(40)}.host{rng.randrange(12)}.example\r\n".encode()),
        (
            False,
            b"250-gw1.corp.example\r\n"
            + offers
            + b"250-SIZE 52428800\r\n250-STARTTLS\r\n250-8BITMIME\r\n250 CHUNKING\r\n",
        ),
    ]


def _pipelined(mail: Mail) -> list[Turn]:
    recipients = "".join(f"RCPT TO:<{path}>\r\n" for path in mail.forward_paths)
    return [
        (True, f"MAIL FROM:<{mail.reverse_path}> SIZE={len(mail.content)}\r\n{recipients}DATA\r\n".encode()),
        (
            False,
            b"250 2.1.0 Ok\r\n"
            + b"250 2.1.5 Ok\r\n" * len(mail.forward_paths)
            + b"354 End data with <CR><LF>.<CR><LF>\r\n",
        ),
    ]


def _step_by_step(mail: Mail) -> list[Turn]:
    turns = [(True, f"MAIL FROM:<{mail.reverse_path}>\r\n".encode()), (False, b"250 2.1.0 Ok\r\n")]
    for path in mail.forward_paths:
        turns += [(True, f"RCPT TO:<{path}>\r\n".encode()), (False, b"250 2.1.5 Ok\r\n")]
    return [*turns, (True, b"DATA\r\n"), (False, b"354 End data with <CR><LF>.<CR><LF>\r\n")]


def _count(mail: Mail, facts: Facts) -> None:
    facts.mails += 1
    facts.recipients += len(mail.forward_paths)
    facts.forwarded += mail.forwarded
    facts.mail_octets += len(mail.content)


def _tls_record(kind: int, body: bytes) -> bytes:
    return bytes((kind, 3, 3)) + len(body).to_bytes(2) + body


def _client_hello(rng: random.Random, name: str) -> bytes:
    """A ClientHello with server_name and a padding of random octets (RFC 8446 4.1.2, RFC 6066 3)."""
    entry = b"\x00" + len(name).to_bytes(2) + name.encode()
    extension = b"\x00\x00" + (len(entry) + 2).to_bytes(2) + len(entry).to_bytes(2) + entry
    padding = b"\x00\x15" + (200).to_bytes(2) + bytes(200)
    extensions = extension + padding
    body = b"\x03\x03" + rng.randbytes(32) + b"\x20" + rng.randbytes(32) + b"\x00\x02\x13\x01" + b"\x01\x00"
    body += len(extensions).to_bytes(2) + extensions
    return _tls_record(22, b"\x01" + len(body).to_bytes(3) + body)


def generate(out: BinaryIO, mix: str, megabytes: int, seed: int) -> Facts:
    """Write a capture of at least *megabytes* (of 10^6 octets) to *out*: no session is cut off."""
    rng = random.Random(seed)
    bag, writer, facts = Mailbag(MIXES[mix], rng), Writer(out, rng), Facts()
    wanted = megabytes * 1_000_000
    running: list[Iterator[None]] = []
    opened = 0
    while True:
        while len(running) < SESSIONS_AT_A_TIME and writer.octets < wanted:
            turns = tls_session(rng, facts) if rng.random() < TLS_SHARE else mail_session(rng, bag, facts)
            opened += 1
            running.append(connection(*_sides(rng, opened), turns, writer))
        if not running:
            break
        at = rng.randrange(len(running))
        if next(running[at], running) is running:
            # The last takes the place of the one that ended.
            running[at] = running[-1]
            running.pop()
    writer.flush()
    facts.frames, facts.octets = writer.frames, writer.octets
    return facts


def _sides(rng: random.Random, number: int) -> tuple[Side, Side]:
    """Two ends whose addresses and ports no other of the last million connections has."""
    client = bytes((10, number >> 16 & 255, number >> 8 & 255, number & 255))
    server = bytes((192, 0, 2, 1 + number % 8))
    port = 32_768 + number % 28_000
    return (
        Side(client, port, server, 25, rng.getrandbits(32), rng.getrandbits(16)),
        Side(server, 25, client, port, rng.getrandbits(32), rng.getrandbits(16)),
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1] if __doc__ else None)
    parser.add_argument("--mix", choices=sorted(MIXES), default="large", help="large: 40 KB mean; small: 4 KB mails")
    parser.add_argument("--megabytes", type=int, default=500, help="size of the capture (default 500)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", required=True, metavar="FILE")
    options = parser.parse_args()
    started = time.perf_counter()
    with Path(options.out).open("wb") as out:
        facts = generate(out, options.mix, options.megabytes, options.seed)
    rate = facts.octets / 1e6 / (time.perf_counter() - started)
    print(f"{options.out}: written at {rate:.0f} MB/s", file=sys.stderr)
    print(json.dumps(asdict(facts)))


if __name__ == "__main__":
    main()
