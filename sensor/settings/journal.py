"""Where copies of mail are taken in: ``[journal]``."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_network
from typing import Literal, get_args

from sensor.settings.checks import Network, addresses, file, listen, networks, number, one_of, true_or_false, whole
from sensor.settings.section import Section

JournalTls = Literal["off", "may", "require"]


@dataclass(frozen=True, slots=True)
class JournalSettings:
    """
    ``listen`` is ``host:port``, "" for none. Copies are taken from ``peers`` alone, and for ``addresses`` alone, which
    are the journal's own: whoever sends other mail here by mistake gets it back, since here it would be lost. Where
    ``keeps_envelope``, other recipients are taken, too: they are those that the mail was for.

    ``mail_octets`` bounds one copy, ``open_octets`` all that are being taken in, ``sessions`` the connections, and
    ``peer_sessions`` those of one peer. A session that says nothing for ``timeout_s``, or whose content takes longer,
    is closed. A copy whose record is not on disk within ``write_timeout_s`` is deferred.
    """

    listen: str = ""
    addresses: tuple[str, ...] = ()
    peers: tuple[Network, ...] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
    keeps_envelope: bool = False
    tls: JournalTls = "off"
    cert_file: str = ""
    key_file: str = ""
    mail_octets: int = 157_286_400
    open_octets: int = 536_870_912
    sessions: int = 100
    peer_sessions: int = 50
    timeout_s: float = 600.0
    write_timeout_s: float = 120.0


JOURNAL = Section(
    "journal",
    JournalSettings,
    {
        "listen": listen,
        "addresses": addresses,
        "peers": networks,
        "keeps_envelope": true_or_false,
        "tls": one_of(*get_args(JournalTls)),
        "cert_file": file,
        "key_file": file,
        "mail_octets": whole(65_536, 2**31),
        "open_octets": whole(65_536, 2**40),
        "sessions": whole(1, 10_000),
        "peer_sessions": whole(1, 10_000),
        "timeout_s": number(1, 3_600),
        "write_timeout_s": number(0.1, 600),
    },
)
