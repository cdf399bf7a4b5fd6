"""Ports that are listened on: whether they can be had."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from dataclasses import fields

from sensor.check.base import Check, Line, Subject, fail, ok, warn
from sensor.settings import Settings, split_listen


def listening(settings: Settings) -> Iterator[tuple[str, str]]:
    """
    What is listened on, as the setting's name and ``host:port``: whatever section has a ``listen``.

    Of a list of addresses, those that are none of TCP are left out.
    """
    for section in fields(settings):
        told = getattr(getattr(settings, section.name), "listen", ())
        for each in (told,) if isinstance(told, str) else told:
            kind, _, where = each.partition(":") if each.startswith(("inet:", "unix:")) else ("inet", "", each)
            if kind == "inet" and where:
                yield f"{section.name}.listen", where


def _look(subject: Subject) -> Iterator[Line]:
    for name, listen in listening(subject.settings):
        yield _tried(name, listen)


def _tried(name: str, listen: str) -> Line:
    host, port = split_listen(listen)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as trying:
            trying.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trying.bind(("127.0.0.1" if host == "localhost" else host, port))
            # Two may be bound to a port that nobody listens on.
            trying.listen(1)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return warn(
                name, f"{listen}: somebody listens there; the sensor itself, if it runs", "else name another port"
            )
        if error.errno == errno.EACCES:
            return fail(
                name,
                f"{listen}: user {os.geteuid()} may not listen on ports below 1024",
                "name a higher port, or give the unit file CAP_NET_BIND_SERVICE too",
            )
        return fail(name, f"{listen}: {error.strerror}", "name an address of this host")
    return ok(name, listen)


PORTS = Check("ports", "ports to listen on", _look)
