"""Shows alerts that were written, and adds to what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from sensor.app.common import READ_NOTHING, READ_WHOLE, READ_WITH_DAMAGE, settings_of
from sensor.app.console import print_text
from sensor.log import printable
from sensor.settings import SettingsError, allow_entry

if TYPE_CHECKING:
    from sensor.alert.reading import AlertFile

SQLITE_MAGIC = b"SQLite format 3\0"
"""How a file begins that ``replay --store`` keeps, as every SQLite file."""


@dataclass(frozen=True, slots=True)
class AlertsOptions:
    """What the command line asks of a file of alerts. *show* is an id or its beginning."""

    path: str
    show: str | None = None
    verify: bool = False
    mailbox: str | None = None
    destination: str | None = None
    key_file: str | None = None


def show_alerts(options: AlertsOptions) -> int:
    """
    Print the alerts of a file, or of what ``replay --store`` keeps: a list, one whole, or whether their evidence is as
    it was written.

    Raises ``SettingsError`` for an id that is of none or of several, ``OSError`` for a file that can't be read.
    """
    from sensor.report.alerts import render_alert, render_list, render_verification

    file = _read(options.path, options.key_file)
    status = READ_WITH_DAMAGE if file.unread else READ_WHOLE
    if not file.alerts and file.unread:
        status = READ_NOTHING
    if options.show is not None:
        matching = file.matching(options.show)
        if len(matching) != 1:
            how_many = f"{len(matching)} alerts have ids that begin so" if matching else "no alert has such an id"
            raise SettingsError(f"--show {options.show}: {how_many}")
        print_text(render_alert(matching[0], file))
        return READ_WITH_DAMAGE if matching[0].problems() else status
    if options.verify:
        text, whole = render_verification(file)
        print_text(text)
        return status if whole or status else READ_WITH_DAMAGE
    print_text(render_list(file, mailbox=options.mailbox, destination=options.destination))
    return status


def _read(path: str, key_file: str | None) -> AlertFile:
    from sensor.alert.reading import alerts_in, read_alerts

    if path == "-" or not _is_store(path):
        return read_alerts(path)
    from sensor.app.keeping import TOLD
    from sensor.database import Database
    from sensor.pseudonym import key_ring

    keys = None if key_file is None else key_ring(key_file, makes=False)
    with Database(path, writes=False, keys=keys) as database:
        file = alerts_in((f"alert {key}", line) for key, line in database.states(TOLD))
        for kind, key in database.damaged:
            if kind == TOLD:
                file.pass_over(f"alert {key} is damaged")
    return file


def _is_store(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(len(SQLITE_MAGIC)) == SQLITE_MAGIC


def allow(settings_path: str, parts: Mapping[str, str | None], environment: Mapping[str, str], today: date) -> int:
    """
    Add an entry to the allow-list in the settings file; *parts* are its keys.

    Raises ``SettingsError`` for an entry that is wrong, past or there already, ``OSError`` for a file not written.
    """
    from sensor.alert.allowfile import add_entry
    from sensor.detect import known_options

    entry = allow_entry({name: value for name, value in parts.items() if value is not None}, known_options())
    present = settings_of(settings_path, environment).alerts.allow
    added = add_entry(settings_path, entry, present, today)
    print_text(f"Added to {printable(settings_path)}:\n\n{added}")
    return READ_WHOLE
