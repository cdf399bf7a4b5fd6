"""What the report says in sentences: the verdict, and what was and was not seen, and what that means for the rest."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sensor.report.html.page import Page
from sensor.report.summary import CoverageSummary
from sensor.report.words import counted, octets

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHORT = timedelta(days=7)


def verdict(page: Page) -> list[str]:
    """What was found, and how far that goes: two sentences."""
    return [_found(page), _how_far(page)]


def _found(page: Page) -> str:
    totals, mails = page.totals, counted(page.coverage.mails, "mail")
    if not totals.mailboxes:
        return f"No mailbox was seen to forward, in {mails}."
    if totals.to_outside:
        where = " to outside" if page.facts.domains else ""
        verb = "forwards" if totals.to_outside == 1 else "forward"
        text = f"{counted(totals.to_outside, 'mailbox')} {verb} mail automatically{where}"
    elif totals.automatic:
        verb = "forwards" if totals.automatic == 1 else "forward"
        text = f"{counted(totals.automatic, 'mailbox')} {verb} mail automatically, none of them to outside"
    else:
        text = "No mailbox forwards mail automatically, as far as marks tell"
    inside = totals.automatic - totals.to_outside
    others = [
        f"{inside:,} to inside only" if totals.to_outside and inside else "",
        f"{totals.by_hand:,} by hand only" if totals.by_hand else "",
        f"{totals.paired:,} {'lets' if totals.paired == 1 else 'let'} mail out again without a mark"
        if totals.paired
        else "",
        f"{totals.refused:,} {'was' if totals.refused == 1 else 'were'} refused" if totals.refused else "",
    ]
    rest = ", ".join(each for each in others if each)
    return f"{text}; {rest}." if rest else f"{text}."


def _how_far(page: Page) -> str:
    total = sum(page.by_severity.values())
    by_severity = ", ".join(f"{count:,} {severity}" for severity, count in page.by_severity.items())
    calls = (
        f"{counted(total, 'alert')} ({by_severity}) {'calls' if total == 1 else 'call'} for a look"
        if total
        else ("No alert was raised")
    )
    hidden = page.coverage.tls_sessions
    if hidden:
        return (
            f"{calls}; {counted(hidden, 'session')} in TLS could not be read, so there may be more than is named here."
        )
    if page.coverage.incomplete or page.coverage.missing_octets:
        return f"{calls}; parts of the traffic were lost on the way to the sensor, so there may be more."
    return f"{calls}; nothing was hidden by TLS or lost where the sensor listened."


def implications(page: Page) -> Iterator[str]:
    """What the coverage means for the claims: a sentence each, those that change most first."""
    if page.facts.interrupted:
        yield "The reading was interrupted: what came after is not in this report."
    yield from _hidden(page.coverage)
    yield from _whose(page)
    yield from _left_out(page)


def _hidden(coverage: CoverageSummary) -> Iterator[str]:
    if coverage.tls_sessions:
        yield (
            "Mail inside TLS is not counted. Counts are lower bounds, and a mailbox that is not named may forward "
            "all the same. Capture where TLS has ended to close this gap."
        )
    elif coverage.mails:
        yield "No session turned to TLS: where the sensor listened, nothing was hidden by encryption."
    if coverage.incomplete or coverage.missing_octets:
        yield (
            "Marks that stood in lost octets were not seen: such mails may count as looking unforwarded, or not at all."
        )
    if coverage.one_sided:
        yield "Of mails seen in one direction only it is not known whether the server took them."
    if coverage.mails and _is_short(coverage):
        yield "Less than a week was seen: what is new cannot be told from what merely was not seen before."


def _whose(page: Page) -> Iterator[str]:
    if not page.facts.domains:
        yield (
            "No domain is known to be the organisation's: every mailbox counts as its own, and every destination as "
            "outside. Name the domains to tell forwards to outside from those inside."
        )
    elif page.facts.domains_inferred:
        yield ("Which domains are the organisation's was worked out from the traffic. Name them to be sure.")
    unattributed = page.coverage.unattributed_forwards
    if unattributed:
        yield f"{counted(unattributed, 'forwarded mail')} did not tell whose rule it was, and count for no mailbox."


def _left_out(page: Page) -> Iterator[str]:
    if page.facts.from_store:
        yield "Made from what runs have kept: what was damaged or odd in captures stands in those runs' own summaries."
    wrong = len(page.facts.damage) + len(page.facts.passed_over)
    if wrong:
        yield f"{counted(wrong, 'source')} {'was' if wrong == 1 else 'were'} damaged or passed over: see Sources."
    evicted = page.coverage.mailboxes_evicted + page.coverage.forwarders_evicted
    if evicted:
        yield f"Accounts of {counted(evicted, 'mailbox')} were dropped where limits.ledger_* were reached."
    for name, count in page.facts.detector_failures.items():
        yield f"Detector {name} failed on {counted(count, 'event')}, and may have missed what it would have told."


def seen(coverage: CoverageSummary) -> list[tuple[str, str]]:
    """The coverage in rows of a name and what stands for it."""
    outcomes = [
        f"{number:,} {name}"
        for name, number in (
            ("delivered", coverage.delivered),
            ("rejected", coverage.rejected),
            ("deferred", coverage.deferred),
            ("given up", coverage.aborted),
            ("of unknown outcome", coverage.unknown),
        )
        if number
    ]
    return [
        ("Mails seen in clear", f"{coverage.mails:,}" + (f": {', '.join(outcomes)}" if outcomes else "")),
        (
            "Sessions in TLS",
            f"{coverage.tls_sessions:,}"
            + (f", {octets(coverage.tls_octets)}: the mail in them can't be read" if coverage.tls_sessions else ""),
        ),
        ("Octets missing", octets(coverage.missing_octets)),
        ("Mails incomplete", f"{coverage.incomplete:,}"),
        ("Mails seen in one direction only", f"{coverage.one_sided:,}"),
    ]


def _is_short(coverage: CoverageSummary) -> bool:
    if coverage.first_seen is None or coverage.last_seen is None:
        return False
    try:
        first, last = map(datetime.fromisoformat, (coverage.first_seen, coverage.last_seen))
    except ValueError:
        return False
    return last - first < _SHORT


def moment(at_ms: int) -> str:
    """Milliseconds of packet time as "2026-11-22 10:00" UTC; beyond year 9999 the number itself."""
    try:
        return f"{_EPOCH + timedelta(milliseconds=at_ms):%Y-%m-%d %H:%M}"
    except (OverflowError, ValueError):
        return f"{at_ms} ms"


def second(rfc3339: str) -> str:
    """A time of a record as "2026-11-22 10:00:00"; anything else as it is."""
    return rfc3339[:19].replace("T", " ") if rfc3339[10:11] == "T" else rfc3339


def duration(ms: int) -> str:
    """A span of time in its largest whole unit: "1 hour", "2 days"."""
    hours = max(1, round(ms / 3_600_000))
    return counted(hours // 24, "day") if hours % 24 == 0 else counted(hours, "hour")
