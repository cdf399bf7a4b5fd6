"""What a milter is told of a mail before its content: the client, greeting and paths, with the facts of macros."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address

from sensor.model import SessionProtocol
from sensor.taps.milter.protocol import Connect

Address = tuple[str, int | None]
"""An IP address and a port, none where it is not told."""

LOCAL: Address = ("127.0.0.1", None)
"""Where mail of local programs comes from, whose socket has no address."""

Macros = Mapping[bytes, bytes]

# By what Sendmail's macro "r" says (RFC 3848): smtp, esmtp, esmtps, lmtp and so on.
_PROTOCOLS: tuple[tuple[str, SessionProtocol], ...] = (("esmtp", "esmtp"), ("lmtp", "lmtp"), ("smtp", "smtp"))
_REPLY = re.compile(rb"([45][0-9][0-9])[ -](?:([45]\.[0-9]{1,3}\.[0-9]{1,3})(?: |$))?")
_ENHANCED = re.compile(rb"[45]\.[0-9]{1,3}\.[0-9]{1,3}")


@dataclass(frozen=True, slots=True)
class ForwardPath:
    """One RCPT. ``reply_code`` and ``enhanced`` are those of a refusal, where the MTA tells them."""

    address: str
    accepted: bool
    parameters: Mapping[str, str | None]
    reply_code: int | None = None
    enhanced: str | None = None


@dataclass(slots=True)
class Envelope:
    """
    All that is known of a mail when its content begins. ``started_at_ns`` is when MAIL was told, ``connected_at_ns``
    when its client was. ``transaction_index`` of a client's first mail is 0.
    """

    started_at_ns: int
    connected_at_ns: int
    client: Address | None
    server: Address | None
    protocol: SessionProtocol | None
    helo: str | None
    auth_user: str | None
    tls: bool
    transaction_index: int
    reverse_path: str
    parameters: Mapping[str, str | None]
    forward_paths: list[ForwardPath] = field(default_factory=list)


def client_of(connection: Connect | None, macros: Macros) -> Address | None:
    """Address and port of the SMTP client."""
    if connection is not None and connection.family == b"L":
        return LOCAL
    told = _address(macros.get(b"client_addr")), _port(macros.get(b"client_port"))
    if connection is not None and connection.family in {b"4", b"6"}:
        told = _address(connection.address) or told[0], connection.port or told[1]
    return None if told[0] is None else (told[0], told[1])


def server_of(macros: Macros) -> Address | None:
    """Address and port at which the MTA took the connection: Postfix tells both, Sendmail the address."""
    address = _address(macros.get(b"daemon_addr")) or _address(macros.get(b"if_addr"))
    return None if address is None else (address, _port(macros.get(b"daemon_port")))


def protocol_of(macros: Macros, parameters: Mapping[str, str | None]) -> SessionProtocol | None:
    """What Sendmail's macro says. Without it, parameters show ESMTP (RFC 5321 2.2.1), and nothing shows SMTP."""
    told = text(macros.get(b"r", b"")).lower()
    for name, protocol in _PROTOCOLS:
        if told.startswith(name):
            return protocol
    return "esmtp" if parameters else None


def path_of(argument: bytes) -> str:
    """The path without its angle brackets; "" for the null reverse-path."""
    path = text(argument).strip()
    return path[1:-1] if path.startswith("<") and path.endswith(">") else path


def parameters_of(arguments: Sequence[bytes]) -> dict[str, str | None]:
    """Keyword (upper case) to value, none for a keyword alone (RFC 5321 4.1.2). The first of a name holds."""
    parameters: dict[str, str | None] = {}
    for argument in arguments:
        keyword, equals, value = text(argument).partition("=")
        if keyword:
            parameters.setdefault(keyword.upper(), value if equals else None)
    return parameters


def forward_path_of(arguments: Sequence[bytes], macros: Macros) -> ForwardPath:
    """
    A RCPT with what became of it.

    Where refused ones are asked for, MTAs mark them by the mailer "error", with the enhanced code in the place of the
    host and the reason in that of the address.
    """
    path, parameters = path_of(arguments[0]), parameters_of(arguments[1:])
    if macros.get(b"rcpt_mailer") != b"error":
        return ForwardPath(path, True, parameters)
    reply = _REPLY.match(macros.get(b"rcpt_addr", b""))
    enhanced = _ENHANCED.fullmatch(macros.get(b"rcpt_host", b""))
    return ForwardPath(
        path,
        False,
        parameters,
        int(reply[1]) if reply else None,
        text(reply[2]) if reply and reply[2] else text(enhanced[0]) if enhanced else None,
    )


def text(octets: bytes) -> str:
    """As text, whatever it holds."""
    return octets.decode("utf-8", "replace")


@lru_cache(maxsize=1_024)
def _address(told: bytes | None) -> str | None:
    """An IP address as MTAs write it, some with the tag of RFC 5321 4.1.3 before an IPv6 one."""
    if told is None:
        return None
    written = text(told).strip("[]")
    if written[:5].lower() == "ipv6:":
        written = written[5:]
    try:
        return str(ip_address(written))
    except ValueError:
        return None


def _port(told: bytes | None) -> int | None:
    if told is None or not told.isdigit() or len(told) > 5:
        return None
    port = int(told)
    return port if 0 < port < 65_536 else None
