"""From a settings file to parts: what is to be built, and how each part of it is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sensor.alert.policy import Policy
from sensor.app.common import organisation_of, pipeline_for, settings_of, split_limits, table_in_force
from sensor.app.milter import open_milter
from sensor.app.recordfile import keeps
from sensor.app.relay import open_relay
from sensor.app.sniff import tell_change
from sensor.app.timing import Timed
from sensor.classify import Table
from sensor.database import Database
from sensor.detect import Runner, detectors
from sensor.log import Log
from sensor.pipeline import Pipeline
from sensor.privacy import Veil
from sensor.pseudonym import KeyRing
from sensor.settings import Settings, SettingsError
from sensor.taps.base import Tap
from sensor.taps.capture import core_limits, transaction_types
from sensor.taps.files import capture_digest
from sensor.taps.folder import CapturesTap, Reading
from sensor.taps.live import LiveTap

Observe = Callable[[str, float], None]
"""Told a detector's name and how long it took, in seconds."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Settings that were read and checked, with what follows from them. ``environment`` may hold secrets of sinks."""

    settings: Settings
    table: Table
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    core_limits: Mapping[str, int] = field(default_factory=dict)
    own_limits: Mapping[str, int] = field(default_factory=dict)


def plan_of(path: str, environment: Mapping[str, str]) -> Plan:
    """Read and check the settings at *path*. Raises a ``UserError``."""
    plan = read_plan(path, environment)
    for lack in lacks_of(plan):
        raise SettingsError(f"{path}: {lack}")
    return plan


def read_plan(path: str, environment: Mapping[str, str]) -> Plan:
    """What the settings at *path* say, whether or not a service can run by it. Raises a ``UserError``."""
    settings = settings_of(path, environment)
    core, own = split_limits(settings.limits, core_limits())
    return Plan(settings, table_in_force(settings, path), environment, core, own)


def lacks_of(plan: Plan) -> Iterator[str]:
    """What a service needs and *plan* does not say."""
    if not taps_of(plan, set()):
        yield (
            "nothing to read: set live.interfaces, capture.folder, capture.files, relay.listen, milter.listen "
            "or journal.listen"
        )
    if plan.settings.journal.listen and not keeps(plan.settings.run.records):
        yield "journal.listen needs a file as run.records: a copy is acknowledged when its record is on disk"


def pipeline_of(plan: Plan) -> Pipeline:
    """Classifier, ledger and pairing."""
    transaction_type, session_type = transaction_types()
    return pipeline_for(
        organisation_of(plan.settings),
        transaction_type=transaction_type,
        session_type=session_type,
        table=plan.table,
        limits=plan.own_limits,
    )


def runner_of(plan: Plan, observe: Observe) -> Runner:
    """The detectors, each with a clock on it."""
    timed: list[Any] = [Timed(each, observe) for each in detectors(plan.settings.detect)]
    return Runner(timed, limits=plan.own_limits)


def policy_of(plan: Plan, veil: Veil) -> Policy:
    """What makes alerts of findings."""
    return Policy(plan.settings.alerts, veil)


@dataclass(frozen=True, slots=True)
class TapPlan:
    """
    How a tap is opened, whether it goes on for ever, and what it reads: plans of equal ``what`` read the same.

    ``is_live``: it shows mail when it passes, so that packet time and the time of day are one.
    """

    open: Callable[[], Tap]
    goes_on: bool
    what: object
    is_live: bool = True


def taps_of(
    plan: Plan, begun: set[str], resumes: dict[str, Reading] | None = None, keys: KeyRing | None = None
) -> dict[str, TapPlan]:
    """
    By worker name, the taps that the settings name. *begun* takes the captures that this process begins to read,
    *resumes* gives by worker name, once, the readings that the last process left off; *keys* open a sealed store.
    """
    left = {} if resumes is None else resumes
    capture, taps = plan.settings.capture, dict[str, TapPlan]()
    live = plan.settings.live
    if live.interfaces:
        taps["live"] = TapPlan(lambda: _live(plan), goes_on=True, what=live)
    if capture.folder:
        taps["folder"] = TapPlan(
            lambda: _captures(plan, (capture.folder,), begun, left.pop("folder", None), keys, watches=True),
            goes_on=True,
            what=(capture.folder, capture.settle_s),
            is_live=False,
        )
    if capture.files:
        taps["files"] = TapPlan(
            lambda: _captures(plan, capture.files, begun, left.pop("files", None), keys, watches=False),
            goes_on=False,
            what=capture.files,
            is_live=False,
        )
    settings = plan.settings
    if settings.milter.listen:
        taps["milter"] = TapPlan(
            lambda: open_milter(settings, plan.table, plan.core_limits, Log()),
            goes_on=True,
            what=(settings.milter, settings.inline, settings.organisation),
        )
    if settings.relay.listen:
        taps["relay"] = TapPlan(
            lambda: open_relay(settings, plan.table, plan.core_limits, Log(), at_most_s=settings.run.drain_s),
            goes_on=True,
            what=(settings.relay, settings.inline, settings.organisation),
        )
    journal = plan.settings.journal
    if journal.listen:
        taps["journal"] = TapPlan(lambda: _journal(plan), goes_on=True, what=journal)
    return taps


def _journal(plan: Plan) -> Tap:
    # Imported where it is needed: the SMTP server takes a while, and few sensors have one.
    from sensor.taps.journal.tap import JournalTap

    return JournalTap(plan.table.interest, plan.settings.journal, limits=plan.core_limits)


def _live(plan: Plan) -> Tap:
    live, log = plan.settings.live, Log()
    return LiveTap(
        live.interfaces,
        plan.table.interest,
        settings=live,
        limits=plan.core_limits,
        reopens=plan.settings.run.keep_net_raw or plan.settings.run.stays_root,
        watch=lambda was, now: tell_change(log, was, now),
    )


def _captures(
    plan: Plan,
    paths: tuple[str, ...],
    begun: set[str],
    resumes: Reading | None,
    keys: KeyRing | None,
    *,
    watches: bool,
) -> Tap:
    store = plan.settings.store.path
    return CapturesTap(
        paths,
        plan.table.interest,
        begun=begun,
        watches=watches,
        settle_s=plan.settings.capture.settle_s,
        is_counted=(lambda path: _is_counted(store, path, keys)) if store else None,
        resumes=resumes,
        limits=plan.core_limits,
    )


def _is_counted(store: str, path: str, keys: KeyRing | None) -> bool:
    """True if a capture of that content is in the store already. Asked on the worker's thread, so by a reader."""
    digest, _ = capture_digest(path)
    with Database(store, writes=False, keys=keys) as database:
        return database.counted(digest) is not None
