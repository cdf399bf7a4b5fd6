"""Whom the sensor runs as, and when it gives its rights up: by the settings, whatever it was started with."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Sequence

import sensor
from sensor import privileges
from sensor.log import Log
from sensor.privileges import Account, Capability, PrivilegeError
from sensor.settings import RunSettings

USER = "mailsensor"
"""Whom a service that root starts becomes, where the settings name nobody else: made by ``deploy/install.sh``."""

_OPENING: frozenset[Capability] = frozenset(("net_raw", "net_bind_service"))
"""What opening sockets takes: capturing, and listening on ports below 1024."""


class Rights:
    """
    Gives up rights in steps; what has to be opened is opened between them, and other threads begin behind them.

    ``become`` first; files that are opened before it are those of whoever started the process. Then, with no thread
    begun but those of the core, ``sockets_are_open``, and in the end ``check``. Raises ``PrivilegeError`` where root
    has nobody to become, and did not say that it wants to stay root.

    *stand_ins* are users to become where neither the settings name one nor ``USER`` is there. If none of them can read
    the program (a virtual environment in root's home), the user stays root: with no capability, but in threads that
    began before ``become``.
    """

    def __init__(self, run: RunSettings, *, log: Log, stand_ins: Sequence[str] = ()) -> None:
        self._log = log
        self._stays_root = run.stays_root and privileges.is_root()
        self._keeps: frozenset[Capability] = frozenset(("net_raw",) if run.keep_net_raw else ())
        self._account = None if self._stays_root else _account(run, stand_ins)
        if not self._stays_root:
            privileges.confine()

    def become(self) -> None:
        """
        Be the user. The right to open sockets stays, for this thread; one that a file gives (setcap) is taken up.

        Not later: where one thread may change the user and another, of a tap, may not any more, the C library ends the
        process.
        """
        if self._account is not None:
            privileges.become(self._account, _OPENING)
        elif not self._stays_root:
            privileges.keep_only(_OPENING)

    def sockets_are_open(self) -> None:
        """The right to open more goes."""
        if not self._stays_root:
            privileges.keep_only(self._keeps)

    def check(self) -> None:
        """Look at all threads. Raises ``PrivilegeError`` where one may do what it should not."""
        if privileges.is_root():
            return
        too_much = privileges.excess(self._keeps)
        if too_much:
            names = ", ".join(f"{each.name} ({each.thread})" for each in too_much)
            raise PrivilegeError(
                f"rights were not given up by all threads: {names}; this is a defect, please report it"
            )

    def tell(self) -> None:
        """Say in the log what it came to."""
        if self._stays_root:
            self._log.warning("stays_root", why='run.user = "root"')
            return
        self._log.info("unprivileged", uid=os.getuid(), gid=os.getgid(), capabilities=privileges.names_of(self._keeps))


def _account(run: RunSettings, stand_ins: Sequence[str]) -> Account | None:
    """Whom to become; none if this process is nobody it has to cease to be, or there is nobody to become."""
    wanted = run.user
    if not privileges.is_root():
        account = privileges.account_of(wanted, run.group) if wanted else None
        if wanted and (account is None or account.uid != os.geteuid()):
            raise PrivilegeError(
                f"run.user: {wanted}: only root can become it; this process runs as user {os.geteuid()}"
            )
        return None
    account = privileges.account_of(wanted or USER, run.group)
    if account is None and stand_ins and not wanted:
        return _one_of(stand_ins)
    if account is None or account.uid == 0:
        raise PrivilegeError(_nobody_to_become(wanted))
    hidden = privileges.can_read(account, _read_later())
    if hidden is not None:
        raise PrivilegeError(
            f"run.user: {account.user} can't read {hidden}, where the program is installed: install it where others "
            "can read it (deploy/install.sh does), or name another user"
        )
    return account


def _one_of(stand_ins: Sequence[str]) -> Account | None:
    """The first that is there, is not root, and can read what will be imported."""
    found = (privileges.account_of(each) for each in stand_ins)
    able = (each for each in found if each is not None and each.uid != 0)
    return next((each for each in able if privileges.can_read(each, _read_later()) is None), None)


def _nobody_to_become(wanted: str) -> str:
    if wanted:
        return f"run.user: {wanted}: there is no such user, or it is root by another name"
    return (
        f"runs as root, and there is no user {USER} to become: make one (useradd --system {USER}; deploy/install.sh "
        'does), name another in run.user, or set run.user = "root" to stay root'
    )


def _read_later() -> tuple[str, ...]:
    """Folders that modules are imported from when they are needed, and so by the user."""
    return (
        os.path.dirname(os.path.abspath(sensor.__file__)),
        *(sysconfig.get_path(each) for each in ("stdlib", "platstdlib", "purelib", "platlib")),
    )
