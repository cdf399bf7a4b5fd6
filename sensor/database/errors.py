"""What can be wrong with the file, in words that say what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sensor.errors import UserError


class DatabaseError(UserError):
    """The file can't be used, or not now; the message says why and what to do."""


class OlderDatabaseError(DatabaseError):
    """The file is of an older version, or holds nothing yet: whoever opens it for writing makes it current."""


@contextmanager
def explained(path: str) -> Iterator[None]:
    """Turns what SQLite and the disk refuse into a ``DatabaseError`` about *path* that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise DatabaseError(f"{path}: {_advice(error)}") from error
    except OSError as error:
        raise DatabaseError(f"{path}: {error.strerror or error}") from error


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
