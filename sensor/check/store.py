"""The file of states: whether it can be gone on from."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator

from sensor.check.base import Check, Line, Subject, fail, ok, warn
from sensor.check.facts import in_words
from sensor.database import Database, DatabaseError, OlderDatabaseError
from sensor.pseudonym import KeyFileError, KeyRing, key_ring


def _look(subject: Subject) -> Iterator[Line]:
    path = subject.settings.store.path
    if not path:
        yield warn("store.path", "none: accounts begin anew at each start", "set store.path")
        return
    if not os.path.exists(path):
        yield ok("store.path", f"{path}: is made at the first start")
        return
    holder = _holder(path)
    if holder is not None:
        yield warn(
            "store.path", f"{path}: process {holder} writes to it; the sensor itself, if it runs", "else end that one"
        )
    try:
        with Database(path, writes=False, keys=_keys(subject.settings.privacy.key_file)) as database:
            kinds = len(database.kinds())
    except OlderDatabaseError:
        yield ok("store.path", f"{path}: is brought up to this version at the next start")
    except (DatabaseError, KeyFileError) as error:
        yield fail("store.path", str(error), "move it away to start anew, or restore a copy (docs/store.md)")
    else:
        yield ok("store.path", f"{path}: {in_words(os.path.getsize(path))}, {kinds} kinds of states")


def _keys(path: str) -> KeyRing | None:
    """The keys that the store may be sealed with. None are made. Raises ``KeyFileError``."""
    return key_ring(path, makes=False) if path and os.path.exists(path) else None


def _holder(path: str) -> str | None:
    """The process that holds the lock, as far as it can be told; none if nobody does."""
    try:
        with open(f"{path}.lock", "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        with open(f"{path}.lock", "rb") as lock:
            return lock.read(20).decode("ascii", "replace").strip() or "unknown"
    except OSError:
        return None
    return None


STORE = Check("store", "the file of states", _look)
