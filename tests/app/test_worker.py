"""A worker opens its tap anew when it dies, counts on, and never waits for ever."""

import queue
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest

from sensor.app import worker as module
from sensor.app.worker import Inbox, Worker
from sensor.log import Log
from sensor.model import Missed, TapName, TlsSession, Transaction
from sensor.taps.base import Batch, DamageView, RightGoneError
from sensor.taps.folder import EndOfCaptures
from sensor.taps.missed import MissedBatch
from tests.mails import Batch as Mails
from tests.mails import Mail, Tls
from tests.waiting import until


class Brittle:
    """Gives batches, counts each, and dies if it is told to."""

    def __init__(self, batches: int, *, dies: bool) -> None:
        self._left, self._dies, self._counted = batches, dies, 0

    @property
    def name(self) -> TapName:
        return "live"

    @property
    def transaction_type(self) -> type[Transaction]:
        return Mail

    @property
    def session_type(self) -> type[TlsSession]:
        return Tls

    def batches(self) -> Iterator[Batch]:
        while self._left:
            self._left -= 1
            self._counted += 1
            yield Mails([Tls()])
        if self._dies:
            raise RuntimeError("the cable was cut")

    def stop(self) -> None:
        self._left = 0

    def progress(self) -> tuple[int, int, str]:
        return 0, 0, ""

    def counters(self) -> Mapping[str, int]:
        return {"frames": self._counted}

    def anomalies(self) -> Mapping[str, int]:
        return {}

    def damage(self) -> Sequence[DamageView]:
        return ()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(module, "LONGEST_PAUSE_S", 0.02)
    monkeypatch.setattr(module, "_TURN_S", 0.01)


def started(open_tap: Callable[[], Brittle], inbox: Inbox, **more: object) -> Worker:
    made = Worker("w", open_tap, inbox, goes_on=True, log=Log(level="error"), **more)  # type: ignore[arg-type]
    made.start()
    return made


def test_one_that_dies_is_opened_anew_and_its_counts_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    inbox: Inbox = queue.Queue()
    worker = started(lambda: Brittle(2, dies=True), inbox)
    seen = 0
    while worker.restarts < 4:
        now = worker.totals().counters.get("frames", 0)
        assert now >= seen
        seen = now
    worker.stop()
    until(lambda: not worker.is_alive)
    assert worker.totals().counters["frames"] >= 8
    assert sum(len(parcel.batch) for parcel in inbox.queue) == worker.totals().counters["frames"]
    assert any(isinstance(parcel.batch, EndOfCaptures) for parcel in inbox.queue)
    assert 'why="RuntimeError: the cable was cut"' in capsys.readouterr().err


def test_one_that_can_not_be_opened_again_says_why() -> None:
    taps = iter([Brittle(1, dies=True)])

    def open_tap() -> Brittle:
        for tap in taps:
            return tap
        raise OSError("no such device")

    worker = started(open_tap, queue.Queue())
    until(lambda: worker.problem is not None and "no such device" in worker.problem)
    assert not worker.is_up
    worker.stop()


def test_one_that_lacks_the_right_to_go_on_is_stranded_until_it_has_it() -> None:
    gone = RightGoneError("this user may not capture")
    tries: list[Brittle | RightGoneError] = [Brittle(1, dies=True), gone, gone, Brittle(1, dies=False)]

    def open_tap() -> Brittle:
        found = tries.pop(0)
        if isinstance(found, RightGoneError):
            raise found
        return found

    worker = started(open_tap, queue.Queue())
    until(lambda: worker.is_stranded)
    assert not worker.is_up
    until(lambda: not tries and not worker.is_stranded)
    worker.stop()


def test_a_first_opening_that_fails_is_an_error() -> None:
    def open_tap() -> Brittle:
        raise OSError("no such device")

    with pytest.raises(OSError, match="no such device"):
        Worker("w", open_tap, queue.Queue(), goes_on=True, log=Log())


def test_what_a_tap_says_of_mail_it_missed_is_handed_over_though_it_holds_none() -> None:
    class Missing(Brittle):
        def batches(self) -> Iterator[Batch]:
            yield MissedBatch([Missed(at_ms=1, why="dropped")])

    inbox: Inbox = queue.Queue()
    worker = Worker("w", lambda: Missing(0, dies=False), inbox, goes_on=False, log=Log())
    worker.start()
    until(lambda: worker.has_ended)
    assert [type(parcel.batch) for parcel in inbox.queue] == [MissedBatch]


def test_a_full_inbox_makes_it_wait_and_an_abandoned_one_lets_it_go() -> None:
    inbox: Inbox = queue.Queue(1)
    worker = started(lambda: Brittle(1_000_000, dies=False), inbox)
    until(inbox.full)
    time.sleep(0.05)
    assert worker.totals().counters["frames"] <= 3
    worker.abandon()
    until(lambda: not worker.is_alive)


def test_a_worker_in_the_place_of_another_counts_on() -> None:
    old = started(lambda: Brittle(3, dies=False), queue.Queue())
    until(lambda: old.totals().counters.get("frames", 0) >= 3)
    old.stop()
    fresh = started(lambda: Brittle(2, dies=False), queue.Queue(), before=old)
    until(lambda: fresh.totals().counters["frames"] >= 5)
    until(lambda: not old.is_alive)
    counted = old.totals().counters["frames"]
    assert fresh.totals().counters["frames"] >= counted + 2
    fresh.stop()


class Judging(Brittle):
    def verdicts(self) -> Mapping[tuple[str, str, bool], int]:
        return {("reject", "no", False): 2}


def test_verdicts_of_a_tap_that_judges_are_counted_over_its_restarts() -> None:
    first, second = module.totals_of(Judging(1, dies=False)), module.totals_of(Judging(1, dies=False))
    assert (first + second).verdicts == {("reject", "no", False): 4}
    assert module.totals_of(Brittle(1, dies=False)).verdicts == {}
