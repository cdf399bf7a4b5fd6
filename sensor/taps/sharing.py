"""
Whether somebody else listens on a port of ours.

Taps share their ports (SO_REUSEPORT), so that a reload or a restart leaves no client without an answer. An MTA may
share its own too (Postfix does): started on its port by the same user, both would listen without an error, and the
kernel would share the clients out among them.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from contextlib import suppress

SHARED = "another process listens there too and gets some of the clients; `ss -ltnp` tells which"
"""For the log, where sharing is right among several of ours, as in a rolling restart."""

_LISTENING = "0A"
"""The state of a listening socket in /proc/net/tcp (proc(5); TCP_LISTEN of the kernel)."""

_SOCKET = re.compile(r"socket:\[(\d+)\]")


def is_shared(listener: socket.socket) -> bool:
    """True if another process listens where *listener* does. False where that can't be looked up (no Linux)."""
    host, port = listener.getsockname()[:2]
    address = socket.inet_pton(listener.family, str(host).partition("%")[0])
    ours = set(_own_sockets())
    return any(
        theirs == port and (other == address or not any(other) or not any(address)) and inode not in ours
        for other, theirs, inode in _listening(listener.family)
    )


def _listening(family: int) -> Iterator[tuple[bytes, int, int]]:
    """Address, port and inode of each listening socket of this network namespace."""
    try:
        with open("/proc/net/tcp6" if family == socket.AF_INET6 else "/proc/net/tcp", encoding="ascii") as table:
            rows = [line.split() for line in table][1:]
    except OSError:
        return
    for row in rows:
        if row[3] == _LISTENING:
            address, _, port = row[1].partition(":")
            yield _octets(address), int(port, 16), int(row[9])


def _octets(text: str) -> bytes:
    """An address as it goes over the wire, of the kernel's words in the machine's own order."""
    words = [text[at : at + 8] for at in range(0, len(text), 8)]
    return b"".join(socket.htonl(int(word, 16)).to_bytes(4, "big") for word in words)


def _own_sockets() -> Iterator[int]:
    with suppress(OSError):
        for name in os.listdir("/proc/self/fd"):
            # What was open while the folder was listed may be closed by now.
            with suppress(OSError):
                found = _SOCKET.fullmatch(os.readlink(f"/proc/self/fd/{name}"))
                if found is not None:
                    yield int(found[1])
