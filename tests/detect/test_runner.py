"""The in-process runner: order, failures, bounds, time, checkpoints and shards."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.detect import Runner
from sensor.detect.base import DAY_MS, BlobError
from sensor.detect.drive import drive, lags
from sensor.detect.events import ForwardSeen
from sensor.detect.held import HELD
from sensor.detect.shards import SHARDS, pack, shard_of, unpack
from sensor.model import Finding
from tests.detect.probe import Deriver, Probe, seen

ANN = "ann@corp.example"


def told(findings: list[Finding]) -> list[str]:
    return [finding.summary for finding in findings]


def test_events_wait_for_earlier_ones_and_come_in_order() -> None:
    runner = Runner([Probe()])
    assert runner.feed([seen("b", 500), seen("c", 1_200)]) == []
    assert told(runner.feed([seen("a", 400), seen("d", 1_450)])) == ["a"]
    assert told(runner.wake(2_300)) == ["a b", "a b c"]
    assert told(runner.finish()) == ["a b c d"]


def test_what_comes_too_late_for_its_order_counts_all_the_same() -> None:
    runner = Runner([Probe()])
    assert told(runner.feed([seen("b", 5_000), seen("c", 7_000)])) == ["b"]
    assert told(runner.feed([seen("a", 100)])) == ["b a"]


def test_a_detector_that_raises_is_counted_and_goes_back_while_the_others_go_on() -> None:
    class Other(Probe):
        name = "other"

        def observe(self, state, event):  # type: ignore[no-untyped-def]
            return super().observe(state, seen("good", event.at_ms) if event.id == "bad" else event)

    runner = Runner([Probe(), Other()])
    findings = runner.feed([seen("a", 1), seen("bad", 2), seen("c", 3)]) + runner.finish()
    assert [each.summary for each in findings if each.detector == "probe"] == ["a", "a c"]
    assert [each.summary for each in findings if each.detector == "other"] == ["a", "a good", "a good c"]
    assert runner.failures == {"probe": 1, "other": 0}


def test_a_failure_on_the_first_event_or_in_the_key_leaves_nothing() -> None:
    runner = Runner([Probe()])
    assert runner.feed([seen("bad", 1), seen("x", 2, "nokey")]) + runner.finish() == []
    assert (runner.states, runner.failures) == (0, {"probe": 2})


def test_a_state_too_large_for_a_blob_is_refused_and_the_one_before_stays() -> None:
    runner = Runner([Probe()])
    runner.feed([seen("a", 1), seen("x" * 70_000, 2), seen("b", 3)])
    assert told(runner.finish()) == ["a", "a b"]
    assert runner.failures == {"probe": 1}


def test_beyond_the_bound_on_states_the_one_longest_without_an_event_goes() -> None:
    runner = Runner([Probe()], limits={"detector_states": 2})
    runner.feed([seen("1", 1, "a"), seen("2", 2, "b"), seen("3", 3, "a")])
    runner.finish()
    runner.feed([seen("4", 4, "c")])
    runner.finish()
    runner.feed([seen("5", 5, "d")])
    assert runner.states_evicted == 1
    assert told(runner.finish()) == ["5"]
    assert told(runner.feed([seen("6", 6, "a"), seen("7", 9_000, "z")])) == ["1 3 6"]


def test_the_bound_on_octets_holds_as_well() -> None:
    runner = Runner([Probe()], limits={"detector_octets": 1_000})
    for number in range(50):
        runner.feed([seen(str(number), number, f"m{number}")])
        runner.finish()
    runner.wake(100)
    assert 0 < runner.states < 20
    assert runner.states + runner.states_evicted == 50


def test_beyond_the_bound_on_waiting_events_the_oldest_go_ahead() -> None:
    runner = Runner([Probe()], limits={"detector_events_held": 3})
    assert told(runner.feed([seen(str(number), number) for number in range(5)])) == ["0", "0 1"]
    assert runner.released_early == 2


def test_states_expire_by_the_time_of_events() -> None:
    runner = Runner([Probe()])
    runner.feed([seen("a", 0), seen("b", 2_000_000, "other")])
    assert runner.states == 0
    assert told(runner.feed([seen("c", 2_000_500)]) + runner.finish()) == ["b", "c"]


def test_one_absurd_time_does_not_move_the_clock_but_two_that_agree_do() -> None:
    runner = Runner([Probe()])
    runner.feed([seen("a", 10), seen("damage", 40_000 * DAY_MS, "m"), seen("b", 20)])
    assert runner.clock_ms == 20
    assert told(runner.wake(1_500)) == ["a", "a b"]
    runner.feed([seen("c", 90 * DAY_MS), seen("d", 91 * DAY_MS)])
    assert runner.clock_ms == 91 * DAY_MS
    runner.feed([seen("e", 3 * DAY_MS), seen("f", 3 * DAY_MS + 1)])
    assert runner.clock_ms == 3 * DAY_MS + 1


@pytest.mark.parametrize("at_ms", [2**53 + 1, -(2**60), 10**40])
def test_times_beyond_all_reason_are_left_out(at_ms: int) -> None:
    runner = Runner([Probe()])
    assert runner.feed([seen("a", at_ms)]) + runner.wake(at_ms) + runner.finish() == []
    assert runner.clock_ms is None


def test_what_is_derived_goes_to_the_detectors_behind_in_order_of_time() -> None:
    runner = Runner([Deriver(), Probe()])
    assert lags([Deriver(), Probe()]) == (1_000, 2_000)
    runner.feed([seen("a", 100), seen("b", 120, "derived")])
    findings = [each for each in runner.finish() if each.detector == "probe"]
    assert [(each.mailbox, each.summary) for each in findings] == [
        (ANN, "a"),
        ("derived", "from a"),
        ("derived", "from a b"),
    ]


def test_the_owner_may_add_to_what_is_derived_or_drop_it() -> None:
    runner = Runner([Deriver(), Probe()], on_derived=lambda event: (event, seen("more", event.at_ms, "extra")))
    runner.feed([seen("a", 100)])
    assert {each.mailbox for each in runner.finish() if each.detector == "probe"} == {ANN, "derived", "extra"}
    runner = Runner([Deriver(), Probe()], on_derived=lambda _: ())
    runner.feed([seen("a", 100)])
    assert {each.mailbox for each in runner.finish() if each.detector == "probe"} == {ANN}


def test_a_wake_up_outlives_a_restart() -> None:
    first = Runner([Deriver(), Probe()])
    first.feed([seen("a", 100)])
    first.wake(1_200)
    second = Runner([Deriver(), Probe()])
    for entry in first.changed():
        second.restore(*entry)
    assert "from a" in told(second.wake(5_000))


def test_a_checkpoint_tells_each_change_once_and_what_is_gone() -> None:
    runner = Runner([Probe()])
    runner.feed([seen("a", 1)])
    ((detector, key, blob),) = runner.changed()
    assert (detector, bool(blob)) == (HELD, True)
    runner.finish()
    entries = {entry[:2]: entry[2] for entry in runner.changed()}
    assert entries.pop((HELD, key)) == b""
    assert list(entries) == [("probe", ANN)]
    assert list(runner.changed()) == []
    runner.feed([seen("b", 2_000_000, "other")])
    assert ("probe", ANN, b"") in list(runner.changed())


def test_damaged_entries_are_refused_and_those_of_others_left_out() -> None:
    runner = Runner([Probe()])
    for detector in ("probe", HELD):
        with pytest.raises(BlobError):
            runner.restore(detector, "key", b"\xff\x00")
    runner.restore("turned_off", "key", b"whatever")
    runner.restore("probe", "key", b"")
    assert runner.states == 0


@given(st.binary(max_size=60))
def test_any_octets_restore_or_are_refused(blob: bytes) -> None:
    runner = Runner([Probe()])
    for detector in ("probe", HELD):
        for each in (blob, b"\x01" + blob):
            try:
                runner.restore(detector, "key", each)
            except BlobError:
                continue
    runner.finish()


def test_a_shard_moves_with_all_that_lives_in_it() -> None:
    first, second = Runner([Probe()]), Runner([Probe()])
    first.feed([seen("1", 1), seen("2", 2, "bob@corp.example"), seen("3", 1_500)])
    shard = shard_of(ANN)
    assert shard != shard_of("bob@corp.example")
    second.add_shard(unpack(pack(first.take_shard(shard))))
    assert told(second.finish()) == ["1 3"]
    assert (first.states, told(first.finish())) == (1, [])
    assert ("probe", ANN, b"") in list(first.changed())
    assert any(entry[:2] == ("probe", ANN) and entry[2] for entry in second.changed())


@given(st.text())
def test_every_key_has_a_shard(key: str) -> None:
    assert 0 <= shard_of(key) < SHARDS


@given(st.binary())
def test_octets_that_are_no_shard_are_refused(packed: bytes) -> None:
    for each in (packed, b"\x01" + packed):
        try:
            assert unpack(pack(unpack(each))) == unpack(each)
        except BlobError:
            continue


# ---- drive


def test_drive_holds_back_what_lies_beyond_the_watermark() -> None:
    turn = drive(Probe(), b"", ANN, [seen("c", 30), seen("a", 10), seen("b", 20)], 20)
    assert told(turn.findings) == ["a", "a b"]
    assert [event.id for event in turn.held] == ["c"]
    turn = drive(Probe(), turn.blob, ANN, turn.held, 30)
    assert (told(turn.findings), turn.held) == (["a b c"], ())


def test_drive_counts_failures_and_goes_back() -> None:
    turn = drive(Probe(), b"", ANN, [seen("a", 1), seen("bad", 2), seen("c", 3)], 10)
    assert (told(turn.findings), turn.failed) == (["a", "a c"], 1)


def test_drive_forgets_what_has_expired() -> None:
    turn = drive(Probe(), b"", ANN, [seen("a", 1)], 5)
    assert turn.blob
    assert drive(Probe(), turn.blob, ANN, [], 2_000_000).blob == b""


def test_drive_wakes_once_the_watermark_has_come_there() -> None:
    turn = drive(Deriver(), b"", ANN, [seen("a", 100)], 150)
    assert (turn.wake_at_ms, turn.derived) == (600, [])
    turn = drive(Deriver(), turn.blob, ANN, [], 600)
    assert [event.id for event in turn.derived] == ["from a"]
    assert isinstance(turn.derived[0], ForwardSeen)


def test_drive_refuses_a_blob_that_is_none() -> None:
    with pytest.raises(BlobError):
        drive(Probe(), b"\xffnone", ANN, [], 0)
