"""What a command tells: alerts as they come, and the summary at its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from sensor.alert.alert import Alert
from sensor.app.console import print_text
from sensor.app.reading import AlertWriter, Run
from sensor.settings import Settings
from sensor.taps.base import Tap
from sensor.taps.files import Found

if TYPE_CHECKING:
    from sensor.alert.out import AlertWriter as AlertFileWriter


def alert_writer(
    target: str | None,
    settings: Settings,
    environment: Mapping[str, str],
    opened: ExitStack,
    *,
    form: str,
    append: bool,
    sinks: bool = True,
) -> AlertWriter | None:
    """
    Tells whoever is to be told: the file of ``--alerts`` and, with *sinks*, those of the settings; none for nobody.

    With *append*, or a spool that knows what was delivered, alerts go behind those that stand in the file.
    """
    writers = _Writers()
    if target is not None:
        append = append or bool(settings.alerts.spool_dir)
        file = opened.enter_context(_open_alert_writer(target, settings, form=form, append=append))
        writers.write_to.append(file.write)
        writers.lost_by.append(lambda: file.lost)
    if settings.alerts.sinks and sinks:
        from sensor.alert.dispatch import open_sinks

        dispatch = opened.enter_context(open_sinks(settings.alerts, environment, sensor=settings.sensor.name))
        writers.write_to.append(dispatch.write)
        writers.remembered_by.append(dispatch.remember)
        writers.lost_by.append(lambda: sum(each.lost for each in dispatch.statistics()))
    return writers if writers.write_to else None


@dataclass(slots=True)
class _Writers:
    """Several as one."""

    write_to: list[Callable[[Iterable[Alert]], None]] = field(default_factory=list)
    remembered_by: list[Callable[[Iterable[Alert]], None]] = field(default_factory=list)
    lost_by: list[Callable[[], int]] = field(default_factory=list)

    def write(self, alerts: Iterable[Alert]) -> None:
        told = tuple(alerts)
        for write in self.write_to:
            write(told)

    def remember(self, alerts: Iterable[Alert]) -> None:
        told = tuple(alerts)
        for remember in self.remembered_by:
            remember(told)

    def lost(self) -> int:
        return sum(lost() for lost in self.lost_by)


@contextmanager
def _open_alert_writer(target: str, settings: Settings, *, form: str, append: bool) -> Iterator[AlertFileWriter]:
    """Writes alerts to *target* (a path, or ``-``) in *form*, behind those that are there if it is to *append*."""
    from sensor.alert.out import open_alerts

    with open_alerts(
        target, settings.alerts, form=form, sensor=settings.sensor.name, clock=time.monotonic, append=append
    ) as writer:
        yield writer


def alerts_kept_in(
    run: Run, settings: Settings, alerts: str | None, form: str, store: str | None = None
) -> Sequence[str]:
    """What ``mailsensor alerts`` is to be given to read the alerts of *run*: a file, and the key of a sealed store."""
    if alerts is not None and alerts != "-" and form == "jsonl":
        return (alerts,)
    if store is None or run.not_kept is not None:
        return ()
    return (store,) if settings.privacy.mode == "clear" else (store, "--key", settings.privacy.key_file)


def print_summary(
    run: Run,
    tap: Tap,
    settings: Settings,
    found: Found,
    *,
    as_json: bool,
    to_stderr: bool,
    alerts_in: Sequence[str] = (),
) -> None:
    """Print what the run came to, for people or as one JSON object. *alerts_in* is as ``alerts_kept_in`` has it."""
    from sensor.report.summary import summarise

    summary = summarise(
        run.ledger,
        run.pipeline.coverage,
        top_mailboxes=settings.replay.top_mailboxes,
        direction_known=bool(settings.organisation.internal_domains or run.inferred_domains),
        inferred_domains=run.veil.domains(run.inferred_domains),
        interrupted=run.interrupted,
        damage=tap.damage(),
        passed_over=found.problems,
        counted_before=found.counted_before,
        counters=tap.counters(),
        anomalies=tap.anomalies(),
        alerts=tuple(run.alerts.values()),
        alerts_dropped=run.alerts_dropped,
        policy=run.analysis.policy,
        now_ms=run.analysis.runner.clock_ms or 0,
        detector_failures=run.analysis.runner.failures,
        pairing=run.pipeline.pairing,
    )
    if as_json:
        text = msgspec.json.encode(summary).decode() + "\n"
    else:
        from sensor.report.terminal import render

        text = render(summary, alerts_in=alerts_in)
    print_text(text, to_stderr=to_stderr)
