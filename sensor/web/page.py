"""The small page: what the sensor sees, at a glance. No scripts, no requests; all that comes from mail is escaped."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from html import escape

from sensor.alert.record import AlertRecord, rfc3339
from sensor.log import printable
from sensor.report.stored import MailboxRow
from sensor.view import View
from sensor.web import api
from sensor.web.face import HealthView

ROWS = 20

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #8885; overflow-wrap: anywhere; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
.bad { font-weight: bold; }
"""


def overview(view: View) -> Generator[None, None, tuple[list[MailboxRow], list[AlertRecord], int, int]]:
    """The top mailboxes, the latest firing alerts, how many mails were seen, and when the last."""
    top = yield from api.mailboxes(view, {"limit": ROWS, "offset": 0})
    firing = yield from api.alerts(view, {"limit": ROWS, "offset": 0, "status": "firing"})
    return top.items, firing.items, view.analysis.pipeline.coverage.transactions, view.latest_ms


def render(
    mailboxes: Sequence[MailboxRow], alerts: Sequence[AlertRecord], mails: int, latest_ms: int, health: HealthView
) -> str:
    """The page as HTML."""
    seen = (
        f"{mails:,} mails seen, the latest at {rfc3339(latest_ms)[:19].replace('T', ' ')} UTC"
        if mails
        else "no mail yet"
    )
    state = "Everything is being read." if health.ready else "; ".join(map(_text, health.problems))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>mailsensor</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body>\n<h1>mailsensor</h1>\n"
        f"<p{'' if health.ready else ' class=bad'}>{state}</p>\n<p>{escape(seen)}.</p>\n"
        f"<h2>Alerts that fire</h2>\n{_alerts(alerts)}<h2>Mailboxes that forward</h2>\n{_mailboxes(mailboxes)}"
        '<p><a href="metrics">metrics</a> · <a href="api/v1/mailboxes">mailboxes</a> · '
        '<a href="api/v1/destinations">destinations</a> · <a href="api/v1/alerts">alerts</a> · '
        '<a href="api/v1/openapi.json">openapi.json</a></p>\n</body></html>\n'
    )


def _alerts(alerts: Sequence[AlertRecord]) -> str:
    rows = [
        (_text(each.severity), _text(each.summary), _text(each.first_fired_at[:16].replace("T", " ")))
        for each in alerts
    ]
    return _table(("Severity", "What", "Since"), rows) if rows else "<p>None.</p>\n"


def _mailboxes(mailboxes: Sequence[MailboxRow]) -> str:
    rows = [
        (_text(each.mailbox), _text(each.level), each.auto_only, each.auto_visible, each.visible_only, each.paired)
        for each in mailboxes
    ]
    head = ("Mailbox", "Level", "By rule", "By rule, visibly", "By hand", "Paired")
    return _table(head, rows) if rows else "<p>None.</p>\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str | int]]) -> str:
    heads = "".join(f'<th scope="col">{each}</th>' for each in head)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>\n" for row in rows)
    return f"<table><thead><tr>{heads}</tr></thead><tbody>\n{body}</tbody></table>\n"


def _cell(value: str | int) -> str:
    return f"<td>{value}</td>" if isinstance(value, str) else f'<td class="number">{value:,}</td>'


def _text(value: str) -> str:
    """Printable and escaped, cut where it is long; a line of mail can do nothing here."""
    shown = printable(value)
    return escape(shown if len(shown) <= 300 else f"{shown[:297]}...")
