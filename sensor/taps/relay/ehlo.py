"""What a server says it can do (RFC 5321 4.1.1.1), and which of that a client behind the relay may hear of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sensor.taps.relay.replies import Reply

PASSED = frozenset(
    b"PIPELINING SIZE 8BITMIME SMTPUTF8 DSN ENHANCEDSTATUSCODES AUTH VRFY EXPN HELP ETRN DELIVERBY LIMITS".split()
)
"""
Extensions that ride in commands and replies, which are passed as they come. Others would need the relay's part
(CHUNKING, STARTTLS), or speak of the connection (XCLIENT, XFORWARD), or are not known.
"""


def offers(reply: Reply) -> Mapping[bytes, bytes]:
    """By keyword in upper case, what follows it; of a server that refused, nothing."""
    lines = reply.octets.splitlines()[1:] if reply.is_positive else ()
    return {keyword: rest for keyword, rest in map(_split, lines) if keyword}


def filtered(reply: Reply, passed: Iterable[bytes], added: Iterable[bytes] = ()) -> bytes:
    """
    The reply with the keywords in *passed*, as they came, and those *added*. A refusal stays as it is.

    A keyword that has an older form with "=" (``AUTH=LOGIN``) stands for both.
    """
    if not reply.is_positive:
        return reply.octets
    allowed = frozenset(passed)
    greeting, *lines = reply.octets.splitlines()
    kept = [greeting[4:], *(line[4:] for line in lines if _split(line)[0] in allowed), *added]
    code = b"%d" % reply.code
    return b"".join(
        code + (b" " if number == len(kept) else b"-") + line + b"\r\n" for number, line in enumerate(kept, 1)
    )


def _split(line: bytes) -> tuple[bytes, bytes]:
    keyword, _, rest = line[4:].replace(b"=", b" ", 1).partition(b" ")
    return keyword.upper(), rest
