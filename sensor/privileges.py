"""
Rights of the process: what it may do beside what its user may, and how it gives that up.

Linux keeps capabilities for each thread. A thread begins with those of the thread that started it, and nothing takes
them from it later: only a change of the user does that, which the C library makes in all threads. So rights are given
up before other threads begin, in three steps:

1. ``confine``: no program that is run from here on gains rights (no_new_privs, empty bounding and ambient sets).
2. ``become``: another user; of the capabilities only those named stay, to open sockets with.
3. ``keep_only``: none stays, once the sockets are open.

``excess`` then looks at every thread. Where there are no capabilities (macOS, BSD) only the user changes.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal

from sensor.errors import UserError

Capability = Literal["net_bind_service", "net_raw"]

NUMBERS: dict[Capability, int] = {"net_bind_service": 10, "net_raw": 13}
"""By their names in capabilities(7), of linux/capability.h."""

_SETPCAP = 8
_PR_SET_KEEPCAPS, _PR_CAPBSET_READ, _PR_CAPBSET_DROP = 8, 23, 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
# _LINUX_CAPABILITY_VERSION_3: sets of 64 bits, each as two halves.
_VERSION = 0x20080522
_HAS_CAPABILITIES = sys.platform == "linux"


class PrivilegeError(UserError):
    """Rights can't be given up as the settings want; the message says why and what would help."""


@dataclass(frozen=True, slots=True)
class Account:
    """Whom the process runs as: a user, one group, and the further groups of that user."""

    user: str
    uid: int
    gid: int
    groups: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ThreadRights:
    """What one thread may do, as ``/proc`` tells it. Sets of capabilities are bits by their numbers."""

    thread: int
    name: str
    uids: tuple[int, ...]
    effective: int
    permitted: int
    no_new_privs: bool


def is_root() -> bool:
    """True if files and sockets of others are open to this process."""
    return os.geteuid() == 0


def account_of(user: str, group: str = "") -> Account | None:
    """
    The account of that *user*, a name or a number; none if there is none. A number needs no entry in a directory.

    Without a *group*, the user's own and all further groups of the user. Raises ``PrivilegeError`` for a group that
    does not exist, and for a number of a user without a group of its own.
    """
    import pwd

    try:
        known = pwd.getpwuid(int(user)) if user.isdecimal() else pwd.getpwnam(user)
    except (KeyError, OverflowError):
        if not user.isdecimal():
            return None
        if not group:
            raise PrivilegeError(f"run.user: {user}: there is no such user, so run.group has to name a group") from None
        return Account(user, int(user), group_of(group))
    if group:
        return Account(known.pw_name, known.pw_uid, group_of(group))
    return Account(known.pw_name, known.pw_uid, known.pw_gid, tuple(os.getgrouplist(known.pw_name, known.pw_gid)))


def group_of(group: str) -> int:
    """The number of that *group*, a name or a number. Raises ``PrivilegeError`` for a name that there is not."""
    import grp

    try:
        return int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid
    except KeyError:
        raise PrivilegeError(f"run.group: {group}: there is no such group") from None


def can_read(account: Account, folders: Iterable[str]) -> str | None:
    """
    Asked by root: the first of *folders* that *account* can't read or enter; none if it can all.

    The process is that account for a moment, and so must have no other thread that opens anything.
    """
    before = os.getgroups(), os.getegid(), os.geteuid()
    try:
        os.setgroups(account.groups or (account.gid,))
        os.setegid(account.gid)
        os.seteuid(account.uid)
        return next((each for each in folders if not os.access(each, os.R_OK | os.X_OK, effective_ids=True)), None)
    finally:
        os.seteuid(before[2])
        os.setegid(before[1])
        os.setgroups(before[0])


def confine() -> None:
    """
    From here on no program that this thread, and those that it starts, may run gains rights.

    The bounding set stays as it is where the process may not change it: with no_new_privs it gives nothing.
    """
    if not _HAS_CAPABILITIES:
        return
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    if _effective() >> _SETPCAP & 1:
        for number in _bounding():
            _prctl(_PR_CAPBSET_DROP, number)


def become(account: Account, keep: AbstractSet[Capability] = frozenset()) -> None:
    """
    Run as *account* from here on, all threads; there is no way back. Of the capabilities this thread has those in
    *keep*, other threads none. Raises ``PrivilegeError``.
    """
    try:
        if _HAS_CAPABILITIES:
            _prctl(_PR_SET_KEEPCAPS, 1)
        os.setgroups(account.groups or (account.gid,))
        os.setresgid(account.gid, account.gid, account.gid)
        os.setresuid(account.uid, account.uid, account.uid)
        if _HAS_CAPABILITIES:
            _prctl(_PR_SET_KEEPCAPS, 0)
    except (OSError, OverflowError) as error:
        raise PrivilegeError(
            f"run.user: {account.user}: the system does not let this process become it: {error}"
        ) from None
    keep_only(keep)


def keep_only(keep: AbstractSet[Capability] = frozenset()) -> None:
    """Of the capabilities that this thread has or may take, it has those in *keep* from here on, and no other."""
    if not _HAS_CAPABILITIES:
        return
    wanted = sum(1 << NUMBERS[each] for each in keep) & _permitted()
    halves = [wanted & 0xFFFFFFFF, wanted >> 32]
    # Of each half: effective, permitted, inheritable.
    sets = (ctypes.c_uint32 * 6)(halves[0], halves[0], 0, halves[1], halves[1], 0)
    _checked(_library().capset(_header(), sets), "capset")


def may(capability: Capability) -> bool:
    """True if this thread has that capability. Always true where there are none and the user is root."""
    return bool(_effective() >> NUMBERS[capability] & 1) if _HAS_CAPABILITIES else is_root()


def threads() -> Iterator[ThreadRights]:
    """What every thread of this process may do; nothing where the system does not tell."""
    folder = "/proc/self/task"
    if not os.path.isdir(folder):
        return
    for thread in os.listdir(folder):
        try:
            with open(f"{folder}/{thread}/status", "rb") as file:
                lines = file.read().decode(errors="replace").splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended
        facts = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        yield ThreadRights(
            thread=int(thread),
            name=facts["Name"],
            uids=tuple(int(each) for each in facts["Uid"].split()),
            effective=int(facts["CapEff"], 16),
            permitted=int(facts["CapPrm"], 16),
            no_new_privs=facts.get("NoNewPrivs") == "1",
        )


def excess(keep: AbstractSet[Capability] = frozenset()) -> list[ThreadRights]:
    """The threads that are root's, may gain rights, or have capabilities beyond those in *keep*."""
    allowed = sum(1 << NUMBERS[each] for each in keep)
    return [
        each
        for each in threads()
        if 0 in each.uids or not each.no_new_privs or (each.effective | each.permitted) & ~allowed
    ]


def names_of(capabilities: Iterable[Capability]) -> str:
    """For a person."""
    return ", ".join(f"CAP_{each.upper()}" for each in sorted(capabilities)) or "none"


# ---- the kernel's own calls


def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, argument: int) -> int:
    arguments = [ctypes.c_ulong(each) for each in (argument, 0, 0, 0)]
    return _checked(_library().prctl(ctypes.c_int(option), *arguments), "prctl")


def _header() -> ctypes.Array[ctypes.c_uint32]:
    return (ctypes.c_uint32 * 2)(_VERSION, 0)


def _sets() -> tuple[int, int]:
    """Effective and permitted capabilities of this thread."""
    sets = (ctypes.c_uint32 * 6)()
    _checked(_library().capget(_header(), sets), "capget")
    return sets[0] | sets[3] << 32, sets[1] | sets[4] << 32


def _effective() -> int:
    return _sets()[0]


def _permitted() -> int:
    return _sets()[1]


def _bounding() -> Iterator[int]:
    """The capabilities of the bounding set: asked one by one until there is none of that number."""
    for number in range(64):
        try:
            if _prctl(_PR_CAPBSET_READ, number):
                yield number
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            return


def _checked(result: int, call: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")
    return result
