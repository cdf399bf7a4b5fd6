"""The probe mail as the command line asks for it, checked before anything is sent."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sensor.check.probe import ProbeMail
from sensor.errors import UserError
from sensor.settings import split_listen
from sensor.settings.relay import next_hop

_ADDRESS = re.compile(r"[!-;=?-~]{1,64}@[A-Za-z0-9.\-\[\]:]{1,255}")
_MOST_WAIT_S = 600.0
"""As long as the sensor keeps what it was asked for."""

_LOGIN_OCTETS = 1_024


class ProbeError(UserError):
    """The probe mail can't be sent as it is asked for."""


@dataclass(frozen=True, slots=True)
class ProbeOptions:
    """*mail* is ``FROM,TO``, *via* ``HOST:PORT``; *login_path* names a file with ``name:password``."""

    mail: str
    via: str | None = None
    as_forward: bool = False
    wait_s: float = 15.0
    login_path: str | None = None


def probe_of(options: ProbeOptions) -> ProbeMail:
    """The mail, and where it goes. Raises ``ProbeError``, or ``OSError`` for a login that can't be read."""
    # A comma is no part of an address here, though RFC 5322 lets it stand between quotation marks.
    addresses = options.mail.split(",")
    if len(addresses) != 2 or not all(_ADDRESS.fullmatch(each) for each in addresses):
        raise ProbeError("--probe-mail must be two plain addresses such as ann@corp.example,bob@partner.example")
    try:
        host, port = split_listen(next_hop(options.via or ":"))
    except ValueError:
        raise ProbeError("--via must name the server that takes the mail, such as 127.0.0.1:25 or [::1]:25") from None
    if not 1 <= options.wait_s <= _MOST_WAIT_S:
        raise ProbeError(f"--probe-wait must be from 1 to {_MOST_WAIT_S:g} seconds")
    return ProbeMail(
        addresses[0],
        addresses[1],
        host,
        port,
        as_forward=options.as_forward,
        login=_login(options.login_path) if options.login_path else "",
        patience_s=options.wait_s,
    )


def _login(path: str) -> str:
    with open(path, "rb") as file:
        octets = file.read(_LOGIN_OCTETS + 1)
    login = octets.decode("utf-8", "backslashreplace").strip("\r\n")
    if ":" not in login or "\n" in login or len(octets) > _LOGIN_OCTETS:
        raise ProbeError(f"{path}: must hold one line, name:password")
    return login
