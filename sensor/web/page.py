"""The small page: what the sensor sees, at a glance. No scripts, no requests; all that comes from mail is escaped."""

from __future__ import annotations

import heapq
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from html import escape

from sensor.alert.merge import SEVERITIES
from sensor.alert.record import AlertRecord, rfc3339
from sensor.log import printable
from sensor.report.stored import MailboxRow
from sensor.report.words import counted, octets, percent
from sensor.view import ALERTS_REMEMBERED, View
from sensor.web import api
from sensor.web.face import HealthView

ROWS = 20

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
div { overflow-x: auto; }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #8885; }
td { overflow-wrap: break-word; }
td:last-child { white-space: nowrap; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.bad { font-weight: bold; }
"""


@dataclass(frozen=True, slots=True)
class Overview:
    """What the page shows: the first of those mailboxes and alerts that there are, and what was seen and was not."""

    mailboxes: Sequence[MailboxRow]
    mailboxes_in_all: int
    alerts: Sequence[AlertRecord]
    alerts_in_all: int
    mails: int
    tls_sessions: int
    missing_octets: int
    latest_ms: int


def overview(view: View) -> Generator[None, None, Overview]:
    """The mailboxes that forward most, and the gravest alerts that fire."""
    top = yield from api.mailboxes(view, {"limit": ROWS, "offset": 0})
    firing = yield from api.alerts(view, {"limit": ALERTS_REMEMBERED, "offset": 0, "status": "firing"})
    gravest = heapq.nsmallest(ROWS, firing.items, key=lambda each: -SEVERITIES.index(each.severity))
    coverage = view.analysis.pipeline.coverage
    return Overview(
        top.items,
        top.total,
        gravest,
        firing.total,
        coverage.transactions,
        coverage.tls_sessions,
        coverage.missing_octets,
        view.latest_ms,
    )


def render(shown: Overview, health: HealthView) -> str:
    """The page as HTML."""
    state = "Everything is being read." if health.ready else "; ".join(map(_text, health.problems))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>mailsensor</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body>\n<h1>mailsensor</h1>\n"
        f"<p{'' if health.ready else ' class=bad'}>{state}</p>\n<p>{escape(_seen(shown))}</p>\n"
        f"<h2>Alerts that fire</h2>\n{_alerts(shown)}<h2>Mailboxes that forward</h2>\n{_mailboxes(shown)}"
        '<p><a href="metrics">metrics</a> · <a href="api/v1/mailboxes">mailboxes</a> · '
        '<a href="api/v1/destinations">destinations</a> · <a href="api/v1/alerts">alerts</a> · '
        '<a href="api/v1/openapi.json">openapi.json</a></p>\n</body></html>\n'
    )


def _seen(shown: Overview) -> str:
    """What was seen in all runs that the store holds, and what that leaves open."""
    hidden = (
        f"{counted(shown.tls_sessions, 'session')} in TLS could not be read" if shown.tls_sessions else "",
        f"{octets(shown.missing_octets)} of mail were lost on the way here" if shown.missing_octets else "",
    )
    parts = [part for part in hidden if part]
    unseen = f" {'; '.join(parts)}: there may be more than is named here." if parts else ""
    if not shown.mails:
        return f"No mail was seen yet.{unseen}"
    latest = rfc3339(shown.latest_ms)[:19].replace("T", " ")
    return f"{counted(shown.mails, 'mail')} seen in clear, the latest at {latest} UTC.{unseen}"


def _alerts(shown: Overview) -> str:
    rows = [
        (_text(each.severity), _text(each.summary), _text(each.confidence), _minute(each.first_fired_at))
        for each in shown.alerts
    ]
    return _table(("Severity", "What", "Confidence", "Since (UTC)"), rows, shown.alerts_in_all)


def _mailboxes(shown: Overview) -> str:
    rows = [
        (
            _text(each.mailbox),
            _to(each),
            *(each.auto_only, each.auto_visible, each.visible_only, each.paired),
            _share(each),
            _text(each.level),
            _minute(each.first_seen),
        )
        for each in shown.mailboxes
    ]
    head = ("Mailbox", "To", "By a rule", "Both", "By hand", "Unmarked", "Auto share", "Level", "Since (UTC)")
    return _table(head, rows, shown.mailboxes_in_all)


def _to(row: MailboxRow) -> str:
    more = f" and {row.destinations - 1:,} more" if row.destinations > 1 else ""
    return "not known" if row.to is None else f"{_text(row.to)}{more}"


def _share(row: MailboxRow) -> str:
    """With its 95 % interval: one forward of one is no certainty."""
    if row.share is None or row.share_low is None or row.share_high is None:
        return "none"
    return escape(f"{percent(row.share)} % ({percent(row.share_low)} to {percent(row.share_high)} %)")


def _table(head: Sequence[str], rows: Sequence[Sequence[str | int]], in_all: int) -> str:
    """The table, with what there is beyond it; a column is of numbers where its first cell is."""
    if not rows:
        return "<p>None.</p>\n"
    number = ' class="number"'
    heads = "".join(
        f'<th scope="col"{number if isinstance(first, int) else ""}>{each}</th>'
        for each, first in zip(head, rows[0], strict=True)
    )
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>\n" for row in rows)
    more = f"<p>and {in_all - len(rows):,} more</p>\n" if in_all > len(rows) else ""
    return f"<div><table><thead><tr>{heads}</tr></thead><tbody>\n{body}</tbody></table></div>\n{more}"


def _cell(value: str | int) -> str:
    return f"<td>{value}</td>" if isinstance(value, str) else f'<td class="number">{value:,}</td>'


def _minute(rfc3339_text: str) -> str:
    return escape(rfc3339_text[:16].replace("T", " "))


def _text(value: str) -> str:
    """Printable and escaped, cut where it is long; a line of mail can do nothing here."""
    shown = printable(value)
    return escape(shown if len(shown) <= 300 else f"{shown[:297]}...")
