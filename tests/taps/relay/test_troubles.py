"""What goes wrong is in the log: at once, by the minute while it lasts, and not without end."""

from __future__ import annotations

import io

import pytest

from sensor.log import Log
from sensor.taps.relay.troubles import LOOK_EVERY_S, TELL_EVERY_S, TROUBLES, Troubles
from tests.taps.relay.next_hop import next_hop
from tests.taps.relay.relaying import Client, relaying


class Clocked:
    """Troubles of counters that a test sets, at times that it picks."""

    def __init__(self) -> None:
        self.counters = dict.fromkeys(TROUBLES, 0)
        self.now_s = 1_000.0
        self._stream = io.StringIO()
        self.troubles = Troubles(lambda: dict(self.counters), Log(self._stream), lambda: self.now_s)

    def told(self, *, is_last: bool = False) -> list[str]:
        """The lines of one more look, without what they mean."""
        self._stream.seek(0)
        self._stream.truncate()
        self.troubles.look(is_last=is_last)
        return [line.partition(" what=")[0] for line in self._stream.getvalue().splitlines()]


def test_a_trouble_is_told_when_it_is_first_seen() -> None:
    clocked = Clocked()
    assert clocked.told() == []
    clocked.counters["inline_refused"] = 3
    assert clocked.told() == ["warning inline_refused number=3"]
    assert clocked.told() == []


def test_a_trouble_that_lasts_is_told_by_the_minute() -> None:
    clocked = Clocked()
    lines = []
    for _ in range(100):
        clocked.counters["inline_events_dropped"] += 5
        lines += clocked.told()
        clocked.now_s += LOOK_EVERY_S
    minutes = 100 * LOOK_EVERY_S / TELL_EVERY_S
    assert minutes <= len(lines) <= minutes + 1
    assert lines[:2] == [
        "warning inline_events_dropped number=5",
        f"warning inline_events_dropped number={5 * TELL_EVERY_S / LOOK_EVERY_S:.0f}",
    ]


def test_the_last_look_tells_what_was_not_due() -> None:
    clocked = Clocked()
    for number in (1, 2):
        clocked.counters["inline_refused"] = number
        clocked.counters["relay_mails_unjudged"] = number
        told = clocked.told(is_last=number == 2)
        assert sorted(told) == ["warning inline_refused number=1", "warning relay_mails_unjudged number=1"]


def test_sessions_that_nobody_follows_are_in_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    with next_hop() as server, relaying(server.port, limits={"inline_sessions": 0}) as relay:
        with Client(relay.port) as client:
            assert client.hello() == 250
        assert set(TROUBLES) <= set(relay.tap.counters())
    assert "warning inline_refused number=1 " in capfd.readouterr().err
