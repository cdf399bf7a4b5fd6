"""Reports from the file that runs keep: mailboxes, destinations, alerts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast, get_args

import msgspec

from sensor.alert.record import AlertRecord, read_alert
from sensor.analysis import ACCOUNT, CLOCK, COVERAGE, SEEN
from sensor.app.common import READ_WHOLE, READ_WITH_DAMAGE
from sensor.app.console import print_text
from sensor.app.keeping import DOMAINS, TOLD, TOLD_AS, log_unread
from sensor.coverage import Coverage
from sensor.database import Database
from sensor.ledger import Ledger, LedgerView
from sensor.log import Log
from sensor.privacy import veil_like
from sensor.pseudonym import KeyRing, key_ring
from sensor.report.stored import (
    FORMS,
    AlertRow,
    DestinationRow,
    Form,
    MailboxRow,
    Row,
    alert_rows,
    destination_rows,
    mailbox_rows,
    render_rows,
)
from sensor.settings import SettingsError

SUBJECTS: dict[str, type[Row]] = {"mailboxes": MailboxRow, "destinations": DestinationRow, "alerts": AlertRow}

_UNITS = {"h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What the command line asks: *since* is a day, a time, or a span (``7d``) before the latest mail."""

    store: str
    subject: str = "mailboxes"
    since: str | None = None
    form: str = "table"
    top: int | None = None
    key_file: str | None = None


def report(options: ReportOptions) -> int:
    """
    Print what the file holds. Raises ``SettingsError`` and ``DatabaseError`` for what the caller must put right.
    """
    _check(options)
    keys = None if options.key_file is None else key_ring(options.key_file, makes=False)
    with Database(options.store, writes=False, keys=keys) as database:
        seen = dict(database.states(SEEN))
        coverage = _coverage(seen.get(COVERAGE))
        # The clock doubts absurd times, which the latest mail may have.
        latest_ms = int(seen[CLOCK]) if CLOCK in seen else (coverage.last_seen_ns or 0) // 1_000_000
        since_ms = None if options.since is None else _since(options.since, latest_ms)
        problems: dict[str, list[str]] = {}
        rows: Sequence[Row]
        if options.subject == "alerts":
            rows = alert_rows(_alerts(database, problems), since_ms=since_ms)
        elif options.subject == "destinations":
            rows = destination_rows(_ledger(database, problems, keys, seen), since_ms=since_ms)
        else:
            rows = mailbox_rows(_ledger(database, problems, keys, seen), at_ms=latest_ms, since_ms=since_ms)
    shown = rows[: options.top]
    print_text(render_rows(shown, SUBJECTS[options.subject], cast("Form", options.form)))
    if options.form == "table" and len(rows) > len(shown):
        print_text(f"and {len(rows) - len(shown):,} more\n")
    log_unread(Log(), database, problems)
    return READ_WITH_DAMAGE if problems or database.damaged else READ_WHOLE


def _check(options: ReportOptions) -> None:
    if options.subject not in SUBJECTS:
        raise SettingsError(f'there is no report of "{options.subject}"; there are {", ".join(SUBJECTS)}')
    if options.form not in FORMS:
        raise SettingsError(f"--format {options.form}: must be one of {', '.join(get_args(Form))}")


def _since(text: str, latest_ms: int) -> int:
    """Milliseconds since the epoch of a day, a time, or a span before the latest mail."""
    span = re.fullmatch(r"([0-9]{1,6})([hdw])", text)
    if span is not None:
        return latest_ms - int(span[1]) * _UNITS[span[2]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError(
            f"--since {text}: write a day (2026-11-22), a time (2026-11-22T06:00Z), or a span before the latest mail "
            "(24h, 7d, 4w)"
        ) from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _coverage(blob: bytes | None) -> Coverage:
    return Coverage() if blob is None else msgspec.json.decode(blob, type=Coverage)


def _ledger(
    database: Database, problems: dict[str, list[str]], keys: KeyRing | None, seen: Mapping[str, bytes]
) -> LedgerView:
    """The ledger that was kept, under the names under which the sensor told of it."""
    ledger = Ledger()
    for mailbox, blob in database.states(ACCOUNT):
        fault = ledger.restore(mailbox, blob)
        if fault is not None:
            problems.setdefault(ACCOUNT, []).append(f"an account is {fault.replace('_', ' ')}")
    if not database.is_sealed or keys is None:
        return ledger
    domains = tuple(seen.get(DOMAINS, b"").decode().split())
    return veil_like(seen.get(TOLD_AS, b"pseudonym none").decode(), domains, keys).ledger(ledger)


def _alerts(database: Database, problems: dict[str, list[str]]) -> Iterator[AlertRecord]:
    for alert_id, line in database.states(TOLD):
        try:
            yield read_alert(line)
        except msgspec.DecodeError as error:
            problems.setdefault(TOLD, []).append(f"alert {alert_id}: {error}")
