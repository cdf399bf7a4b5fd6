"""
``mailsensor allow``: an entry of the allow-list, added at the end of a settings file.

The file is a person's: its comments and its order stay as they are. The new text is read back before it takes the old
one's place, so a file that was in order stays in order.
"""

from __future__ import annotations

import os
import stat
import tempfile
import tomllib
from collections.abc import Sequence
from datetime import date

import msgspec

from sensor.alert.allow import title
from sensor.settings import AllowEntry, SettingsError


def add_entry(path: str, entry: AllowEntry, present: Sequence[AllowEntry], today: date) -> str:
    """
    Add *entry* to the settings file at *path*, which holds *present*; the text that was added.

    Raises ``SettingsError`` for a last day that is past, for an entry that is there already, and for a file that can't
    be added to; ``OSError`` for one that can't be written. The file is then as it was.
    """
    if entry.expires < today:
        raise SettingsError(f"--expires {entry.expires}: that day is past; name the last day on which it is to hold")
    for each in present:
        if _same(each, entry) and each.expires >= today:
            raise SettingsError(
                f'{path}: {title(entry)} is allowed already, until {each.expires}: "{each.reason}". To change that, '
                "edit the entry"
            )
    with open(path, encoding="utf-8", newline="") as file:
        before = file.read()
    added = entry_text(entry)
    after = before + ("" if before.endswith("\n") or not before else "\n") + "\n" + added
    try:
        tomllib.loads(after)
    except ValueError as error:
        raise SettingsError(
            f"{path}: can't be added to ({error}); write what [alerts] allows as tables, each [[alerts.allow]]"
        ) from None
    _replace(path, after)
    return added


def entry_text(entry: AllowEntry) -> str:
    """The entry in TOML. A JSON string of printable characters, as settings let in, is one of TOML too."""
    lines = ["[[alerts.allow]]"]
    for name in ("mailbox", "destination", "domain", "detector", "reason"):
        value = getattr(entry, name)
        if value is not None:
            lines.append(f"{name} = {msgspec.json.encode(value).decode()}")
    return "\n".join([*lines, f"expires = {entry.expires.isoformat()}", ""])


def _same(one: AllowEntry, other: AllowEntry) -> bool:
    return all(
        (getattr(one, name) or "").lower() == (getattr(other, name) or "").lower()
        for name in ("mailbox", "destination", "domain", "detector")
    )


def _replace(path: str, text: str) -> None:
    """Write beside the file and put it in its place, with its mode; a link stays one."""
    target = os.path.realpath(path)
    mode = stat.S_IMODE(os.stat(target).st_mode)
    file, beside = tempfile.mkstemp(prefix=".mailsensor-", dir=os.path.dirname(target))
    try:
        with os.fdopen(file, "w", encoding="utf-8", newline="") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        os.chmod(beside, mode)
        os.replace(beside, target)
    except OSError:
        os.unlink(beside)
        raise
