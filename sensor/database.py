"""
What the sensor keeps between runs: one SQLite file with accounts, states of detectors, alerts, and which captures were
counted.

Everything that belongs together is written in one transaction: after a crash or a kill the file holds the last save,
whole. What could not be written (disk full) is held and written with the next save, so nothing is lost while the
process lives. One process writes at a time, told by a lock that ends with the process; readers are never kept out.
States are opaque here: kind, key and a blob whose form its owner knows. Each has a checksum, since SQLite has none: an
octet that a disk turned is found out, costs that one state, and is never counted as mail.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from zlib import crc32

from sensor.errors import UserError

# "mfls": tells our files from other programs' (PRAGMA application_id).
APPLICATION_ID = 0x6D666C73
# Milliseconds to wait for a reader that holds a lock for a moment, as at the end of a WAL checkpoint.
BUSY_TIMEOUT_MS = 5_000

_TABLES = """
CREATE TABLE state (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    blob BLOB NOT NULL,
    PRIMARY KEY (kind, key)
) WITHOUT ROWID;
CREATE TABLE capture (
    digest TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    octets INTEGER NOT NULL,
    counted_at TEXT NOT NULL
) WITHOUT ROWID;
"""

Migration = Callable[[sqlite3.Connection], None]


def _first_tables(connection: sqlite3.Connection) -> None:
    for statement in _TABLES.split(";"):
        connection.execute(statement)


def _checksums(connection: sqlite3.Connection) -> None:
    connection.create_function("state_checksum", 3, _checksum, deterministic=True)
    connection.execute("ALTER TABLE state ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0")
    connection.execute("UPDATE state SET checksum = state_checksum(kind, key, blob)")


# The n-th brings a file from version n to n + 1; a file's version is PRAGMA user_version.
MIGRATIONS: tuple[Migration, ...] = (_first_tables, _checksums)


class DatabaseError(UserError):
    """The file can't be used, or not now; the message says why and what to do."""


class OlderDatabaseError(DatabaseError):
    """The file is of an older version, or holds nothing yet: whoever opens it for writing makes it current."""


@dataclass(frozen=True, slots=True)
class Change:
    """A state to be kept; an empty blob means that it is gone."""

    kind: str
    key: str
    blob: bytes


@dataclass(frozen=True, slots=True)
class CountedCapture:
    """A capture whose mail is in the ledger. ``digest`` is of the file as it lay on disk."""

    digest: str
    name: str
    octets: int
    counted_at: str


class Database:
    """
    An open file. Raises ``DatabaseError``, with the path and what to do, for everything that SQLite or the disk refuse.

    Without *writes* the file must exist, is never changed, and may be in use by the process that writes it.
    """

    def __init__(self, path: str, *, writes: bool = True, migrations: tuple[Migration, ...] = MIGRATIONS) -> None:
        self.path = path
        self._migrations = migrations
        self._lock: int | None = None
        self._held: dict[tuple[str, str], bytes] = {}
        self._held_captures: dict[str, CountedCapture] = {}
        self._damaged: dict[tuple[str, str], None] = {}
        if writes:
            self._lock = _take_lock(path)
        try:
            self._connection = self._open(writes=writes)
        except BaseException:
            self._release_lock()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back. What could not be saved so far is gone."""
        self._connection.close()
        self._release_lock()

    @property
    def unsaved(self) -> int:
        """States that an earlier save could not write and that wait for the next."""
        return len(self._held)

    @property
    def damaged(self) -> list[tuple[str, str]]:
        """Kind and key of the states that were found damaged while reading; the next save drops them."""
        return list(self._damaged)

    def save(self, changes: Iterable[Change], captures: Iterable[CountedCapture] = ()) -> None:
        """
        Write all of it, and what earlier saves could not, in one transaction.

        On ``DatabaseError`` the file is as it was, and everything is held for the next save.
        """
        changes = self._with_held(changes)
        self._held_captures |= {capture.digest: capture for capture in captures}
        with _explained(self.path):
            try:
                self._write(changes)
            except BaseException:
                # What was not yet drawn from the iterator must not be lost either.
                self._hold(changes)
                with suppress(sqlite3.Error):
                    self._connection.rollback()
                raise
        self._held.clear()
        self._held_captures.clear()
        self._damaged.clear()

    def states(self, kind: str) -> Iterator[tuple[str, bytes]]:
        """Every key and blob of one kind, by key; those that are ``damaged`` are left out."""
        with _explained(self.path):
            rows = self._connection.execute(
                "SELECT key, blob, checksum FROM state WHERE kind = ? ORDER BY key", (kind,)
            )
            for key, blob, checksum in rows:
                if isinstance(blob, bytes) and checksum == _checksum(kind, str(key), blob):
                    yield str(key), blob
                else:
                    self._damaged[kind, str(key)] = None

    def kinds(self) -> list[str]:
        """The kinds of which there is a state."""
        with _explained(self.path):
            return [str(kind) for (kind,) in self._connection.execute("SELECT DISTINCT kind FROM state ORDER BY kind")]

    def counted(self, digest: str) -> CountedCapture | None:
        """The capture of that digest, if its mail was counted."""
        with _explained(self.path):
            found = self._connection.execute(
                "SELECT digest, name, octets, counted_at FROM capture WHERE digest = ?", (digest,)
            ).fetchone()
        return None if found is None else CountedCapture(*found)

    # ---- inside

    def _with_held(self, changes: Iterable[Change]) -> Iterator[Change]:
        """
        What goes as damaged, what was held, then the new; each is held from the moment it is drawn until the save has
        ended well.
        """
        yield from [Change(kind, key, b"") for kind, key in self._damaged]
        yield from [Change(kind, key, blob) for (kind, key), blob in self._held.items()]
        for change in changes:
            self._held[change.kind, change.key] = change.blob
            yield change

    def _hold(self, rest: Iterator[Change]) -> None:
        for change in rest:
            self._held[change.kind, change.key] = change.blob

    def _write(self, changes: Iterator[Change]) -> None:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        for change in changes:
            if change.blob:
                kind, key = _text(change.kind), _text(change.key)
                connection.execute(
                    "INSERT OR REPLACE INTO state (kind, key, blob, checksum) VALUES (?, ?, ?, ?)",
                    (kind, key, change.blob, _checksum(kind, key, change.blob)),
                )
            else:
                connection.execute(
                    "DELETE FROM state WHERE kind = ? AND key = ?", (_text(change.kind), _text(change.key))
                )
        connection.executemany(
            "INSERT OR REPLACE INTO capture (digest, name, octets, counted_at) VALUES (?, ?, ?, ?)",
            [(each.digest, _text(each.name), each.octets, each.counted_at) for each in self._held_captures.values()],
        )
        connection.execute("COMMIT")

    def _open(self, *, writes: bool) -> sqlite3.Connection:
        with _explained(self.path):
            connection = _connect(self.path, writes=writes)
            try:
                self._make_ready(connection, writes=writes)
            except BaseException:
                connection.close()
                raise
            return connection

    def _make_ready(self, connection: sqlite3.Connection, *, writes: bool) -> None:
        version, application = _pragma(connection, "user_version"), _pragma(connection, "application_id")
        newest = len(self._migrations)
        is_new = version == 0 and application == 0 and _pragma(connection, "schema_version") == 0
        if application != APPLICATION_ID and not is_new:
            raise DatabaseError(f"{self.path}: is a SQLite file of another program; give another path")
        if version > newest:
            raise DatabaseError(
                f"{self.path}: was written by a newer mailsensor (version {version}; this one knows {newest}); nothing "
                "was changed: upgrade, or give another path"
            )
        if writes:
            connection.execute("PRAGMA journal_mode = WAL")
            # With WAL, NORMAL survives the death of the process at any point; losing power may cost the last saves.
            connection.execute("PRAGMA synchronous = NORMAL")
            self._migrate(connection, version)
        elif version < newest:
            raise OlderDatabaseError(
                f"{self.path}: "
                + ("holds nothing yet" if is_new else f"is of an older version ({version} of {newest})")
                + "; run a replay with --store on it first"
            )

    def _migrate(self, connection: sqlite3.Connection, version: int) -> None:
        """Bring the file to the newest version: in one transaction, so that it is never between two."""
        if version == len(self._migrations):
            return
        connection.execute("BEGIN IMMEDIATE")
        try:
            for step in self._migrations[version:]:
                step(connection)
            connection.execute(f"PRAGMA user_version = {len(self._migrations)}")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                connection.rollback()
            raise

    def _release_lock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _take_lock(path: str) -> int:
    """Hold ``<path>.lock`` for as long as the process lives: the system frees it however the process ends."""
    name = f"{path}.lock"
    try:
        lock = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DatabaseError(f"{path}: can't be opened for writing: {name}: {error.strerror}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.pread(lock, 20, 0).decode("ascii", "replace").strip()
        os.close(lock)
        who = f" (process {holder})" if holder.isdigit() else ""
        raise DatabaseError(
            f"{path}: another mailsensor{who} writes to this file; wait for it, or give another path"
        ) from None
    with suppress(OSError):  # the number is a courtesy to whoever finds the lock taken; a full disk may refuse it
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
    return lock


def _connect(path: str, *, writes: bool) -> sqlite3.Connection:
    if not writes and not os.path.exists(path):
        raise DatabaseError(f"{path}: there is no such file; `mailsensor replay --store {path} ...` makes one")
    if writes:
        # Made by us first, so that nobody else can read who writes to whom; SQLite gives its other files the same mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    # A damaged text is to fail its checksum, not the whole reading.
    connection.text_factory = lambda octets: octets.decode("utf-8", "backslashreplace")
    if not writes:
        connection.execute("PRAGMA query_only = ON")
    return connection


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    with closing(connection.execute(f"PRAGMA {name}")) as rows:
        return int(rows.fetchone()[0])


def _text(value: str) -> str:
    """As SQLite can hold it: addresses on the wire may hold what no encoding of text has."""
    return value.encode("utf-8", "backslashreplace").decode()


def _checksum(kind: str, key: str, blob: bytes) -> int:
    return crc32(blob, crc32(f"{kind}\0{key}\0".encode("utf-8", "backslashreplace")))


class _explained:  # noqa: N801 - a context manager, used as a function
    """Turns what SQLite and the disk refuse into a ``DatabaseError`` that says what to do."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, sqlite3.Error):
            raise DatabaseError(f"{self._path}: {_advice(error)}") from error
        if isinstance(error, OSError):
            raise DatabaseError(f"{self._path}: {error.strerror or error}") from error


_ADVICE: dict[int, str] = {
    sqlite3.SQLITE_FULL: "no room left on the disk; the file holds the save before this one. Make room",
    sqlite3.SQLITE_IOERR: "the disk refused to read or write; the file holds the save before this one",
    sqlite3.SQLITE_NOTADB: "is no SQLite file; give another path",
    sqlite3.SQLITE_CORRUPT: "is damaged; move it away and start anew, or restore a copy",
    sqlite3.SQLITE_READONLY: "can't be written; look at the owner and mode of the file and of its folder",
    sqlite3.SQLITE_CANTOPEN: "can't be opened; look at the owner and mode of the file and of its folder",
    sqlite3.SQLITE_BUSY: "is in use by another program for too long",
}


def _advice(error: sqlite3.Error) -> str:
    # Extended codes hold the plain one in their low octet.
    code = getattr(error, "sqlite_errorcode", None)
    known = _ADVICE.get(code & 0xFF) if isinstance(code, int) else None
    return f"{known} ({error})" if known else str(error)
