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
from dataclasses import dataclass, field

from sensor.errors import why_not_listening
from sensor.settings import split_listen
from sensor.settings.milter import SocketAccess
from sensor.taps.base import TapError

BACKLOG = 256
"""Connections that wait to be accepted. A burst of smtpd processes connects at once; the kernel may cap it lower."""

_MODES: Mapping[SocketAccess, int] = {"owner": 0o600, "group": 0o660, "everybody": 0o666}


@dataclass(slots=True)
class Door:
    """
    A listening socket, which nobody finds before it is opened. ``address`` is in the form in which it was asked for,
    with the port that it got.
    """

    address: str
    listener: socket.socket
    path: str | None = None
    _made_as: str | None = None
    _inode: int = field(default=0)

    def open(self) -> None:
        """Put a UNIX socket in its place, which may be that of an earlier one of ours. Raises ``TapError``."""
        if self.path is None or self._made_as is None:
            return
        self._inode = os.lstat(self._made_as).st_ino
        try:
            os.replace(self._made_as, self.path)
        except OSError as error:
            raise TapError(f"{self.address}: can't listen there: {error.strerror}") from None
        self._made_as = None

    def close(self) -> None:
        """Close it, and remove its path; not that of another socket which has taken its place since."""
        self.listener.close()
        with suppress(FileNotFoundError):
            if self._made_as is not None:
                os.unlink(self._made_as)
            elif self.path is not None and os.lstat(self.path).st_ino == self._inode:
                os.unlink(self.path)


@contextmanager
def listening(addresses: Sequence[str], access: SocketAccess = "owner", group: str = "") -> Iterator[list[Door]]:
    """
    A door for each of *addresses* (``unix:PATH``, ``inet:HOST:PORT``), not opened yet.

    UNIX sockets belong to *group* ("": our own), and *access* says who may connect. Raises ``TapError`` for what can't
    be listened on, and then leaves nothing behind.
    """
    with ExitStack() as made:
        doors = []
        for address in addresses:
            door = _door(address, access, group)
            made.callback(door.close)
            doors.append(door)
        yield doors


def _door(address: str, access: SocketAccess, group: str) -> Door:
    kind, _, where = address.partition(":")
    try:
        return _unix(address, where, access, group) if kind == "unix" else _inet(where)
    except KeyError:
        raise TapError(f"{address}: can't listen there: there is no group {group}") from None
    except OSError as error:
        why = _why_no_socket(where, error) if kind == "unix" else why_not_listening(error)
        raise TapError(f"{address}: can't listen there: {why}") from None


def _why_no_socket(path: str, error: OSError) -> str:
    folder = os.path.dirname(path)
    if isinstance(error, FileNotFoundError) and not os.path.isdir(folder):
        return f"there is no folder {folder}; make it, or name another"
    return error.strerror or str(error)


def _inet(where: str) -> Door:
    host, port = split_listen(where)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The port may be shared among the processes of one user, and by a reload's new listener with the old one.
    listener = socket.create_server((host, port), family=family, backlog=BACKLOG, reuse_port=True)
    host, port = listener.getsockname()[:2]
    return Door(f"inet:[{host}]:{port}" if ":" in host else f"inet:{host}:{port}", listener)


def _unix(address: str, path: str, access: SocketAccess, group: str) -> Door:
    """Made under another name: nobody finds it before mode and group are right."""
    _make_sure(path)
    own = f"{path}.{os.getpid()}"
    with suppress(FileNotFoundError):
        os.unlink(own)
    door = Door(address, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), path, own)
    try:
        door.listener.bind(own)
        os.chmod(own, 0)
        if group:
            os.chown(own, -1, grp.getgrnam(group).gr_gid)
        os.chmod(own, _MODES[access])
        door.listener.listen(BACKLOG)
    except BaseException:
        door.close()
        raise
    return door


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
