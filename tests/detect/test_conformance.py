"""
The golden events through every way of running detectors: whole, cut, killed, rescaled, shuffled. All find the same.

A way of running is a function from detectors and events to findings, and an entry in ``WAYS``: an adapter to a stream
engine adds its own.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

import pytest

from sensor.detect import DETECTORS, Runner, detectors
from sensor.detect.base import BaseDetector
from sensor.detect.drive import drive
from sensor.detect.events import DetectorEvent
from sensor.detect.shards import SHARDS
from sensor.model import Finding
from tests.detect.dict_engine import DictEngine
from tests.detect.golden import make as golden

Detectors = Sequence[BaseDetector[Any, Any]]
Way = Callable[[Detectors, Sequence[DetectorEvent], random.Random], Iterable[Finding]]


def plain(made: Detectors, events: Sequence[DetectorEvent], chance: random.Random) -> list[Finding]:
    """In-process, in batches of any size."""
    runner, findings, at = Runner(made), [], 0
    while at < len(events):
        size = chance.randrange(1, 200)
        findings += runner.feed(events[at : at + size])
        at += size
    assert set(runner.failures.values()) == {0}
    return findings + runner.finish()


def killed(made: Detectors, events: Sequence[DetectorEvent], chance: random.Random) -> list[Finding]:
    """
    In-process, with checkpoints, and killed now and then: the next runner starts from the last checkpoint and gets all
    since then again, and some that was in it.
    """
    store: dict[tuple[str, str], bytes] = {}
    runner, findings, at, saved_at = Runner(made), [], 0, 0
    while at < len(events):
        findings += runner.feed(events[at : at + 10])
        at += 10
        if chance.random() < 0.1:
            for detector, key, blob in runner.changed():
                store[detector, key] = blob
            saved_at = at
        if chance.random() < 0.02:
            runner = Runner(made)
            for (detector, key), blob in store.items():
                runner.restore(detector, key, blob)
            at = max(0, saved_at - chance.randrange(60))
    return findings + runner.finish()


def moved(made: Detectors, events: Sequence[DetectorEvent], chance: random.Random) -> list[Finding]:
    """In-process, and all shards move to a new runner now and then."""
    runner, findings = Runner(made), []
    for at in range(0, len(events), 50):
        findings += runner.feed(events[at : at + 50])
        if chance.random() < 0.1:
            following = Runner(made)
            for shard in range(SHARDS):
                following.add_shard(runner.take_shard(shard))
            assert runner.states == 0
            runner = following
    return findings + runner.finish()


def driven(made: Detectors, events: Sequence[DetectorEvent], chance: random.Random) -> list[Finding]:
    """An engine of blobs, which are decoded and encoded at every event."""
    engine = DictEngine(made)
    return [finding for event in events for finding in engine.feed(event)] + engine.finish()


def rescaled(made: Detectors, events: Sequence[DetectorEvent], chance: random.Random) -> list[Finding]:
    """The same engine on one worker, then three, then one for each shard, then one."""
    engine, findings = DictEngine(made), []
    steps = {len(events) * part // 4: workers for part, workers in ((1, 3), (2, SHARDS), (3, 1))}
    for at, event in enumerate(events):
        if at in steps:
            engine.rescale(steps[at])
        findings += engine.feed(event)
    return findings + engine.finish()


WAYS: tuple[Way, ...] = (plain, killed, moved, driven, rescaled)


@cache
def events() -> tuple[DetectorEvent, ...]:
    return tuple(golden.read())


@cache
def expected() -> dict[str, Finding]:
    """What is found at last of each claim if all events come in order and once."""
    once = {event.id: event for event in events()}
    runner = Runner(detectors())
    ordered = sorted(once.values(), key=lambda each: each.at_ms)
    return {finding.id: finding for finding in runner.feed(ordered) + runner.finish()}


def test_the_golden_file_is_what_its_maker_makes() -> None:
    assert golden.FILE.read_text(encoding="utf-8") == golden.lines(golden.make())


def test_the_golden_events_hold_disorder_and_duplicates() -> None:
    times = [event.at_ms for event in events()]
    assert times != sorted(times)
    assert len({event.id for event in events()}) < len(times)
    assert {type(event) for event in events()} == set(DetectorEvent.__args__)


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda each: each.name)
def test_every_detector_finds_something_in_the_golden_events(detector: type[BaseDetector[Any, Any]]) -> None:
    assert detector.name in {finding.detector for finding in expected().values()}


@pytest.mark.parametrize("way", WAYS, ids=lambda each: each.__name__)
def test_every_way_of_running_finds_the_same(way: Way, chance: random.Random) -> None:
    findings = list(way(detectors(), events(), chance))
    assert {finding.id: finding for finding in findings} == expected()


@pytest.mark.parametrize("way", [plain, driven], ids=lambda each: each.__name__)
def test_the_order_within_lateness_does_not_matter(way: Way, chance: random.Random) -> None:
    shuffled = sorted(events(), key=lambda each: each.at_ms + chance.randrange(golden.DISORDER_MS))
    findings = list(way(detectors(), shuffled, chance))
    assert {finding.id: finding for finding in findings} == expected()


def test_a_key_driven_by_itself_needs_nothing_but_its_blob() -> None:
    """One detector and one key, an event at a time, with blob and watermark in the caller's hands."""
    detector = detectors()[0]
    ours = sorted(
        (each for each in events() if detector.key(each) == "victim@corp.example"), key=lambda each: each.at_ms
    )
    blob, findings = b"", []
    for event in ours:
        turn = drive(detector, blob, "victim@corp.example", [event], event.at_ms)
        assert turn.held == ()
        blob = turn.blob
        findings += turn.findings
    assert {finding.id: finding for finding in findings}.items() <= expected().items()
    assert findings
