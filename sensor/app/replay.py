"""Reads captures to their end: records, summary, alerts, report, and what is kept between runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from sensor.app.common import (
    INTERRUPTED,
    READ_NOTHING,
    READ_WHOLE,
    READ_WITH_DAMAGE,
    collect_seldom,
    settings_of,
    split_limits,
    table_in_force,
)
from sensor.app.console import check_outputs, print_text, progress_bar, records_to
from sensor.app.incident import report_page
from sensor.app.keeping import Keeper, once_only, open_keeper
from sensor.app.reading import Run, run_tap
from sensor.app.telling import alert_writer, alerts_kept_in, print_summary
from sensor.log import Log, hiding, printable
from sensor.privacy import veil_of
from sensor.settings import Settings, SettingsError
from sensor.taps.base import Tap
from sensor.taps.files import Found

# Damage of these kinds means that a file gave nothing at all.
_NOTHING_READ = frozenset(("unreadable", "empty", "not_a_capture"))

# Captures named where all were counted before.
COUNTED_SHOWN = 5


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """
    What the command line asks of a replay. *events*, *alerts* and *report* are a path, ``-`` for standard output, or
    none. Without *sinks*, those of the settings are left alone.
    """

    paths: Sequence[str]
    events: str | None = None
    alerts: str | None = None
    alerts_format: str = "jsonl"
    sinks: bool = True
    report: str | None = None
    store: str | None = None
    once: bool = False
    settings_path: str | None = None
    internal_domains: Sequence[str] = ()
    limits: Sequence[str] = ()
    json: bool = False
    quiet: bool = False

    @property
    def output_is_taken(self) -> bool:
        """True if standard output carries something else, so that the summary goes elsewhere."""
        return "-" in (self.events, self.alerts, self.report)


def replay(options: ReplayOptions, environment: Mapping[str, str]) -> int:
    """
    Read the captures, write what was asked for, print the summary, and return the exit status.

    Raises a ``UserError`` for what the caller must put right, ``OSError`` for what could not be written.
    """
    from sensor.taps.capture import CaptureTap, core_limits
    from sensor.taps.files import find_captures

    _check(options)
    collect_seldom()
    settings = settings_of(options.settings_path, environment, options.internal_domains, options.limits)
    table = table_in_force(settings, options.settings_path)
    found = find_captures(options.paths)
    outputs = {"--events": options.events, "--alerts": options.alerts, "--report": options.report}
    check_outputs({**outputs, "--store": options.store}, found.paths)
    core, own = split_limits(settings.limits, core_limits())
    veil = veil_of(settings.privacy, settings.organisation.internal_domains)
    with ExitStack() as opened:
        opened.enter_context(hiding(veil.log))
        keeper = (
            opened.enter_context(open_keeper(options.store, settings.privacy)) if options.store is not None else None
        )
        paths = _noted(found, keeper, once=options.once)
        if not paths:
            _tell_nothing_left(found)
            return READ_WHOLE
        tap = CaptureTap(paths, table.interest, limits=core)
        # Opened before the reading, which may take hours: that a report can't be written is to be known at once.
        page = opened.enter_context(records_to(options.report, "--report"))
        tell = alert_writer(
            options.alerts,
            settings,
            environment,
            opened,
            form=options.alerts_format,
            append=options.store is not None,
            sinks=options.sinks,
        )
        sink = opened.enter_context(records_to(options.events))
        with progress_bar(quiet=options.quiet) as progress:
            run = run_tap(
                tap,
                settings,
                table=table,
                own_limits=own,
                veil=veil,
                sink=sink,
                tell=tell,
                keeper=keeper,
                progress=progress,
                infers_domains=True,
            )
        if sink is not None:
            sink.flush()  # of records that could not be written there is no summary
        _print_end(run, tap, settings, found, options)
        if page is not None:
            # Last: where the disk has no room for it, the summary is there all the same.
            page.write(report_page(run, tap, settings, found, paths, continued=keeper is not None))
    alerts_lost = tell.lost() if tell is not None else 0
    return exit_status(run, tap, len(paths), fell_short=bool(found.problems or alerts_lost))


def _noted(found: Found, keeper: Keeper | None, *, once: bool) -> list[str]:
    """The captures to be read, noted with *keeper*: with *once* those that it does not know as counted."""
    if keeper is None:
        return list(found.paths)
    return once_only(keeper, found) if once else keeper.note_captures(found.paths)


def _print_end(run: Run, tap: Tap, settings: Settings, found: Found, options: ReplayOptions) -> None:
    """The summary or, where none is wanted, what went wrong; and why the run was not kept, if it was not."""
    if options.quiet:
        _log_problems(Log(), tap, found.problems)
    else:
        print_summary(
            run,
            tap,
            settings,
            found,
            as_json=options.json,
            to_stderr=options.output_is_taken,
            alerts_in=alerts_kept_in(run, settings, options.alerts, options.alerts_format, options.store),
        )
    if run.not_kept is not None:
        print_text(f"mailsensor: {printable(run.not_kept)}\n", to_stderr=True)


def _tell_nothing_left(found: Found) -> None:
    lines = [*found.counted_before[:COUNTED_SHOWN], "every capture was counted before; nothing is left to read"]
    more = len(found.counted_before) - COUNTED_SHOWN
    if more > 0:
        lines.insert(COUNTED_SHOWN, f"and {more:,} more captures before")
    print_text("".join(f"mailsensor: {printable(each)}\n" for each in lines), to_stderr=True)


def _check(options: ReplayOptions) -> None:
    if options.once and options.store is None:
        raise SettingsError("--once: needs --store FILE, which knows the captures that were counted")


def exit_status(run: Run, tap: Tap, files: int, *, fell_short: bool) -> int:
    """
    130 for an interrupted run, 1 where no file gave anything or the run could not be kept, 3 where something was
    damaged or it *fell_short* of what was asked (files passed over, alerts that reached nobody), else 0.
    """
    if run.interrupted:
        return INTERRUPTED
    if run.not_kept is not None:
        return READ_NOTHING
    damage = tap.damage()
    nothing = {each.path for each in damage if each.kind in _NOTHING_READ}
    if len(nothing) >= files:
        return READ_NOTHING
    return READ_WITH_DAMAGE if damage or fell_short or run.states_lost else READ_WHOLE


def _log_problems(log: Log, tap: Tap, passed_over: Sequence[str]) -> None:
    """Without a summary, what went wrong is told all the same."""
    for text in passed_over:
        log.warning("passed_over", what=text)
    for each in tap.damage():
        log.warning("damage", path=each.path, kind=each.kind, offset=each.offset, detail=each.detail)
