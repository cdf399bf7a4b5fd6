"""
What an MTA sends to a milter, from octets to events.

A packet is a length (32 bits, network order, of all that follows), one octet that names the command, and the command's
data. Text ends with a NUL. The protocol has no RFC: this follows Sendmail's ``libmilter/mfdef.h`` and its reading by
Postfix, in versions 2 to 6, whose packets differ in which commands there are and in nothing else.

``COMMANDS`` is the table of them. ``Reader`` cuts packets from a stream of any segmentation. What can't be a packet
raises ``ViolationError``: a milter is an endpoint, and there is no way to find the next packet behind a wrong length.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

SHORT_MACROS_OCTETS = 256
"""Macros that are remembered, in case that the next ones are the same."""

_LENGTH = struct.Struct(">I")
_OFFER = struct.Struct(">III")
_MACROS = ord("D")


class ViolationError(Exception):
    """What came is not this protocol. The message says what it was, without a word of mail."""


# ---- events


class Offer(NamedTuple):
    """What the MTA speaks and lets us do: version, actions and steps (flags of ``negotiation``)."""

    version: int
    actions: int
    steps: int


class Macros(NamedTuple):
    """Facts about the command that follows next: names without braces."""

    command: int
    values: Mapping[bytes, bytes]


class Connect(NamedTuple):
    """An SMTP client. *family* is ``4``, ``6``, ``L`` (a UNIX socket: *address* is its path) or ``U`` (unknown)."""

    host: bytes
    family: bytes
    port: int
    address: bytes


class Helo(NamedTuple):
    """HELO, EHLO or LHLO; which of them is not told."""

    name: bytes


class Mail(NamedTuple):
    """MAIL: the path as it stood, angle brackets included, then the parameters."""

    arguments: tuple[bytes, ...]


class Rcpt(NamedTuple):
    """RCPT, as ``Mail``."""

    arguments: tuple[bytes, ...]


class Data(NamedTuple):
    """The DATA command, or the first BDAT. From version 4."""


class Field(NamedTuple):
    """A header field. The value's lines end with LF; its first blank is there only if leading space was asked for."""

    name: bytes
    value: bytes


class EndOfHeader(NamedTuple):
    """The blank line."""


class Body(NamedTuple):
    """A piece of the body with CRLF line ends, cut anywhere."""

    octets: bytes


class EndOfMessage(NamedTuple):
    """The final dot was read and not answered yet. *octets* may be a last piece of the body."""

    octets: bytes


class Abort(NamedTuple):
    """The mail, if one was begun, comes to nothing. The connection goes on."""


class Quit(NamedTuple):
    """The MTA is done with this connection."""


class QuitForNext(NamedTuple):
    """The SMTP client is gone; another one comes over the same connection. From version 5."""


class Unknown(NamedTuple):
    """An SMTP command that the MTA does not know. From version 3."""

    line: bytes


Event = (
    Offer
    | Macros
    | Connect
    | Helo
    | Mail
    | Rcpt
    | Data
    | Field
    | EndOfHeader
    | Body
    | EndOfMessage
    | Abort
    | Quit
    | QuitForNext
    | Unknown
)


# ---- one decoder a command


def _offer(data: bytes) -> Offer:
    if len(data) < _OFFER.size:
        raise _malformed("an offer", data)
    # What follows, if anything does, belongs to versions that are not yet.
    return Offer(*_OFFER.unpack_from(data))


def _macros(data: bytes) -> Macros:
    if not data:
        raise _malformed("macros", data)
    texts = _texts("macros", data[1:])
    # Sendmail may send a name whose value is missing at the end: it is as if it were not set.
    pairs = zip(texts[::2], texts[1::2], strict=False)
    return Macros(data[0], {name.strip(b"{}"): value for name, value in pairs})


def _connect(data: bytes) -> Connect:
    host, nul, rest = data.partition(b"\0")
    family = rest[:1]
    if not nul or not family:
        raise _malformed("a connection", data)
    if family not in {b"4", b"6", b"L"}:
        return Connect(host, b"U", 0, b"")
    if len(rest) < 4:
        raise _malformed("a connection", data)
    return Connect(host, family, int.from_bytes(rest[1:3]), rest[3:].partition(b"\0")[0])


def _helo(data: bytes) -> Helo:
    return Helo(_text("HELO", data))


def _mail(data: bytes) -> Mail:
    return Mail(_arguments("MAIL", data))


def _rcpt(data: bytes) -> Rcpt:
    return Rcpt(_arguments("RCPT", data))


def _field(data: bytes) -> Field:
    name, nul, rest = data.partition(b"\0")
    if not nul or not name:
        raise _malformed("a header field", data)
    return Field(name, _text("a header field", rest))


def _unknown(data: bytes) -> Unknown:
    return Unknown(_text("an unknown command", data))


def _arguments(what: str, data: bytes) -> tuple[bytes, ...]:
    texts = _texts(what, data)
    if not texts:
        raise _malformed(what, data)
    return tuple(texts)


def _texts(what: str, data: bytes) -> list[bytes]:
    if not data:
        return []
    if not data.endswith(b"\0"):
        raise _malformed(what, data)
    return data[:-1].split(b"\0")


def _text(what: str, data: bytes) -> bytes:
    text, nul, _ = data.partition(b"\0")
    if not nul:
        raise _malformed(what, data)
    return text


def _malformed(what: str, data: bytes) -> ViolationError:
    return ViolationError(f"{what} of {len(data)} octets that is malformed")


COMMANDS: Mapping[int, Callable[[bytes], Event]] = {
    ord("O"): _offer,
    _MACROS: _macros,
    ord("C"): _connect,
    ord("H"): _helo,
    ord("M"): _mail,
    ord("R"): _rcpt,
    ord("T"): lambda _: Data(),
    ord("L"): _field,
    ord("N"): lambda _: EndOfHeader(),
    ord("B"): Body,
    ord("E"): EndOfMessage,
    ord("A"): lambda _: Abort(),
    ord("Q"): lambda _: Quit(),
    ord("K"): lambda _: QuitForNext(),
    ord("U"): _unknown,
}


class Reader:
    """
    Cuts a stream into packets and those into events.

    Holds at most one packet of *packet_octets*, and of a longer one nothing. Gives no more after a ``ViolationError``.
    """

    def __init__(self, packet_octets: int) -> None:
        self._longest = packet_octets
        self._pieces: list[bytes] = []
        self._held = 0
        self._wanted = _LENGTH.size
        self._broken = False
        self._last_macros: tuple[bytes, Macros] = b"", Macros(0, {})

    @property
    def held_octets(self) -> int:
        """Of a packet that is not whole yet."""
        return self._held

    def feed(self, octets: bytes) -> Iterator[Event]:
        """
        The events that *octets* complete. Raises ``ViolationError``, behind the events before it.

        The iterator has to be read to its end before more is fed.
        """
        if self._broken:
            return
        self._pieces.append(octets)
        self._held += len(octets)
        # A long packet that comes in small pieces is joined once, when it is whole.
        if self._held < self._wanted:
            return
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        at = 0
        try:
            while (end := self._end_of_packet(data, at)) <= len(data):
                yield self._event(data, at + _LENGTH.size, end)
                at = end
        except ViolationError:
            self._broken, self._held = True, 0
            raise
        self._wanted = end - at
        self._held = len(data) - at
        if self._held:
            self._pieces.append(data[at:])

    def _event(self, data: bytes, at: int, end: int) -> Event:
        command = data[at]
        decode = COMMANDS.get(command)
        if decode is None:
            raise ViolationError(f"the command {data[at : at + 1]!r}")
        octets = data[at + 1 : end]
        if command != _MACROS:
            return decode(octets)
        # Postfix sends the same few before each header field.
        if octets != self._last_macros[0] or not octets:
            macros = _macros(octets)
            if len(octets) > SHORT_MACROS_OCTETS:
                return macros
            self._last_macros = octets, macros
        return self._last_macros[1]

    def _end_of_packet(self, data: bytes, at: int) -> int:
        """Where the packet at *at* ends, or where its length does while that is not all there."""
        if len(data) - at < _LENGTH.size:
            return at + _LENGTH.size
        (length,) = _LENGTH.unpack_from(data, at)
        if not 1 <= length <= self._longest:
            raise ViolationError(f"a packet of {length:,} octets")
        return at + _LENGTH.size + int(length)
