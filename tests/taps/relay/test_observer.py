"""The observer fails without a trace in the mail: whatever its core or judge do, the session goes on."""

from __future__ import annotations

import io
from typing import Any

import pytest

from sensor.inline import Verdict
from sensor.log import Log
from sensor.taps.relay.counts import COUNTERS, Counts
from sensor.taps.relay.observer import HELD, NOT_JUDGED, Observer
from sensor.taps.relay.port import PASS, Ruling

CLIENT, SERVER = ("192.0.2.1", 1), ("192.0.2.2", 25)


class Core:
    """Remembers its calls, and fails at those named."""

    def __init__(self, *fails: str, error: type[Exception] = RuntimeError) -> None:
        self.calls: list[str] = []
        self._fails, self._error = fails, error

    def __getattr__(self, name: str) -> Any:
        def call(*_: object, **__: object) -> object:
            self.calls.append(name)
            if name in self._fails:
                raise self._error("ann@corp.example wrote this")
            return 7 if name == "open" else object()

        return call


class Judge:
    def __init__(self, verdict: Verdict | Exception) -> None:
        self._verdict = verdict

    def judge(self, _mail: object) -> Verdict:
        if isinstance(self._verdict, Exception):
            raise self._verdict
        return self._verdict


def observer(
    core: Core, verdict: Verdict | Exception | None = None, *, fails_closed: bool = False
) -> tuple[Observer, io.StringIO]:
    told = io.StringIO()
    judge = None if verdict is None else Judge(verdict)
    return Observer(core, judge, Counts(), fails_closed=fails_closed, log=Log(told)), told


@pytest.mark.parametrize("fails", ["open", "feed", "secured", "provisional", "close"])
@pytest.mark.parametrize("fails_closed", [False, True])
def test_a_session_goes_on_whatever_the_core_does(fails: str, fails_closed: bool) -> None:
    watcher, told = observer(Core(fails), Verdict(), fails_closed=fails_closed)
    view = watcher.open(CLIENT, SERVER)
    view.seen(b"EHLO x\r\n", from_client=True)
    view.secured()
    ruling = view.judge()
    view.close(reset=False)
    assert ruling == (NOT_JUDGED if fails_closed and fails != "close" else PASS)
    assert watcher.counts["observer_failures"] == 1
    assert told.getvalue().count("relay_observer_failed") == 1
    assert "ann@corp.example" not in told.getvalue()


def test_after_a_failure_a_session_is_followed_no_further() -> None:
    core = Core("feed")
    view = observer(core)[0].open(CLIENT, SERVER)
    for _ in range(3):
        view.seen(b"NOOP\r\n", from_client=True)
    view.close(reset=True)
    assert core.calls == ["open", "feed", "close"]


def test_more_sessions_than_are_followed_are_no_failure() -> None:
    watcher, told = observer(Core("open", error=OverflowError))
    watcher.open(CLIENT, SERVER).seen(b"NOOP\r\n", from_client=True)
    assert watcher.counts["observer_failures"] == 0
    assert told.getvalue() == ""


@pytest.mark.parametrize(
    ("verdict", "ruling"),
    [
        (None, PASS),
        (Verdict(), PASS),
        (Verdict(dry_run=True, would="reject"), PASS),
        (Verdict("tag", tag=(b"X-Tag", b"auto")), Ruling(tag=b"X-Tag: auto\r\n")),
        (Verdict("reject", reply=(550, "5.7.1", "No")), Ruling(refusal=b"550 5.7.1 No\r\n")),
        (Verdict("defer", reply=(451, "4.7.1", "Later")), Ruling(refusal=b"451 4.7.1 Later\r\n")),
        (Verdict("quarantine"), Ruling(refusal=HELD)),
        (ValueError("judge"), PASS),
    ],
)
def test_verdicts_become_rulings(verdict: Verdict | Exception | None, ruling: Ruling) -> None:
    assert observer(Core(), verdict)[0].open(CLIENT, SERVER).judge() == ruling


def test_every_counter_that_is_counted_has_a_meaning() -> None:
    counts = Counts()
    with pytest.raises(KeyError):
        counts.add("no such counter")
    assert set(counts.all()) == set(COUNTERS)
