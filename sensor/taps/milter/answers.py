"""What a milter sends to an MTA: one function, or one constant, for each packet that we ever send."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sensor.taps.milter.negotiation import Terms, accepted

MAX_LINE_OCTETS = 998
"""
Of a header field or a reply (RFC 5322 2.1.1). Both are made shorter, since a cut line says less than was meant:
a tag has 800 octets at most, and the text that an admin sets 400, so that a reply has the 512 of RFC 5321 4.5.3.1.5.
"""

_UNPRINTABLE = re.compile(rb"[^\x20-\x7e]+")


def _packet(command: bytes, data: bytes = b"") -> bytes:
    return (len(data) + 1).to_bytes(4) + command + data


CONTINUE = _packet(b"c")
TEMPFAIL = _packet(b"t")
REJECT = _packet(b"r")
SKIP = _packet(b"s")


def terms(agreed: Terms) -> bytes:
    """The answer to an offer."""
    return _packet(b"O", accepted(agreed))


def insert_field(name: bytes, value: bytes, *, leading_space: bool) -> bytes:
    """A header field above all others. With *leading_space* the MTA puts none between colon and value."""
    return _packet(b"i", (0).to_bytes(4) + _field(name, value, leading_space=leading_space))


def add_field(name: bytes, value: bytes, *, leading_space: bool) -> bytes:
    """A header field below all others: version 2 of the protocol knows of no other place."""
    return _packet(b"h", _field(name, value, leading_space=leading_space))


def remove_fields(name: bytes, places: Iterable[int]) -> bytes:
    """
    Take out the fields of that name at *places*, of which the topmost is 1.

    The lowest goes first: whether a removed field still counts differs from MTA to MTA.
    """
    return b"".join(_packet(b"m", place.to_bytes(4) + name + b"\0\0") for place in sorted(places, reverse=True))


def quarantine(reason: bytes) -> bytes:
    """Hold the mail in the queue."""
    return _packet(b"q", _line(reason) + b"\0")


def reply(code: int, enhanced: str, text: str) -> bytes:
    """Refuse by a reply of our own. Percent signs are doubled, since MTAs take the text for a format."""
    line = _line(f"{code} {enhanced} {text}".encode("ascii", "replace"))
    return _packet(b"y", line.replace(b"%", b"%%") + b"\0")


def _field(name: bytes, value: bytes, *, leading_space: bool) -> bytes:
    return _line(name) + b"\0" + (b" " if leading_space else b"") + _line(value) + b"\0"


def _line(text: bytes) -> bytes:
    """One line of printable ASCII, whatever it was made from: mail holds any octet, and this goes into other mail."""
    return _UNPRINTABLE.sub(b" ", text)[:MAX_LINE_OCTETS]
