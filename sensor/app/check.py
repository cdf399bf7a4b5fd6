"""Looks at all that the sensor needs before it is started, and says how to put right what lacks."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from sensor.app.build import lacks_of, read_plan, taps_of
from sensor.app.common import settings_of
from sensor.app.console import print_text
from sensor.app.probing import ProbeOptions, probe_of
from sensor.app.rights import Rights
from sensor.check import CHECKS, RANK, Check, Line, Subject
from sensor.check.base import fail, ok, warn
from sensor.check.probe import ProbeMail, look
from sensor.errors import UserError
from sensor.log import Log, printable
from sensor.settings import Settings

WIDTH = 100
_EVERY_KEY = "docs/settings.md has every key"


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """What the command line asks: the settings file, if there is one, and how to tell."""

    settings_path: str | None = None
    json: bool = False
    probe: bool = False
    probe_mail: ProbeOptions | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A line, and the check that it is of."""

    check: str
    line: Line


def check(options: CheckOptions, environment: Mapping[str, str]) -> int:
    """
    Print what was found, and return the exit status: 0 all is well, 1 there are warnings, 2 it would not work.

    Raises ``ProbeError`` for a probe mail that can't be sent as it is asked for.
    """
    probe = None if options.probe_mail is None else probe_of(options.probe_mail)
    told = list(_told(options, environment, probe))
    print_text(_as_json(told) if options.json else _as_text(told))
    return max(RANK[each.line.status] for each in told)


def _told(options: CheckOptions, environment: Mapping[str, str], probe: ProbeMail | None) -> Iterator[Told]:
    settings, lines = _settings(options.settings_path, environment)
    yield from (Told("settings", line) for line in lines)
    if settings is None:
        return
    yield from (Told("user", line) for line in _become(settings))
    if probe is not None:
        # The checks look at what a start takes, and this one at a sensor that has started: ports are in use, and so on.
        yield from (Told("probe_mail", line) for line in look(settings, probe))
        return
    subject = Subject(settings, options.settings_path, environment, options.probe)
    for each in CHECKS:
        yield from (Told(each.name, line) for line in _looked(each, subject))


def _settings(path: str | None, environment: Mapping[str, str]) -> tuple[Settings | None, Sequence[Line]]:
    """The settings, none if they can't be read, and what is to be said of them."""
    try:
        if path is None:
            settings = settings_of(None, environment)
            return settings, [warn("file", "none was named: looked at with what is usual", "name it: --config FILE")]
        plan = read_plan(path, environment)
        lacks = [fail("file", f"{path}: {lack}", _EVERY_KEY) for lack in lacks_of(plan)]
        sources = ", ".join(taps_of(plan, set()))
    except UserError as error:
        return None, [fail("file", str(error), _EVERY_KEY)]
    return plan.settings, lacks or [ok("file", f"{path}: reads from {sources}")]


def _become(settings: Settings) -> Iterator[Line]:
    """Be whom the service would be, with the rights that it opens sockets with; else go on as who we are."""
    try:
        Rights(settings.run, log=Log()).become()
    except UserError as error:
        yield fail("run.user", str(error), f"then check again: what follows was looked at as user {os.geteuid()}")


def _looked(each: Check, subject: Subject) -> Iterator[Line]:
    try:
        yield from each.look(subject)
    except OSError as error:
        yield fail(each.name, f"can't be looked at: {error}", "look at it by hand")


# ---- telling


def _as_json(told: Sequence[Told]) -> str:
    worst = max((each.line.status for each in told), key=RANK.__getitem__)
    checks = [{"check": each.check} | asdict(each.line) for each in told]
    return json.dumps({"status": worst, "checks": checks}, indent=1) + "\n"


def _as_text(told: Sequence[Told]) -> str:
    width = max(len(each.check) for each in told)
    lines = []
    for each in told:
        line = each.line
        said = line.said if line.said.startswith(line.what) else f"{line.what}: {line.said}"
        lines += textwrap.wrap(
            printable(said),
            WIDTH,
            initial_indent=f"{line.status.upper():<5} {each.check:<{width}}  ",
            subsequent_indent=" " * (width + 8),
            break_long_words=False,
            break_on_hyphens=False,
        )
        if line.fix:
            # Not wrapped: it may be a command.
            lines.append(f"{'':<{width + 8}}-> {printable(line.fix)}")
    return "\n".join([*lines, "", _sum(told)]) + "\n"


def _sum(told: Sequence[Told]) -> str:
    fails, warnings = (sum(each.line.status == status for each in told) for status in ("fail", "warn"))
    if any(each.check == "probe_mail" for each in told):
        return (
            f"The probe mail proves {'nothing' if fails else 'the chain'}; {fails} to put right, {warnings} to look at."
        )
    if fails:
        return f"It would not work: {fails} to put right, {warnings} to look at."
    return f"It would work; {warnings} to look at." if warnings else "All is well."
