"""What the contract asks of every detector. The list of them is the parameter, so a new one is held to it unasked."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.detect import DETECTORS, detectors
from sensor.detect.base import MAX_BLOB_OCTETS, BaseDetector, BlobError, OptionError, order
from sensor.detect.events import DetectorEvent
from sensor.model import Finding
from tests.detect.event_strategies import EVENTS, FORWARDS, any_event
from tests.detect.golden import make as golden

Made = BaseDetector[Any, Any]

ALL = pytest.mark.parametrize("detector", detectors(), ids=lambda each: each.name)

SOME = settings(max_examples=15, deadline=None)
"""Each example is a handful of large events, and there are as many tests as detectors."""


def run(detector: Made, events: Sequence[DetectorEvent]) -> Iterator[tuple[Any, tuple[Finding, ...]]]:
    """Each event's state and findings, for all keys, in the order given."""
    states: dict[str, Any] = {}
    for event in events:
        key = detector.key(event)
        if key is not None:
            out = detector.step(states.get(key), event)
            states[key] = out.state
            yield out.state, out.findings


def in_order() -> list[DetectorEvent]:
    return sorted({event.id: event for event in golden.read()}.values(), key=order)


def hostile(detector: Made, data: st.DataObject, most: int = 12) -> list[DetectorEvent]:
    return data.draw(st.lists(EVENTS[detector.event_type], min_size=1, max_size=most))


def texts_of(finding: Finding) -> Iterator[str]:
    """Every text in a finding, wherever it stands."""
    waiting: list[Any] = [msgspec.to_builtins(finding)]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            waiting += [*value, *value.values()]
        elif isinstance(value, list | tuple):
            waiting += value


def check_finding(finding: Finding, detector: Made) -> None:
    """Everything an analyst needs is there, bounded, and in printable lines."""
    assert finding.detector == detector.name
    assert re.fullmatch(r"[0-9a-f]{32}", finding.id)
    assert finding.summary
    assert finding.level_reason
    assert finding.confidence_reason
    assert finding.exhibits
    assert finding.mailboxes
    assert finding.counts
    assert all(count >= 0 for count in finding.counts.values())
    assert re.fullmatch(r"T\d{4}(\.\d{3})?", finding.technique)
    assert finding.first_seen_ms <= finding.last_seen_ms
    for measured in (finding.observed, finding.baseline):
        assert measured is None or measured.low <= measured.value <= measured.high
    assert all(text.isprintable() for text in texts_of(finding))
    assert len(msgspec.json.encode(finding)) <= 4 * MAX_BLOB_OCTETS


def test_names_are_told_apart_and_options_have_reasons() -> None:
    names = [detector.name for detector in DETECTORS]
    assert len(set(names)) == len(names)
    for detector in DETECTORS:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", detector.name)
        assert detector.__doc__
        for option in detector.OPTIONS:
            assert option.low <= option.default <= option.high
            assert option.meaning.endswith(".")


@ALL
def test_an_unknown_option_or_a_value_out_of_bounds_is_refused(detector: Made) -> None:
    with pytest.raises(OptionError, match="no option"):
        type(detector)({"colour": 3})
    for option in detector.OPTIONS:
        with pytest.raises(OptionError, match=option.name):
            type(detector)({option.name: option.high + 1})
        assert type(detector)({option.name: option.low}).options[option.name] == option.low


@ALL
def test_findings_on_the_golden_events_hold_all_that_is_needed(detector: Made) -> None:
    findings = [finding for _, findings in run(detector, in_order()) for finding in findings]
    assert findings
    for finding in findings:
        check_finding(finding, detector)


@ALL
@SOME
@given(data=st.data())
def test_hostile_events_give_printable_findings_and_bounded_blobs(detector: Made, data: st.DataObject) -> None:
    for state, findings in run(detector, hostile(detector, data)):
        assert len(detector.encode(state)) <= MAX_BLOB_OCTETS
        for finding in findings:
            check_finding(finding, detector)


@ALL
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_a_flood_on_few_keys_stays_within_a_blob(detector: Made, data: st.DataObject) -> None:
    """The same hostile events hundreds of times under ever new ids, times and originals."""
    kinds = hostile(detector, data, most=4)
    flood = []
    for number in range(200 // len(kinds)):
        for event in kinds:
            at_ms = golden.START_MS + number * 3_600_000
            changes: dict[str, Any] = {"id": f"{number}-{event.id}", "at_ms": at_ms}
            if hasattr(event, "original_id"):
                changes |= {"original_id": str(number), "original_at_ms": at_ms - 1_000}
            flood.append(msgspec.structs.replace(event, **changes))
    for number, (state, _) in enumerate(run(detector, flood)):
        if number % 50 == 0:
            assert len(detector.encode(state)) <= MAX_BLOB_OCTETS


@ALL
@SOME
@given(data=st.data())
def test_the_same_events_give_the_same_and_encoding_loses_nothing(detector: Made, data: st.DataObject) -> None:
    events = hostile(detector, data)
    first, second = list(run(detector, events)), list(run(type(detector)(), events))
    assert [findings for _, findings in first] == [findings for _, findings in second]
    for state, _ in first:
        blob = detector.encode(state)
        assert detector.decode(blob) == state
        assert detector.encode(detector.decode(blob)) == blob


@ALL
def test_an_event_delivered_twice_changes_nothing(detector: Made, chance: random.Random) -> None:
    states: dict[str, Any] = {}
    past: list[DetectorEvent] = []
    for event in in_order():
        key = detector.key(event)
        if key is None:
            continue
        states[key] = detector.step(states.get(key), event).state
        past.append(event)
        again = chance.choice(past[-200:])
        again_key = detector.key(again) or ""
        if event.at_ms - again.at_ms > detector.ttl_ms:
            continue
        before = detector.encode(states[again_key])
        out = detector.step(states[again_key], again)
        assert (out.findings, out.derived) == ((), ())
        assert detector.encode(out.state) == before


@ALL
@given(blob=st.binary(max_size=200))
def test_octets_that_are_no_blob_are_refused(detector: Made, blob: bytes) -> None:
    for each in (blob, bytes((detector.version,)) + blob, bytes((detector.version + 1,)) + blob, b""):
        try:
            state = detector.decode(each)
        except BlobError:
            continue
        assert detector.decode(detector.encode(state)) == state


@ALL
@SOME
@given(data=st.data())
def test_a_damaged_blob_is_refused_or_is_a_state_again(detector: Made, data: st.DataObject) -> None:
    states = [state for state, _ in run(detector, hostile(detector, data, most=3))]
    if not states:
        return
    blob = bytearray(detector.encode(states[-1]))
    at = data.draw(st.integers(0, len(blob) - 1))
    blob[at] ^= data.draw(st.integers(1, 255))
    for damaged in (bytes(blob), bytes(blob[:at])):
        try:
            detector.encode(detector.decode(damaged))
        except BlobError:
            continue


@ALL
def test_a_blob_of_a_later_version_is_refused(detector: Made) -> None:
    state = next(state for state, _ in run(detector, in_order()))
    with pytest.raises(BlobError):
        detector.decode(bytes((detector.version + 1,)) + detector.encode(state)[1:])


@ALL
def test_a_state_expires_by_the_time_of_events(detector: Made) -> None:
    """After the time to live, an event does what it does to a key without a state."""
    events = [event for event in in_order() if detector.key(event) is not None]
    state = None
    key = detector.key(events[-1])
    for event in events:
        if detector.key(event) == key:
            state = detector.step(state, event).state
    assert state is not None
    later = msgspec.structs.replace(events[-1], id="later", at_ms=detector.last_ms(state) + detector.ttl_ms + 1)
    fresh = detector.step(None, later)
    assert detector.step(state, later) == fresh


@ALL
@SOME
@given(event=any_event())
def test_only_events_of_its_type_have_a_key(detector: Made, event: DetectorEvent) -> None:
    key = detector.key(event)
    if not isinstance(event, detector.event_type):
        assert key is None
    assert key is None or 0 < len(key) <= 512


@given(event=FORWARDS)
def test_times_beyond_all_reason_are_not_taken(event: DetectorEvent) -> None:
    for detector in detectors():
        for at_ms in (2**53 + 1, -(2**60), 2**70):
            assert detector.key(msgspec.structs.replace(event, at_ms=at_ms)) is None
