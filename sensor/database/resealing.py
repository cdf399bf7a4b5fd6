"""With which key a file is sealed, and its change: to another key, to none, or from none."""

from __future__ import annotations

import sqlite3

from sensor.database.errors import DatabaseError
from sensor.database.opening import cut_log, transaction
from sensor.database.rows import Form
from sensor.pseudonym import KeyRing
from sensor.sealing import seal_of


def form_of(connection: sqlite3.Connection, path: str, keys: KeyRing | None) -> Form:
    """The form that the rows of the file have. Raises ``DatabaseError`` where *keys* lack the one it is sealed with."""
    found = connection.execute("SELECT key_id FROM seal").fetchone()
    if found is None:
        return Form()
    if keys is None:
        raise DatabaseError(
            f"{path}: is sealed with key {found[0]}: name the file that holds it (--key, or privacy.key_file)"
        )
    seal = seal_of(keys, found[0])
    if seal is None:
        held = ", ".join(key.id for key in keys.keys)
        raise DatabaseError(f"{path}: is sealed with key {found[0]}; the key file holds {held}")
    return Form(seal)


def reseal(connection: sqlite3.Connection, before: Form, after: Form) -> list[tuple[str, str]]:
    """
    Rewrite every state in another form, in one transaction, and cut the log that holds the old one.

    Damaged states are left out: kind and key, as it stood in the row, of each.
    """
    damaged = []
    with transaction(connection):
        connection.execute("CREATE TABLE sealed_anew AS SELECT * FROM state WHERE 0")
        rows = connection.execute("SELECT kind, key, blob, checksum, changed_on FROM state")
        for kind, key, blob, checksum, changed_on in rows:
            state = before.opened(kind, key, blob, checksum)
            if state is None:
                damaged.append((kind, key))
                continue
            connection.execute(
                "INSERT INTO sealed_anew (kind, key, blob, checksum, changed_on) VALUES (?, ?, ?, ?, ?)",
                (*after.row(kind, *state), changed_on),
            )
        connection.execute("DELETE FROM state")
        connection.execute(
            "INSERT INTO state (kind, key, blob, checksum, changed_on) "
            "SELECT kind, key, blob, checksum, changed_on FROM sealed_anew"
        )
        connection.execute("DROP TABLE sealed_anew")
        connection.execute("DELETE FROM seal")
        if after.seal is not None:
            connection.execute("INSERT INTO seal VALUES (?)", (after.seal.key_id,))
    cut_log(connection)
    return damaged
