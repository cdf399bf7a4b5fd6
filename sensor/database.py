"""
What the sensor keeps between runs: one SQLite file with accounts, states of detectors, alerts, and which captures were
counted.

Everything that belongs together is written in one transaction: after a crash or a kill the file holds the last save,
whole. What could not be written (disk full) is held and written with the next save, so nothing is lost while the
process lives. One process writes at a time, told by a lock that ends with the process; readers are never kept out.
States are opaque here: kind, key and a blob whose form its owner knows. Each has a checksum, since SQLite has none: an
octet that a disk turned is found out, costs that one state, and is never counted as mail.

A file may be sealed: keys and blobs then are encrypted (``sensor.sealing``), all of them with one key. Opening it for
writing brings it to what is asked for: clear, or sealed with the newest key.

What is deleted is gone from the file: SQLite writes zeros over it, and its log is cut back. Each state has the day on
which it last changed, so that what nothing happened to can be found and deleted.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from zlib import crc32

from sensor.errors import UserError
from sensor.pseudonym import KeyRing
from sensor.sealing import Seal, seal_of

# "mfls": tells our files from other programs' (PRAGMA application_id).
APPLICATION_ID = 0x6D666C73
# Milliseconds to wait for a reader that holds a lock for a moment, as at the end of a WAL checkpoint.
BUSY_TIMEOUT_MS = 5_000

DAY_S = 86_400

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


def _days_and_seal(connection: sqlite3.Connection) -> None:
    """What is there counts as changed today: nobody knows better, and nothing is to be deleted for that."""
    connection.execute("ALTER TABLE state ADD COLUMN changed_on INTEGER NOT NULL DEFAULT 0")
    connection.execute("UPDATE state SET changed_on = ?", (today(),))
    connection.execute("CREATE INDEX state_changed_on ON state (changed_on)")
    connection.execute("CREATE TABLE seal (key_id TEXT PRIMARY KEY) WITHOUT ROWID")


def today() -> int:
    """The day by the calendar, UTC, as its number since 1970."""
    return int(time.time() // DAY_S)


# The n-th brings a file from version n to n + 1; a file's version is PRAGMA user_version.
MIGRATIONS: tuple[Migration, ...] = (_first_tables, _checksums, _days_and_seal)


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

    *keys* open a sealed file. With *sealed* one that is written is sealed with the newest of them, else it is clear.
    """

    def __init__(
        self,
        path: str,
        *,
        writes: bool = True,
        keys: KeyRing | None = None,
        sealed: bool = False,
        migrations: tuple[Migration, ...] = MIGRATIONS,
        day: Callable[[], int] = today,
    ) -> None:
        self.path = path
        self._keys, self._seals = keys, sealed
        self._seal: Seal | None = None
        self._day = day
        self._migrations = migrations
        self._lock: int | None = None
        self._held: dict[tuple[str, str], bytes] = {}
        self._held_captures: dict[str, CountedCapture] = {}
        self._damaged: dict[tuple[str, str], None] = {}
        if os.path.isdir(path):
            raise DatabaseError(f"{path}: is a directory; name a file, there or to be made")
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
        """
        Kind and key (as it is kept) of the states that were found damaged while reading; the next save drops them.
        """
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
        """
        Every key and blob of one kind, in the order of their keys as they are kept; those that are ``damaged`` are left
        out.
        """
        with _explained(self.path):
            rows = self._connection.execute(
                "SELECT key, blob, checksum FROM state WHERE kind = ? ORDER BY key", (kind,)
            )
            for key, blob, checksum in rows:
                state = self._opened(kind, str(key), blob, checksum)
                if state is not None:
                    yield state
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

    def captures(self) -> Iterator[CountedCapture]:
        """Every capture whose mail was counted, the first ones first."""
        with _explained(self.path):
            rows = self._connection.execute(
                "SELECT digest, name, octets, counted_at FROM capture ORDER BY counted_at, name"
            )
            for row in rows:
                yield CountedCapture(*row)

    # ---- deleting

    @property
    def is_sealed(self) -> bool:
        """True if nothing of the states can be read without a key."""
        return self._seal is not None

    def unchanged_since(self, day: int) -> Iterator[tuple[str, str]]:
        """
        Kind and key of the states that last changed before *day*. Those that are said to have changed after today, by
        a clock that was wrong then, count as changed today from now on.
        """
        with _explained(self.path):
            self._connection.execute("UPDATE state SET changed_on = ?1 WHERE changed_on > ?1", (self._day(),))
            rows = self._connection.execute("SELECT kind, key FROM state WHERE changed_on < ?", (day,)).fetchall()
        for kind, key in rows:
            plain = str(key) if self._seal is None else self._seal.opened_key(kind, str(key))
            if plain is not None:
                yield kind, plain

    def delete(self, states: Iterable[tuple[str, str]], captures_before: str | None = None) -> int:
        """
        Delete *states*, and the notes of captures counted before a time, so that no octet of them is left in the file
        or beside it. How many were deleted.
        """
        connection = self._connection
        with _explained(self.path):
            connection.execute("BEGIN IMMEDIATE")
            try:
                before = connection.total_changes
                connection.executemany(
                    _DELETE,
                    ((_text(kind), self._kept_key(kind, _text(key))) for kind, key in states),
                )
                if captures_before is not None:
                    connection.execute("DELETE FROM capture WHERE counted_at < ?", (captures_before,))
                connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    connection.rollback()
                raise
            deleted = connection.total_changes - before
            if deleted:
                _cut_log(connection)
        return deleted

    # ---- inside

    def _kept_key(self, kind: str, key: str) -> str:
        return key if self._seal is None else self._seal.key(kind, key)

    def _opened(self, kind: str, key: str, blob: object, checksum: int) -> tuple[str, bytes] | None:
        """A state as its owner knows it; none if it is damaged."""
        if not isinstance(blob, bytes) or checksum != _checksum(kind, key, blob):
            return None
        if self._seal is None:
            return key, blob
        plain = self._seal.opened_key(kind, key)
        opened = None if plain is None else self._seal.opened_blob(kind, plain, blob)
        return None if plain is None or opened is None else (plain, opened)

    def _with_held(self, changes: Iterable[Change]) -> Iterator[Change]:
        """
        What was held, then the new; each is held from the moment it is drawn until the save has ended well.
        """
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
        connection.executemany(_DELETE, self._damaged)
        day = self._day()
        for change in changes:
            kind, plain = _text(change.kind), _text(change.key)
            key = self._kept_key(kind, plain)
            if change.blob:
                blob = change.blob if self._seal is None else self._seal.blob(kind, plain, change.blob)
                connection.execute(_KEEP, (kind, key, blob, _checksum(kind, key, blob), day))
            else:
                connection.execute(_DELETE, (kind, key))
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
            # What is deleted or replaced is overwritten with zeros: a mailbox that is forgotten is forgotten.
            connection.execute("PRAGMA secure_delete = ON")
            self._migrate(connection, version)
        elif version < newest:
            raise OlderDatabaseError(
                f"{self.path}: "
                + ("holds nothing yet" if is_new else f"is of an older version ({version} of {newest})")
                + "; run a replay with --store on it first"
            )
        self._make_sealed(connection, writes=writes)

    def _make_sealed(self, connection: sqlite3.Connection, *, writes: bool) -> None:
        """Know how to open what is there and, to write, bring all of it to how it is asked for."""
        found = connection.execute("SELECT key_id FROM seal").fetchone()
        if found is not None:
            if self._keys is None:
                raise DatabaseError(
                    f"{self.path}: is sealed with key {found[0]}: name the file that holds it "
                    "(--key, or privacy.key_file)"
                )
            self._seal = seal_of(self._keys, found[0])
            if self._seal is None:
                held = ", ".join(key.id for key in self._keys.keys)
                raise DatabaseError(f"{self.path}: is sealed with key {found[0]}; the key file holds {held}")
        if not writes:
            return
        wanted = Seal(self._keys.newest) if self._seals and self._keys is not None else None
        if (wanted and wanted.key_id) != (self._seal and self._seal.key_id):
            self._seal_anew(connection, wanted)

    def _seal_anew(self, connection: sqlite3.Connection, wanted: Seal | None) -> None:
        """Rewrite every state with another seal, or with none, in one transaction; damaged ones are left out."""
        connection.execute("BEGIN IMMEDIATE")
        try:
            rows = connection.execute("SELECT kind, key, blob, checksum, changed_on FROM state")
            connection.execute("CREATE TABLE sealed_anew AS SELECT * FROM state WHERE 0")
            for kind, key, blob, checksum, changed_on in rows:
                state = self._opened(kind, str(key), blob, checksum)
                if state is not None:
                    kept = _sealed(wanted, kind, *state)
                    connection.execute(
                        "INSERT INTO sealed_anew (kind, key, blob, checksum, changed_on) VALUES (?, ?, ?, ?, ?)",
                        (kind, *kept, _checksum(kind, *kept), changed_on),
                    )
            connection.execute("DELETE FROM state")
            connection.execute(
                "INSERT INTO state (kind, key, blob, checksum, changed_on) "
                "SELECT kind, key, blob, checksum, changed_on FROM sealed_anew"
            )
            connection.execute("DROP TABLE sealed_anew")
            connection.execute("DELETE FROM seal")
            connection.executemany("INSERT INTO seal VALUES (?)", [(wanted.key_id,)] if wanted is not None else ())
            connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                connection.rollback()
            raise
        self._seal = wanted
        _cut_log(connection)

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


_DELETE = "DELETE FROM state WHERE kind = ? AND key = ?"

# A state that is saved as it was did not change: its day stays, and nothing is written.
_KEEP = (
    "INSERT INTO state (kind, key, blob, checksum, changed_on) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (kind, key) DO UPDATE SET blob = excluded.blob, checksum = excluded.checksum, "
    "changed_on = excluded.changed_on WHERE blob IS NOT excluded.blob OR checksum IS NOT excluded.checksum"
)


def _sealed(seal: Seal | None, kind: str, key: str, blob: bytes) -> tuple[str, bytes]:
    return (key, blob) if seal is None else (seal.key(kind, key), seal.blob(kind, key, blob))


def _cut_log(connection: sqlite3.Connection) -> None:
    """
    Put all of the log into the file and cut it to nothing, since it holds what was before. A reader that is in the way
    is waited for, ``BUSY_TIMEOUT_MS`` at most; what is left then goes with the next time.
    """
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


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
    sqlite3.SQLITE_FULL: "no room left on the disk; make some. The file is as it was before this save",
    sqlite3.SQLITE_IOERR: "the disk refused to read or write. The file is as it was before this save",
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
