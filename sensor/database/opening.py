"""Opening the file: one writer at a time, nobody else's file, and the tables of this version."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress

from sensor.database.errors import DatabaseError, OlderDatabaseError
from sensor.database.rows import read_text
from sensor.database.tables import APPLICATION_ID, Migration

BUSY_TIMEOUT_MS = 5_000
"""How long a reader that holds a lock for a moment is waited for, as at the end of a WAL checkpoint."""


def take_lock(path: str) -> int:
    """
    Hold ``<path>.lock`` for as long as the process lives: the system frees it however the process ends.

    The descriptor that holds it. Raises ``DatabaseError`` where another process has it, or where it can't be had.
    """
    name = f"{path}.lock"
    try:
        lock = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DatabaseError(f"{path}: can't be opened for writing: {name}: {error.strerror}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        why = _why_not_locked(lock, error)
        os.close(lock)
        raise DatabaseError(f"{path}: {why}, or give another path") from None
    with suppress(OSError):  # the number is a courtesy to whoever finds the lock taken; a full disk may refuse it
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
    return lock


def _why_not_locked(lock: int, error: OSError) -> str:
    if not isinstance(error, BlockingIOError):
        return f"can't be locked: {error.strerror}; put it on a file system that has locks"
    holder = os.pread(lock, 20, 0).decode("ascii", "replace").strip()
    who = f" (process {holder})" if holder.isdigit() else ""
    return f"another mailsensor{who} writes to this file; wait for it"


def connect(path: str, *, writes: bool, migrations: Sequence[Migration]) -> sqlite3.Connection:
    """
    A connection to the file, made where it is not there, and brought to the newest of *migrations*. Without *writes*
    nothing is made or changed.

    Raises ``DatabaseError`` for a file that is not ours or of another version, and what SQLite and the disk raise.
    """
    if not writes and not os.path.exists(path):
        raise DatabaseError(f"{path}: there is no such file; `mailsensor replay --store {path} ...` makes one")
    if writes:
        # Made by us first, so that nobody else can read who writes to whom; SQLite gives its other files the same mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        connection.text_factory = read_text
        if not writes:
            connection.execute("PRAGMA query_only = ON")
        version = _checked_version(connection, path, newest=len(migrations), writes=writes)
        if writes:
            _set_up_writing(connection)
            _migrate(connection, migrations, version)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All that is written inside, or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.rollback()
        raise


def cut_log(connection: sqlite3.Connection) -> None:
    """
    Put all of the log into the file and cut it to nothing, since it holds what was before. A reader that is in the way
    is waited for, ``BUSY_TIMEOUT_MS`` at most; what is left then goes with the next time.
    """
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _checked_version(connection: sqlite3.Connection, path: str, *, newest: int, writes: bool) -> int:
    """The version of the file, 0 for one that holds nothing. Raises ``DatabaseError`` for one that can't be used."""
    version, application = _pragma(connection, "user_version"), _pragma(connection, "application_id")
    is_new = version == 0 and application == 0 and _pragma(connection, "schema_version") == 0
    if application != APPLICATION_ID and not is_new:
        raise DatabaseError(f"{path}: is a SQLite file of another program; give another path")
    if version > newest:
        raise DatabaseError(
            f"{path}: was written by a newer mailsensor (version {version}; this one knows {newest}); nothing "
            "was changed: upgrade, or give another path"
        )
    if version < newest and not writes:
        found = "holds nothing yet" if is_new else f"is of an older version ({version} of {newest})"
        raise OlderDatabaseError(f"{path}: {found}; run a replay with --store on it first")
    return version


def _set_up_writing(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    # With WAL, NORMAL survives the death of the process at any point; losing power may cost the last saves.
    connection.execute("PRAGMA synchronous = NORMAL")
    # What is deleted or replaced is overwritten with zeros: a mailbox that is forgotten is forgotten.
    connection.execute("PRAGMA secure_delete = ON")


def _migrate(connection: sqlite3.Connection, migrations: Sequence[Migration], version: int) -> None:
    """Bring the file to the newest version: in one transaction, so that it is never between two."""
    if version == len(migrations):
        return
    with transaction(connection):
        for step in migrations[version:]:
            step(connection)
        connection.execute(f"PRAGMA user_version = {len(migrations)}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    with closing(connection.execute(f"PRAGMA {name}")) as rows:
        return int(rows.fetchone()[0])
