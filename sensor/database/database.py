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

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from sensor.database.errors import DatabaseError, explained
from sensor.database.opening import connect, cut_log, take_lock, transaction
from sensor.database.resealing import form_of, reseal
from sensor.database.rows import Form, as_read, storable
from sensor.database.tables import MIGRATIONS, Migration, today
from sensor.pseudonym import KeyRing
from sensor.sealing import Seal


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
        self._day = day
        self._lock: int | None = None
        self._held: dict[tuple[str, str], bytes] = {}
        self._held_captures: dict[str, CountedCapture] = {}
        self._damaged: dict[tuple[str, str], None] = {}
        if os.path.isdir(path):
            raise DatabaseError(f"{path}: is a directory; name a file, there or to be made")
        if writes:
            self._lock = take_lock(path)
        try:
            with explained(path):
                self._connection = connect(path, writes=writes, migrations=migrations)
                try:
                    self._form = form_of(self._connection, path, keys)
                    if writes:
                        self._reseal(Form(Seal(keys.newest) if sealed and keys is not None else None))
                except BaseException:
                    self._connection.close()
                    raise
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
    def is_sealed(self) -> bool:
        """True if nothing of the states can be read without a key."""
        return self._form.seal is not None

    @property
    def unsaved(self) -> int:
        """States that an earlier save could not write and that wait for the next."""
        return len(self._held)

    @property
    def damaged(self) -> list[tuple[str, str]]:
        """
        Kind and key (as it is kept) of the states that were found damaged while reading or sealing anew; the next save
        drops them.
        """
        return list(self._damaged)

    def save(self, changes: Iterable[Change], captures: Iterable[CountedCapture] = ()) -> None:
        """
        Write all of it, and what earlier saves could not, in one transaction.

        On ``DatabaseError`` the file is as it was, and everything is held for the next save.
        """
        changes = self._with_held(changes)
        self._held_captures |= {capture.digest: capture for capture in captures}
        with explained(self.path):
            try:
                self._write(changes)
            except BaseException:
                # What was not yet drawn from the iterator must not be lost either.
                self._hold(changes)
                raise
        self._held.clear()
        self._held_captures.clear()
        self._damaged.clear()

    def states(self, kind: str) -> Iterator[tuple[str, bytes]]:
        """
        Every key and blob of one kind, in the order of their keys as they are kept; those that are ``damaged`` are left
        out.
        """
        with explained(self.path):
            rows = self._connection.execute(
                "SELECT key, blob, checksum FROM state WHERE kind = CAST(? AS TEXT) ORDER BY key", (as_read(kind),)
            )
            for key, blob, checksum in rows:
                state = self._form.opened(kind, str(key), blob, checksum)
                if state is not None:
                    yield state
                else:
                    self._damaged[kind, str(key)] = None

    def kinds(self) -> list[str]:
        """The kinds of which there is a state."""
        with explained(self.path):
            return [str(kind) for (kind,) in self._connection.execute("SELECT DISTINCT kind FROM state ORDER BY kind")]

    def counted(self, digest: str) -> CountedCapture | None:
        """The capture of that digest, if its mail was counted."""
        with explained(self.path):
            found = self._connection.execute(
                "SELECT digest, name, octets, counted_at FROM capture WHERE digest = ?", (digest,)
            ).fetchone()
        return None if found is None else CountedCapture(*found)

    def captures(self) -> Iterator[CountedCapture]:
        """Every capture whose mail was counted, the first ones first."""
        with explained(self.path):
            rows = self._connection.execute(
                "SELECT digest, name, octets, counted_at FROM capture ORDER BY counted_at, name"
            )
            for row in rows:
                yield CountedCapture(*row)

    # ---- deleting

    def unchanged_since(self, day: int) -> Iterator[tuple[str, str]]:
        """
        Kind and key of the states that last changed before *day*. Those that are said to have changed after today, by
        a clock that was wrong then, count as changed today from now on.
        """
        with explained(self.path):
            self._connection.execute("UPDATE state SET changed_on = ?1 WHERE changed_on > ?1", (self._day(),))
            rows = self._connection.execute("SELECT kind, key FROM state WHERE changed_on < ?", (day,)).fetchall()
        for kind, key in rows:
            plain = self._form.opened_key(kind, str(key))
            if plain is not None:
                yield kind, plain

    def delete(self, states: Iterable[tuple[str, str]], captures_before: str | None = None) -> int:
        """
        Delete *states*, and the notes of captures counted before a time, so that no octet of them is left in the file
        or beside it. How many were deleted.
        """
        connection = self._connection
        with explained(self.path):
            before = connection.total_changes
            with transaction(connection):
                _delete(connection, ((kind, self._form.key(kind, storable(key))) for kind, key in states))
                if captures_before is not None:
                    connection.execute("DELETE FROM capture WHERE counted_at < ?", (captures_before,))
            deleted = connection.total_changes - before
            if deleted:
                cut_log(connection)
        return deleted

    # ---- inside

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
        connection, day = self._connection, self._day()
        with transaction(connection):
            _delete(connection, self._damaged)
            for change in changes:
                key = storable(change.key)
                if change.blob:
                    connection.execute(_KEEP, (*self._form.row(change.kind, key, change.blob), day))
                else:
                    _delete(connection, [(change.kind, self._form.key(change.kind, key))])
            connection.executemany(
                "INSERT OR REPLACE INTO capture (digest, name, octets, counted_at) VALUES (?, ?, ?, ?)",
                [
                    (each.digest, storable(each.name), each.octets, each.counted_at)
                    for each in self._held_captures.values()
                ],
            )

    def _reseal(self, wanted: Form) -> None:
        """Bring every state to the form that is wanted, if it has another."""
        if (wanted.seal and wanted.seal.key_id) != (self._form.seal and self._form.seal.key_id):
            self._damaged |= dict.fromkeys(reseal(self._connection, self._form, wanted))
            self._form = wanted

    def _release_lock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


# A state that is saved as it was did not change: its day stays, and nothing is written.
_KEEP = (
    "INSERT INTO state (kind, key, blob, checksum, changed_on) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (kind, key) DO UPDATE SET blob = excluded.blob, checksum = excluded.checksum, "
    "changed_on = excluded.changed_on WHERE blob IS NOT excluded.blob OR checksum IS NOT excluded.checksum"
)


def _delete(connection: sqlite3.Connection, rows: Iterable[tuple[str, str]]) -> None:
    """Delete rows by kind and key as they stand there, damaged ones too."""
    connection.executemany(
        "DELETE FROM state WHERE kind = CAST(? AS TEXT) AND key = CAST(? AS TEXT)",
        ((as_read(kind), as_read(key)) for kind, key in rows),
    )
