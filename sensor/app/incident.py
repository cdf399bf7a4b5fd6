"""The incident report of a replay: what the run knows, joined with ledger, coverage and alerts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sensor.alert.alert import Alert
from sensor.alert.record import AlertRecord, record_of
from sensor.settings import Settings
from sensor.taps.base import Tap, TapError
from sensor.taps.files import STDIN, Found, capture_digest
from sensor.version import version

if TYPE_CHECKING:
    from sensor.app.reading import Run
    from sensor.report.html import CaptureFacts, RunFacts


def report_page(
    run: Run, tap: Tap, settings: Settings, found: Found, paths: Sequence[str], *, continued: bool
) -> bytes:
    """
    The page of *run*, which read *paths*; *continued* where its counts go on from earlier runs.

    Reads the captures once more for their digests.
    """
    from sensor.report.html import page_of, render
    from sensor.report.summary import allowed_entries

    policy, now_ms = run.analysis.policy, run.analysis.runner.clock_ms or 0
    page = page_of(
        run.ledger,
        run.pipeline.coverage,
        _facts(run, tap, settings, found, paths, continued=continued),
        alerts=_records(run, settings.sensor.name),
        allowed=allowed_entries(policy, now_ms),
    )
    return render(page)


def _facts(run: Run, tap: Tap, settings: Settings, found: Found, paths: Sequence[str], *, continued: bool) -> RunFacts:
    from sensor.report.html import RunFacts
    from sensor.report.summary import DamageSummary

    return RunFacts(
        sensor=settings.sensor.name,
        version=version(),
        domains=run.veil.domains(settings.organisation.internal_domains or run.inferred_domains),
        domains_inferred=not settings.organisation.internal_domains,
        captures=[_capture(path) for path in paths],
        continued=continued,
        interrupted=run.interrupted,
        damage=[
            DamageSummary(path=each.path, kind=each.kind, detail=each.detail, offset=each.offset)
            for each in tap.damage()
        ],
        passed_over=[*found.problems, *found.counted_before],
        # The core gives them in any order; the same capture is to give the same page, octet for octet.
        anomalies={slug: count for slug, count in sorted(tap.anomalies().items()) if count},
        alerts_dropped=run.alerts_dropped,
        below_minimum=run.analysis.policy.counters.below_minimum,
        detector_failures={name: count for name, count in sorted(run.analysis.runner.failures.items()) if count},
    )


def _capture(path: str) -> CaptureFacts:
    from sensor.report.html import CaptureFacts

    if path == STDIN:
        return CaptureFacts(name="standard input")
    try:
        digest, octets = capture_digest(path)
    except TapError:
        # Gone, or never readable, which the damage tells. The report of what was read is worth having all the same.
        return CaptureFacts(name=path)
    return CaptureFacts(name=path, octets=octets, digest=digest)


def _records(run: Run, sensor: str) -> Iterator[AlertRecord]:
    """Every alert as it was last told, so that the page agrees with the alert file; those of earlier runs first."""
    held: dict[str, Alert] = {alert.id: alert for alert in run.analysis.policy.alerts()}
    for alert in (held | dict(run.alerts)).values():
        yield record_of(alert, sensor=sensor)
