"""Where MTAs reach us: UNIX sockets, with mode and group, and TCP ports."""

from __future__ import annotations

import errno
import grp
import os
import socket
import stat
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress

from sensor.settings import split_listen
from sensor.settings.milter import SocketAccess
from sensor.taps.base import TapError

BACKLOG = 256
"""Connections that wait to be accepted. A burst of smtpd processes connects at once; the kernel may cap it lower."""


_MODES: Mapping[SocketAccess, int] = {"owner": 0o600, "group": 0o660, "everybody": 0o666}


@contextmanager
def listening(
    addresses: Sequence[str], access: SocketAccess = "owner", group: str = ""
) -> Iterator[list[socket.socket]]:
    """
    A listening socket for each of *addresses* (``unix:PATH``, ``inet:HOST:PORT``); paths are removed at the end.

    UNIX sockets belong to *group* ("": our own), and *access* says who may connect.

    Raises ``TapError`` for what can't be listened on, and then leaves nothing behind.
    """
    with ExitStack() as opened:
        yield [opened.enter_context(_listening(each, access, group)) for each in addresses]


@contextmanager
def _listening(address: str, access: SocketAccess, group: str) -> Iterator[socket.socket]:
    kind, _, where = address.partition(":")
    try:
        listener = _unix(where, access, group) if kind == "unix" else _inet(where)
    except (OSError, KeyError) as error:
        why = f"there is no group {group}" if isinstance(error, KeyError) else error.strerror or str(error)
        raise TapError(f"{address}: can't listen there: {why}") from None
    inode = os.lstat(where).st_ino if kind == "unix" else None
    with listener:
        try:
            yield listener
        finally:
            if inode is not None:
                _remove(where, inode)


def told(address: str, listener: socket.socket) -> str:
    """Where it listens, in the form in which it was asked for, with the port that it got."""
    if listener.family == socket.AF_UNIX:
        return address
    host, port = listener.getsockname()[:2]
    return f"inet:[{host}]:{port}" if ":" in host else f"inet:{host}:{port}"


def _inet(where: str) -> socket.socket:
    host, port = split_listen(where)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The port may be shared among the processes of one user, and by a reload's new listener with the old one.
    return socket.create_server((host, port), family=family, backlog=BACKLOG, reuse_port=True)


def _unix(path: str, access: SocketAccess, group: str) -> socket.socket:
    """Made under another name and then put in place: nobody finds it before mode and group are right."""
    _make_sure(path)
    own = f"{path}.{os.getpid()}"
    with suppress(FileNotFoundError):
        os.unlink(own)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(own)
        os.chmod(own, 0)
        if group:
            os.chown(own, -1, grp.getgrnam(group).gr_gid)
        os.chmod(own, _MODES[access])
        listener.listen(BACKLOG)
        os.replace(own, path)
    except BaseException:
        listener.close()
        with suppress(FileNotFoundError):
            os.unlink(own)
        raise
    return listener


def _make_sure(path: str) -> None:
    """Raise ``OSError`` if a file stands at *path*, or a socket on which another process listens."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise OSError(errno.EEXIST, "there is a file of that name, which is no socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return  # nobody does any more: it was left by a process that was killed
        if _listener_of(probe) != os.getpid():
            raise OSError(errno.EADDRINUSE, "another process listens there")


def _listener_of(probe: socket.socket) -> int:
    """The process at the other end (``SO_PEERCRED``, unix(7)); 0 where the system does not tell."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return 0
    process, _, _ = struct.unpack("3i", probe.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i")))
    return int(process)


def _remove(path: str, inode: int) -> None:
    """Remove a socket of ours; not that of another process which has taken its place since."""
    with suppress(FileNotFoundError):
        if os.lstat(path).st_ino == inode:
            os.unlink(path)
