"""One alert in full: the claim, how sure it is, what it rests on, what was not seen, and what to do now."""

from __future__ import annotations

from collections.abc import Sequence

from sensor.alert.advice import platform_title
from sensor.alert.record import AlertRecord, LinkRecord, MeasuredRecord, rfc3339
from sensor.report.html.chart import Interval, bar
from sensor.report.html.markup import Child, Markup, element, joined, lines, plain, quoted, shortened, spread
from sensor.report.html.page import ScopeFacts
from sensor.report.html.sentences import second
from sensor.report.html.table import Column, table
from sensor.report.words import counted, octets, percent

MAX_NAMES = 24
"""Mailboxes and destinations named in an alert, of each; the record has up to 256."""
MAX_MAILS = 8
"""Mails of the evidence that are shown: the first and the latest. The alert's record has up to 64."""
NAME = 80
"""Characters of an address that are shown; the whole stands in its title, and in the table of who forwards to whom."""
LINE = 160
"""Characters of a header line that are shown at once; the whole can be opened, and is open in print."""

SEVERITY_SIGNS = {"critical": "◆", "high": "▲", "medium": "■", "low": "●", "informational": "○"}
"""A shape for each severity, for those who don't see its colour."""


def anchor(number: int) -> str:
    """Where the alert of that number stands on the page."""
    return f"alert-{number}"


def severity_badge(severity: str) -> Markup:
    """The severity as a shape and a word."""
    return element("span", f"{SEVERITY_SIGNS.get(severity, '·')} {severity}", class_=f"badge {severity}")


def alert_card(number: int, alert: AlertRecord, scope: ScopeFacts) -> Markup:
    """The alert as an article; paper has no links, so it has a number."""
    return element(
        "article",
        element("h3", f"{number}. ", severity_badge(alert.severity), " ", quoted(alert.summary)),
        element("p", _standing(alert), class_="standing"),
        _facts(alert, scope),
        _measurements(alert.observed, alert.baseline),
        _evidence(alert),
        _list("Assumptions", alert.assumptions),
        _list("What was not seen", alert.gaps),
        _steps(alert),
        _mitigations(alert),
        id=anchor(number),
        class_=f"alert {alert.severity}",
    )


def _standing(alert: AlertRecord) -> Markup:
    resolved = f", resolved {second(alert.resolved_at)}" if alert.resolved_at is not None else ""
    return joined(
        (
            element("code", alert.detector),
            f" · {alert.status}{resolved} · seen {second(alert.first_seen)} to {second(alert.last_seen)} UTC · id ",
            element("code", alert.id),
        )
    )


# ---- facts


def _facts(alert: AlertRecord, scope: ScopeFacts) -> Markup:
    actor = alert.actor
    system = [
        ("host name given", actor.helo),
        ("client address", actor.client_ip),
        ("server address", actor.server_ip),
    ]
    systems = spread(joined((f"{what} ", quoted(name))) for what, name in system if name)
    clear = alert.coverage.clear_share
    coverage = "not known" if clear is None else f"{percent(clear)} % of mail sessions of the last 24 hours in clear"
    missing, unseen = alert.coverage.missing_octets, alert.coverage.unseen_mails
    coverage += f"; {octets(missing)} of these mails missing" if missing else ""
    coverage += f"; {counted(unseen, 'mail')} passed unseen" if unseen else ""
    rows: list[tuple[str, Markup | str | None]] = [
        ("Mailboxes affected", _names(alert.mailboxes or ([alert.mailbox] if alert.mailbox else []))),
        ("Destinations", _names(alert.destinations)),
        ("Scope", _scope(scope) if alert.destinations else None),
        ("Counts", ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in alert.counts.items())),
        ("Level", _with_reason(alert.level, alert.level_reason)),
        ("Confidence", _with_reason(alert.confidence, alert.confidence_reason)),
        ("Initiating identity", quoted(actor.auth_user) if actor.auth_user else "none was given to the server"),
        ("Systems", systems or "not known"),
        ("Coverage", coverage),
        ("Allow-listed parts left out", _cuts(alert)),
    ]
    return element("dl", *(row for name, value in rows if value for row in _row(name, value)))


def _row(name: str, value: Markup | str) -> tuple[Markup, Markup]:
    return element("dt", name), element("dd", value)


def _with_reason(value: str, reason: str) -> Markup:
    return joined((element("strong", value), ". " if reason else None, quoted(reason) if reason else None))


def _names(names: Sequence[str]) -> Markup | None:
    if not names:
        return None
    more = len(names) - MAX_NAMES
    shown = spread(quoted(name, NAME) for name in names[:MAX_NAMES])
    return joined((shown, f" and {more:,} more" if more > 0 else None))


def _scope(scope: ScopeFacts) -> Markup | str:
    if not scope.mailboxes:
        return "no other mailbox was seen to forward to the same destinations"
    more = f" and {scope.not_shown:,} more" if scope.not_shown else None
    return joined(
        ("to the same destinations forward also ", spread(quoted(each, NAME) for each in scope.mailboxes), more)
    )


def _cuts(alert: AlertRecord) -> Markup | None:
    if not alert.allowed:
        return None
    more = len(alert.allowed) - MAX_NAMES
    told = (
        joined(
            (
                quoted(" to ".join(part for part in (cut.mailbox, cut.destination) if part) or "all"),
                " (",
                quoted(cut.reason),
                f", until {cut.expires})",
            )
        )
        for cut in alert.allowed[:MAX_NAMES]
    )
    return joined((spread(told), f" and {more:,} more" if more > 0 else None))


# ---- what was measured


def _measurements(observed: MeasuredRecord | None, baseline: MeasuredRecord | None) -> Markup | None:
    if observed is None:
        return None
    both = [("observed", observed)] + ([("baseline", baseline)] if baseline is not None else [])
    scale = 1.0 if observed.unit == "share" else max(_reach(each) for _, each in both) * 1.05 or 1.0
    rows = [
        (
            element("span", name.capitalize(), ": ", quoted(each.what)),
            _told(each),
            _bar(each, scale, name),
        )
        for name, each in both
    ]
    return table("Measured, with 95 % intervals", (Column("What"), Column("Value"), Column("")), rows, stacks=True)


def _reach(measured: MeasuredRecord) -> float:
    return max(0.0, measured.value or 0.0, measured.high or 0.0)


def _bar(measured: MeasuredRecord, scale: float, name: str) -> Markup | str:
    if measured.value is None:
        return ""
    low, high = (None if each is None else each / scale for each in (measured.low, measured.high))
    return bar(Interval(measured.value / scale, low, high), f"{measured.what}: {_told(measured)}", style=name)


def _told(measured: MeasuredRecord) -> str:
    value, low, high = (_amount(each, measured.unit) for each in (measured.value, measured.low, measured.high))
    unit = "" if measured.unit in ("share", "octets") else f" {measured.unit}"
    return f"{value}{unit} ({low} to {high})"


def _amount(value: float | None, unit: str) -> str:
    if value is None:
        return "without bound"
    if unit == "share":
        return f"{percent(value)} %"
    if unit == "octets":
        return octets(value)
    return f"{value:,.1f}".removesuffix(".0")


# ---- evidence


def _evidence(alert: AlertRecord) -> Markup | None:
    evidence = alert.evidence
    if not evidence.links:
        return None
    links = evidence.links
    if len(links) > MAX_MAILS:
        links = links[: MAX_MAILS // 2] + links[-MAX_MAILS // 2 :]
    left_out = evidence.length - len(links)
    rows = [(_time(link), element("code", link.exhibit.transaction_id), _lines(link)) for link in links]
    return element(
        "details",
        element("summary", f"Evidence: {counted(evidence.length, 'mail')}"),
        table(
            "Mails and the lines of them that mattered",
            (Column("Time (UTC)"), Column("Transaction"), Column("Lines")),
            rows,
            stacks=True,
        ),
        element("p", f"The first and the latest are shown; {left_out:,} more in between are not.")
        if left_out
        else None,
        element(
            "p",
            f"Chain of {evidence.length:,}, {evidence.algorithm}, head ",
            element("code", evidence.head),
            "; seal of the record ",
            element("code", evidence.seal),
            class_="digest",
        ),
        open=True,
    )


def _time(link: LinkRecord) -> Markup:
    return element("span", second(rfc3339(link.exhibit.at_ms)), class_="time")


def _lines(link: LinkRecord) -> Child:
    if not link.exhibit.lines:
        return "none: the mail shows no mark"
    return lines(
        element("div", quoted(each.field), ": ", _long(each.value), " ", element("code", each.slug, class_="slug"))
        for each in link.exhibit.lines
    )


def _long(value: str) -> Markup:
    text = plain(value)
    if len(text) <= LINE:
        return quoted(value)
    return element("details", element("summary", quoted(shortened(text, LINE))), quoted(value), class_="long")


# ---- what to do


def _steps(alert: AlertRecord) -> Markup | None:
    if not alert.next_steps:
        return None
    items = (
        element(
            "li",
            step.title,
            f" ({platform_title(step.platform)})" if step.platform != "any" else None,
            element("em", " No vendor's page confirms this.") if step.unconfirmed else None,
            *(element("pre", element("code", each), tabindex=0) for each in step.commands),
        )
        for step in alert.next_steps
    )
    return element("section", element("h4", "Next steps"), element("ol", lines(items)))


def _mitigations(alert: AlertRecord) -> Markup:
    attack = alert.attack
    items = (element("li", element("strong", f"{each.id} {each.name}"), ": ", each.text) for each in attack.mitigations)
    return element(
        "section",
        element("h4", f"Mitigations (MITRE ATT&CK {attack.technique}, {attack.tactic})"),
        element("ul", lines(items)),
    )


def _list(heading: str, items: Sequence[str]) -> Markup | None:
    if not items:
        return None
    return element(
        "section", element("h4", heading), element("ul", lines(element("li", quoted(each)) for each in items))
    )
