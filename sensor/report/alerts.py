"""Alerts for a person to read: a list, one alert whole, and what the allow-list held back."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from sensor.alert.advice import Mitigation, Step, platform_title
from sensor.alert.alert import Cut
from sensor.alert.allow import Suppressed, title
from sensor.alert.cases import cases_of
from sensor.alert.merge import SEVERITIES
from sensor.alert.reading import AlertFile, Told
from sensor.alert.record import AlertRecord, MeasuredRecord, rfc3339
from sensor.log import printable
from sensor.settings import AllowEntry

WIDTH = 100
ID_SHOWN = 12
"""Characters of an id that lists show; ``--show`` takes any beginning that is of one alert alone."""

NAMES_SHOWN = 20
OTHERS_SHOWN = 8
"""Alerts of the same case that are named under one shown whole."""

PROBLEMS_SHOWN = 10
"""Lines that could not be read and are named: a file that holds no alerts at all has nothing but such lines."""

_LABEL = 14


def render_list(file: AlertFile, *, mailbox: str | None = None, destination: str | None = None) -> str:
    """
    One line for each alert, the gravest first, those of one case together; with *mailbox* or *destination*, those about
    it alone.
    """
    chosen = [told.latest for told in file.alerts.values() if _is_about(told.latest, mailbox, destination)]
    chosen.sort(key=lambda each: (each.status == "resolved", -SEVERITIES.index(each.severity), each.first_fired_at))
    cases = cases_of(chosen)
    firing = sum(each.status == "firing" for each in chosen)
    in_cases = f" in {_number(len(cases), 'case')}" if 0 < len(cases) < len(chosen) else ""
    lines = [f"{_number(len(chosen), 'alert')}{in_cases}, {firing:,} firing."]
    if chosen:
        lines += ["", f"{'ID':{ID_SHOWN}}  {'STATUS':8}  {'SEVERITY':13}  {'SINCE':16}  {'DETECTOR':24}  ABOUT"]
    for number, case in enumerate(cases):
        if in_cases and number:
            lines.append("")
        lines += [_line(each) for each in case]
    lines += ["", *_not_read(file)] if file.unread else []
    return "\n".join(lines) + "\n"


def _line(record: AlertRecord) -> str:
    return (
        f"{record.id[:ID_SHOWN]}  {record.status:8}  {record.severity:13}  {_minute(record.first_fired_at)}  "
        f"{printable(record.detector):24}  {printable(_about(record))}"
    )


def render_alert(told: Told, file: AlertFile | None = None) -> str:
    """
    One alert whole: claim, evidence, what was not seen, next steps, mitigations; and what else *file* tells of the
    same case.
    """
    record = told.latest
    lines = [
        f"ALERT {record.id}  {record.status.upper()}  {record.severity}",
        *_wrapped([printable(record.summary)]),
        "",
        *_facts(record),
        *_same_case(record, file),
        "",
        "EVIDENCE",
        *_evidence(record),
        *_whether_whole(told.problems()),
        "",
        "NEXT STEPS",
        *(line for number, step in enumerate(record.next_steps, start=1) for line in _step(number, step)),
        "",
        f"MITIGATIONS ({record.attack.technique})",
        *(line for each in record.attack.mitigations for line in _mitigation(each)),
    ]
    return "\n".join(lines) + "\n"


def render_verification(file: AlertFile) -> tuple[str, bool]:
    """What looking through all evidence found, and whether all of it holds."""
    lines, whole = [], not file.unread
    for alert_id, told in file.alerts.items():
        problems = told.problems()
        whole = whole and not problems
        exhibits, tellings = _number(told.latest.evidence.length, "exhibit"), _number(len(told.records), "telling")
        verdict = "; ".join(problems) if problems else f"whole: {exhibits}, {tellings}"
        lines += _wrapped([f"{alert_id[:ID_SHOWN]}  {printable(verdict)}"], further=" " * (ID_SHOWN + 2))
    lines += _not_read(file)
    return "\n".join(
        [*lines, "All evidence is as it was written." if whole else "NOT ALL EVIDENCE IS AS WRITTEN.", ""]
    ), whole


def _not_read(file: AlertFile) -> list[str]:
    shown = [f"not read: {printable(each)}" for each in file.problems[:PROBLEMS_SHOWN]]
    more = file.unread - len(shown)
    return [*_wrapped(shown), *([f"and {more:,} more that were not read"] if more else [])]


def render_suppressed(suppressed: Sequence[Suppressed], expired: Sequence[AllowEntry]) -> str:
    """What the allow-list held back, under the entry that did it, and the entries that no longer hold."""
    lines: list[str] = []
    for each in suppressed:
        lines += _wrapped(
            [f"Allowed: {printable(title(each.entry))}, until {each.entry.expires} ({printable(each.entry.reason)})"]
        )
        for covered in reversed(each.findings.values()):
            how = "held back" if covered.whole else "cut"
            lines += _wrapped(
                [f"  {how}, {rfc3339(covered.last_seen_ms)[:10]}: {printable(covered.summary)}"], further="    "
            )
    for entry in expired:
        lines += _wrapped([f"Expired on {entry.expires}: allow {printable(title(entry))} ({printable(entry.reason)})"])
    return "\n".join(lines) + ("\n" if lines else "")


# ---- the parts of an alert


def _facts(record: AlertRecord) -> Iterator[str]:
    yield from _labelled("detector", record.detector)
    if record.mailbox is not None or record.mailboxes:
        yield from _labelled("mailboxes", _names([record.mailbox] if record.mailbox else record.mailboxes))
    yield from _labelled("destinations", _names(record.destinations) or "none known")
    yield from _labelled("seen", f"{_minute(record.first_seen)} to {_minute(record.last_seen)} UTC")
    resolved = f", resolved {_minute(record.resolved_at)}" if record.resolved_at is not None else ""
    updated = f", last updated {_minute(record.last_updated_at)}" if record.updates else ""
    yield from _labelled("first told", f"{_minute(record.first_fired_at)}{updated}{resolved}")
    counts = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in record.counts.items())
    yield from _labelled("counts", counts or "none")
    for label, measured in (("observed", record.observed), ("baseline", record.baseline)):
        if measured is not None:
            yield from _labelled(label, _measured(measured))
    yield from _labelled("level", _because(record.level, record.level_reason))
    yield from _labelled("confidence", _because(record.confidence, record.confidence_reason))
    yield from _labelled("handed over", _actor(record))
    yield from _labelled("coverage", _coverage(record))
    for label, sentences in (("assumed", record.assumptions), ("not seen", record.gaps)):
        for sentence in sentences:
            yield from _labelled(label, sentence)
    for cut in record.allowed:
        yield from _labelled("left out", _cut(cut))


def _same_case(record: AlertRecord, file: AlertFile | None) -> Iterator[str]:
    others = [told.latest for told in file.alerts.values() if told.latest is not record] if file is not None else []
    case = next(case for case in cases_of([record, *others]) if case[0] is record)[1:]
    for each in case[:OTHERS_SHOWN]:
        yield from _labelled("same case", f"{each.id[:ID_SHOWN]} {each.detector}, {each.status}: {each.summary}")
    if len(case) > OTHERS_SHOWN:
        yield from _labelled("same case", f"and {_number(len(case) - OTHERS_SHOWN, 'more alert')}")


def _evidence(record: AlertRecord) -> Iterator[str]:
    links = record.evidence.links
    if not links:
        yield "  no mail: the claim rests on counts"
    before = -1
    for link in links:
        if link.index != before + 1:
            yield f"  ... {link.index - before - 1} more ..."
        before = link.index
        at = rfc3339(link.exhibit.at_ms)[:19].replace("T", " ")
        yield f"  {at}  transaction {printable(link.exhibit.transaction_id)}"
        for line in link.exhibit.lines:
            yield from _wrapped(
                [f"    {printable(line.field)}: {printable(line.value)}  [{line.slug}]"], further="      "
            )


def _whether_whole(problems: Sequence[str]) -> Iterator[str]:
    if not problems:
        yield "  the hash chain is whole"
    for problem in problems:
        yield from _wrapped([f"  BROKEN: {printable(problem)}"])


def _step(number: int, step: Step) -> Iterator[str]:
    where = "" if step.platform in ("any", "unknown") else f" [{platform_title(step.platform)}]"
    doubt = " (unconfirmed)" if step.unconfirmed else ""
    yield from _wrapped([f"{number:3}. {printable(step.title)}{where}{doubt}"], further="     ")
    # Commands are not wrapped: a line of the terminal is not a line of the shell.
    for each in step.commands:
        yield f"       {printable(each)}"


def _mitigation(mitigation: Mitigation) -> list[str]:
    return _wrapped([f"  {mitigation.id} {mitigation.name}: {mitigation.text}"], further="    ")


def _measured(measured: MeasuredRecord) -> str:
    numbers = [_amount(each, measured.unit) for each in (measured.value, measured.low, measured.high)]
    return f"{measured.what} {numbers[0]} (95 % interval {numbers[1]} to {numbers[2]})"


def _amount(value: float | None, unit: str) -> str:
    if value is None:
        return "unbounded"
    return f"{value:.1%}" if unit == "share" else f"{value:,.6g} {unit}"


def _because(what: str, reason: str) -> str:
    return f"{what}: {reason}" if reason else what


def _actor(record: AlertRecord) -> str:
    actor = record.actor
    parts = [
        f"user {actor.auth_user}" if actor.auth_user else "",
        f"by {actor.helo}" if actor.helo else "",
        f"from {actor.client_ip}" if actor.client_ip else "",
        f"to {actor.server_ip}" if actor.server_ip else "",
    ]
    return " ".join(part for part in parts if part) or "not known"


def _coverage(record: AlertRecord) -> str:
    share = record.coverage.clear_share
    seen = f"{share:.0%} of mail sessions in clear" if share is not None else "share in clear not known"
    return f"{seen}, {record.coverage.missing_octets:,} octets missing"


def _cut(cut: Cut) -> str:
    what = " to ".join(part for part in (cut.mailbox, cut.destination) if part is not None) or "unnamed destinations"
    return f"{what}: allowed by {cut.entry} until {cut.expires} ({cut.reason})"


# ---- text


def _is_about(record: AlertRecord, mailbox: str | None, destination: str | None) -> bool:
    mailboxes = {each.lower() for each in (*record.mailboxes, record.mailbox or "")}
    return (mailbox is None or mailbox.lower() in mailboxes) and (
        destination is None or destination.lower() in map(str.lower, record.destinations)
    )


def _about(record: AlertRecord) -> str:
    whose = record.mailbox if record.mailbox is not None else _names(record.mailboxes, 2)
    to = _names(record.destinations, 2)
    return f"{whose} -> {to}" if to else whose


def _names(names: Sequence[str], most: int = NAMES_SHOWN) -> str:
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _minute(rfc3339_text: str) -> str:
    return rfc3339_text[:16].replace("T", " ")


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _labelled(label: str, text: str) -> list[str]:
    return _wrapped([f"  {label:{_LABEL}}{printable(text)}"], further=" " * (_LABEL + 2))


def _wrapped(texts: Iterable[str], further: str = "  ") -> list[str]:
    return [
        line
        for text in texts
        for line in textwrap.wrap(
            text, WIDTH, subsequent_indent=further, break_long_words=False, break_on_hyphens=False, drop_whitespace=True
        )
    ]
