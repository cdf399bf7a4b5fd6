"""The MTA's side of the milter protocol, written on its own: what tests send, and how they read answers."""

from __future__ import annotations

import struct
from collections.abc import Iterator

ALL_ACTIONS, ALL_STEPS = 0x1FF, 0x1FFFFF
V2_ACTIONS, V2_STEPS = 0x3F, 0x7F

ADD_FIELDS, CHANGE_FIELDS, QUARANTINE, CHOOSE_MACROS = 0x01, 0x10, 0x20, 0x100


def packet(command: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data) + 1) + command + data


def offer(version: int = 6, actions: int = ALL_ACTIONS, steps: int = ALL_STEPS) -> bytes:
    return packet(b"O", struct.pack(">III", version, actions, steps))


def macros(command: bytes, **values: str) -> bytes:
    texts = (text for pair in values.items() for text in pair)
    return packet(b"D", command + b"".join(each.encode() + b"\0" for each in texts))


def connect(address: str = "192.0.2.7", port: int = 40_000, *, host: str = "client.example") -> bytes:
    family = b"6" if ":" in address else b"4"
    where = f"IPv6:{address}" if ":" in address else address
    return packet(b"C", host.encode() + b"\0" + family + struct.pack(">H", port) + where.encode() + b"\0")


def helo(name: str = "client.example") -> bytes:
    return packet(b"H", name.encode() + b"\0")


def mail(path: str = "<ann@corp.example>", *parameters: str) -> bytes:
    return packet(b"M", b"".join(each.encode() + b"\0" for each in (path, *parameters)))


def rcpt(path: str = "<bob@partner.example>", *parameters: str) -> bytes:
    return packet(b"R", b"".join(each.encode() + b"\0" for each in (path, *parameters)))


def header(name: str, value: str) -> bytes:
    return packet(b"L", name.encode() + b"\0" + value.encode() + b"\0")


def body(octets: bytes) -> bytes:
    return packet(b"B", octets)


END_OF_HEADER, ABORT, QUIT, QUIT_FOR_NEXT = packet(b"N"), packet(b"A"), packet(b"Q"), packet(b"K")


def end_of_message(octets: bytes = b"") -> bytes:
    return packet(b"E", octets)


def a_mail(subject: str = "hello", *, queue_id: str = "4ZQ", text: bytes = b"Hello\r\n") -> bytes:
    """From MAIL to the end of the message."""
    return b"".join(
        (
            mail(),
            rcpt(),
            header("Subject", f" {subject}"),
            END_OF_HEADER,
            body(text),
            macros(b"E", i=queue_id),
            end_of_message(),
        )
    )


def answers_in(octets: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The packets of an answer: command and data."""
    while octets:
        (length,) = struct.unpack_from(">I", octets)
        assert 1 <= length <= len(octets) - 4
        yield octets[4:5], octets[5 : 4 + length]
        octets = octets[4 + length :]
