"""What a command line asks of the relay. Most ask nothing but to be passed on."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

LINE_OCTETS = 16_384
"""
Of one command line. RFC 5321 4.5.3.1.4 allows 512, extensions add to it, and RFC 4954 4 asks for 12,288 with AUTH.
"""


class Kind(Enum):
    """What has to be known of a command."""

    __hash__ = object.__hash__  # Enum's own is a Python function, and these are looked up for every command

    PASS = auto()
    EHLO = auto()  # ends a transaction; the reply says what the next hop offers
    HELO = auto()  # the same without offers
    LHLO = auto()  # the same for LMTP (RFC 2033)
    MAIL = auto()  # begins a transaction; SEND, SOML and SAML (RFC 821 3.4) do, too
    RCPT = auto()  # LMTP answers the final dot once for each that was accepted
    RESET = auto()
    DATA = auto()  # what follows is content, if the reply says so
    AUTH = auto()  # what follows is a secret, if the reply says so
    QUIT = auto()
    STARTTLS = auto()  # the relay's own business
    CHUNK = auto()  # BDAT: not offered, since its content would have to be counted off
    REFERENCE = auto()  # BURL (RFC 4468): not offered, since its content would be sent without passing here
    IDENTITY = auto()  # XCLIENT, XFORWARD: from trusted peers only
    PROXY = auto()  # no command: it would have been the first octets of a trusted peer
    NOTHING = auto()  # NOOP, HELP: harmless before TLS


VERBS: Mapping[bytes, Kind] = {
    b"EHLO": Kind.EHLO,
    b"HELO": Kind.HELO,
    b"LHLO": Kind.LHLO,
    b"MAIL": Kind.MAIL,
    b"SEND": Kind.MAIL,
    b"SOML": Kind.MAIL,
    b"SAML": Kind.MAIL,
    b"RCPT": Kind.RCPT,
    b"RSET": Kind.RESET,
    b"DATA": Kind.DATA,
    b"AUTH": Kind.AUTH,
    b"QUIT": Kind.QUIT,
    b"STARTTLS": Kind.STARTTLS,
    b"BDAT": Kind.CHUNK,
    b"BURL": Kind.REFERENCE,
    b"XCLIENT": Kind.IDENTITY,
    b"XFORWARD": Kind.IDENTITY,
    b"PROXY": Kind.PROXY,
    b"NOOP": Kind.NOTHING,
    b"HELP": Kind.NOTHING,
}

GREETINGS = frozenset((Kind.EHLO, Kind.HELO, Kind.LHLO))

IN_CLEAR = frozenset((*GREETINGS, Kind.RESET, Kind.QUIT, Kind.STARTTLS, Kind.NOTHING))
"""What may be asked before TLS where TLS is required (RFC 3207 4)."""


def kind_of(line: bytes) -> Kind:
    """What *line* asks. White space before a verb, which some servers pass over, hides nothing."""
    words = line.split(None, 1)
    return VERBS.get(words[0].upper(), Kind.PASS) if words else Kind.PASS
