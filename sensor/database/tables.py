"""The tables of the file, and how a file of an earlier version gets those of this one."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable

from sensor.database.rows import checksum_of

APPLICATION_ID = 0x6D666C73
"""PRAGMA application_id, "mfls": tells our files from those of other programs."""

DAY_S = 86_400

_FIRST_TABLES = (
    """
    CREATE TABLE state (
        kind TEXT NOT NULL,
        key TEXT NOT NULL,
        blob BLOB NOT NULL,
        PRIMARY KEY (kind, key)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE capture (
        digest TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        octets INTEGER NOT NULL,
        counted_at TEXT NOT NULL
    ) WITHOUT ROWID
    """,
)

Migration = Callable[[sqlite3.Connection], None]


def _first_tables(connection: sqlite3.Connection) -> None:
    for statement in _FIRST_TABLES:
        connection.execute(statement)


def _checksums(connection: sqlite3.Connection) -> None:
    connection.create_function("state_checksum", 3, checksum_of, deterministic=True)
    connection.execute("ALTER TABLE state ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0")
    connection.execute("UPDATE state SET checksum = state_checksum(kind, key, blob)")


def _days_and_seal(connection: sqlite3.Connection) -> None:
    """What is there counts as changed today: nobody knows better, and nothing is to be deleted for that."""
    connection.execute("ALTER TABLE state ADD COLUMN changed_on INTEGER NOT NULL DEFAULT 0")
    connection.execute("UPDATE state SET changed_on = ?", (today(),))
    connection.execute("CREATE INDEX state_changed_on ON state (changed_on)")
    connection.execute("CREATE TABLE seal (key_id TEXT PRIMARY KEY) WITHOUT ROWID")


MIGRATIONS: tuple[Migration, ...] = (_first_tables, _checksums, _days_and_seal)
"""The n-th brings a file from version n to n + 1; a file's version is PRAGMA user_version."""


def today() -> int:
    """The day by the calendar, UTC, as its number since 1970."""
    return int(time.time() // DAY_S)
