"""Mail that a Postfix or Sendmail shows us while it takes it: ``[milter]``."""

from __future__ import annotations

import grp
import re
from dataclasses import dataclass
from typing import Literal, get_args

from sensor.settings.checks import file, listen, of_list, one_of, whole
from sensor.settings.section import Section

SocketAccess = Literal["owner", "group", "everybody"]

MAX_UNIX_PATH_OCTETS = 107
"""Of a socket's path, on Linux (unix(7)); other systems take a few less."""


@dataclass(frozen=True, slots=True)
class MilterSettings:
    """
    Where MTAs reach us, and how much of each mail we ask for.

    ``listen`` holds ``unix:PATH`` and ``inet:HOST:PORT``. UNIX sockets belong to ``socket_group`` ("": our own), and
    ``socket_access`` says who may connect. ``body`` "window" asks for the first ``body_window_octets`` of bodies alone.

    ``log_path`` is the MTA's log, in which ``log_services`` are those who take mail and ask us about it (none: all that
    take mail); ``log_state`` is a file that keeps how far the log was read, "" for none.
    """

    listen: tuple[str, ...] = ()
    socket_access: SocketAccess = "group"
    socket_group: str = ""
    connections: int = 1_000
    idle_timeout_s: int = 7_200
    drain_s: int = 5
    body: Literal["all", "window", "none"] = "all"
    body_window_octets: int = 65_536
    log_path: str = ""
    log_state: str = ""
    log_services: tuple[str, ...] = ()


@of_list
def addresses(value: object) -> tuple[str, ...]:
    """A list of ``unix:PATH`` and ``inet:HOST:PORT``."""
    rule = 'must be a list of addresses such as ["unix:/run/mailsensor/milter.sock", "inet:127.0.0.1:8894"]'
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError(rule)
    for each in value:
        kind, _, where = each.partition(":")
        if kind == "unix" and where.startswith("/") and "\0" not in where:
            if len(where.encode()) > MAX_UNIX_PATH_OCTETS:
                raise ValueError(f"{rule}; a socket's path has at most {MAX_UNIX_PATH_OCTETS} octets")
        elif kind == "inet" and where:
            try:
                listen(where)
            except ValueError as error:
                raise ValueError(f"{rule}; behind inet: it {error}") from None
        else:
            raise ValueError(f'{rule}; "{each}" is none')
    return tuple(dict.fromkeys(value))


def group(value: object) -> str:
    """The name of a group that there is."""
    rule = 'must be the name of a group such as "postfix", or "" for our own'
    if value == "":
        return ""
    if not isinstance(value, str) or not value.isprintable():
        raise ValueError(rule)
    try:
        return grp.getgrnam(value).gr_name
    except KeyError:
        raise ValueError(f'{rule}; there is no group "{value}"') from None


@of_list
def services(value: object) -> tuple[str, ...]:
    """A list of programs as they stand in a log."""
    if not isinstance(value, list) or not all(
        isinstance(each, str) and re.fullmatch(r"[A-Za-z0-9._/-]{1,100}", each) for each in value
    ):
        raise ValueError('must be a list of names as in the log, such as ["postfix/smtpd", "postfix/pickup"]')
    return tuple(dict.fromkeys(value))


MILTER = Section(
    "milter",
    MilterSettings,
    {
        "listen": addresses,
        "socket_access": one_of(*get_args(SocketAccess)),
        "socket_group": group,
        "connections": whole(1, 100_000),
        "idle_timeout_s": whole(1, 86_400),
        "drain_s": whole(0, 600),
        "body": one_of("all", "window", "none"),
        "body_window_octets": whole(0, 1_073_741_824),
        "log_path": file,
        "log_state": file,
        "log_services": services,
    },
)
