"""Reports from the file that runs keep: mailboxes, destinations, alerts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

import msgspec

from sensor.alert.record import AlertRecord, read_alert, rfc3339
from sensor.analysis import ACCOUNT, CLOCK, COVERAGE, SEEN
from sensor.app.common import READ_WHOLE, READ_WITH_DAMAGE
from sensor.app.console import print_octets, print_text
from sensor.app.keeping import DOMAINS, TOLD, TOLD_AS, log_unread
from sensor.coverage import Coverage
from sensor.database import Database
from sensor.ledger import Ledger, LedgerView
from sensor.log import Log
from sensor.privacy import CLEAR, veil_like
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
from sensor.report.summary import coverage_summary
from sensor.report.terminal import coverage_lines
from sensor.settings import SettingsError
from sensor.version import version

SUBJECTS: dict[str, type[Row]] = {"mailboxes": MailboxRow, "destinations": DestinationRow, "alerts": AlertRow}

_NONE = {
    "mailboxes": "No mailbox forwarded mail",
    "destinations": "No mail was forwarded",
    "alerts": "No alert was told",
}

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
        kept = _Kept(database, keys)
        if options.form == "html":
            _write_page(kept)
        else:
            _print_rows(kept, options)
    log_unread(Log(), database, kept.problems)
    return READ_WITH_DAMAGE if kept.problems or database.damaged else READ_WHOLE


def _print_rows(kept: _Kept, options: ReportOptions) -> None:
    since_ms = None if options.since is None else _since(options.since, kept.latest_ms)
    rows: Sequence[Row]
    if options.subject == "alerts":
        rows = alert_rows(kept.alerts(), since_ms=since_ms)
    elif options.subject == "destinations":
        rows = destination_rows(kept.ledger(), since_ms=since_ms)
    else:
        rows = mailbox_rows(kept.ledger(), at_ms=kept.latest_ms, since_ms=since_ms)
    shown = rows[: options.top]
    if rows or options.form != "table":
        print_text(render_rows(shown, SUBJECTS[options.subject], cast("Form", options.form)))
    if options.form == "table":
        for line in _below(kept, options.subject, since_ms, rows=len(rows), shown=len(shown)):
            print_text(line + "\n")


def _below(kept: _Kept, subject: str, since_ms: int | None, *, rows: int, shown: int) -> Iterator[str]:
    """What a table can't say: that it is empty, how much more there is, and how far what was seen goes."""
    if not rows:
        latest = (
            f"the latest mail is of {_minute(kept.latest_ms)}" if kept.coverage.transactions else "no mail was seen"
        )
        yield f"{_NONE[subject]}{'' if since_ms is None else f' since {_minute(since_ms)}'}; {latest}."
    if rows > shown:
        yield f"and {rows - shown:,} more"
    seen = list(coverage_lines(coverage_summary(kept.coverage, Ledger())))
    yield from ["", *seen] if seen else []


def _write_page(kept: _Kept) -> None:
    """The incident report of all that was kept."""
    from sensor.report.html import CaptureFacts, RunFacts, page_of, render

    alerts = list(kept.alerts())
    captures = [
        CaptureFacts(name=each.name, octets=each.octets, digest=each.digest) for each in kept.database.captures()
    ]
    facts = RunFacts(
        # A store is one sensor's, whose name only its alerts tell; the latest of them, if it was changed.
        sensor=max(alerts, key=lambda each: each.last_updated_at).sensor if alerts else "not known",
        version=version(),
        domains=kept.veil.domains(kept.domains),
        captures=captures,
        from_store=True,
    )
    print_octets(render(page_of(kept.ledger(), kept.coverage, facts, alerts=alerts)))


class _Kept:
    """What a store holds, under the names under which the sensor told of it; *problems* by kind are what it lost."""

    def __init__(self, database: Database, keys: KeyRing | None) -> None:
        self.database = database
        self.problems: dict[str, list[str]] = {}
        seen = dict(database.states(SEEN))
        self.coverage = _coverage(seen.get(COVERAGE))
        self.domains = tuple(seen.get(DOMAINS, b"").decode().split())
        # The clock doubts absurd times, which the latest mail may have.
        self.latest_ms = int(seen[CLOCK]) if CLOCK in seen else (self.coverage.last_seen_ns or 0) // 1_000_000
        told = seen.get(TOLD_AS, b"pseudonym none").decode()
        is_sealed = database.is_sealed and keys is not None
        self.veil = veil_like(told, self.domains, keys) if is_sealed and keys is not None else CLEAR

    def ledger(self) -> LedgerView:
        """The accounts."""
        ledger = Ledger()
        for mailbox, blob in self.database.states(ACCOUNT):
            fault = ledger.restore(mailbox, blob)
            if fault is not None:
                self.problems.setdefault(ACCOUNT, []).append(f"an account is {fault.replace('_', ' ')}")
        return self.veil.ledger(ledger)

    def alerts(self) -> Iterator[AlertRecord]:
        """Alerts, each as it was last told."""
        for alert_id, line in self.database.states(TOLD):
            try:
                yield read_alert(line)
            except msgspec.DecodeError as error:
                self.problems.setdefault(TOLD, []).append(f"alert {alert_id}: {error}")


def _check(options: ReportOptions) -> None:
    if options.subject not in SUBJECTS:
        raise SettingsError(f'there is no report of "{options.subject}"; there are {", ".join(SUBJECTS)}')
    if options.form not in (*FORMS, "html"):
        raise SettingsError(f"--format {options.form}: must be one of {', '.join(FORMS)}, html")
    if options.form == "html" and (options.subject != "mailboxes" or options.since or options.top):
        raise SettingsError("--format html: is one page of all that was kept; leave the subject, --since and --top out")


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


def _minute(at_ms: int) -> str:
    return f"{rfc3339(at_ms)[:16].replace('T', ' ')} UTC"
