"""How the relay stands between SMTP clients and their next hop: ``[relay]``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from sensor.settings.checks import Network, file, host, listen, name, networks, number, one_of, true_or_false, whole
from sensor.settings.section import Section

TlsUse = Literal["off", "may", "require"]
IdentityUse = Literal["none", "proxy1", "proxy2", "xclient", "xforward"]
Smuggling = Literal["normalise", "refuse"]
LoopUse = Literal["auto", "asyncio", "uvloop"]


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """
    Where the relay listens and where it passes mail on to; "" for none. ``identity`` says how the next hop hears of
    the true client. ``trusted_peers`` may tell who their clients are: by XCLIENT and XFORWARD, and with
    ``proxy_protocol`` they begin each connection with a PROXY header.

    Where ``next_hop_tls`` is "require", the next hop's certificate is verified, and its name, unless
    ``next_hop_tls_name`` says another, is that of ``next_hop``; with "may" it is taken as it is (RFC 7435).

    ``client_timeout_s`` is no less than RFC 5321 4.5.3.2.7 asks for, and ``reply_timeout_s`` more than the longest
    that a client waits (4.5.3.2.6): a mail given up sooner than its client gives up would come twice.
    """

    listen: str = ""
    next_hop: str = ""
    next_hop_protocol: Literal["smtp", "lmtp"] = "smtp"
    identity: IdentityUse = "none"
    trusted_peers: tuple[Network, ...] = ()
    proxy_protocol: bool = False
    tls: TlsUse = "off"
    tls_cert_file: str = ""
    tls_key_file: str = ""
    next_hop_tls: TlsUse = "off"
    next_hop_ca_file: str = ""
    next_hop_tls_name: str = ""
    smuggling: Smuggling = "normalise"
    hello_name: str = ""
    max_sessions: int = 1_000
    max_sessions_per_client: int = 50
    connect_timeout_s: float = 30.0
    client_timeout_s: float = 300.0
    reply_timeout_s: float = 660.0
    drain_s: float = 30.0
    event_loop: LoopUse = "auto"


def next_hop(value: object) -> str:
    """Host and port of the next hop, "" for none."""
    rule = 'must be a host and port such as "192.0.2.25:25", "[2001:db8::1]:25" or "mx.corp.example:25", or "" for none'
    if value == "":
        return ""
    found = (
        re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([^:\[\]]+)):([0-9]{1,5})", value) if isinstance(value, str) else None
    )
    if found is None or not 1 <= int(found[3]) <= 65_535:
        raise ValueError(rule)
    try:
        host(found[1] or found[2])
    except ValueError:
        raise ValueError(rule) from None
    return found[0]


def _name_or_none(value: object) -> str:
    return "" if value == "" else name(value)


RELAY = Section(
    "relay",
    RelaySettings,
    {
        "listen": listen,
        "next_hop": next_hop,
        "next_hop_protocol": one_of("smtp", "lmtp"),
        "identity": one_of(*get_args(IdentityUse)),
        "trusted_peers": networks,
        "proxy_protocol": true_or_false,
        "tls": one_of(*get_args(TlsUse)),
        "tls_cert_file": file,
        "tls_key_file": file,
        "next_hop_tls": one_of(*get_args(TlsUse)),
        "next_hop_ca_file": file,
        "next_hop_tls_name": _name_or_none,
        "smuggling": one_of(*get_args(Smuggling)),
        "hello_name": _name_or_none,
        "max_sessions": whole(1, 100_000),
        "max_sessions_per_client": whole(1, 100_000),
        "connect_timeout_s": number(0.1, 300),
        "client_timeout_s": number(1, 86_400),
        "reply_timeout_s": number(1, 86_400),
        "drain_s": number(0, 3_600),
        "event_loop": one_of(*get_args(LoopUse)),
    },
)
