"""Where mail is seen as it passes, time goes on without mail."""

from __future__ import annotations

from sensor.app.quiet import SETTLED_MS, QuietTime


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_packet_time_goes_on_from_the_latest_mail_by_the_seconds_that_passed() -> None:
    clock = Clock()
    quiet = QuietTime(clock)
    clock.now_s += 10
    assert quiet.passed() is None, "no mail was seen"
    quiet.mail(5_000)
    assert quiet.passed() is None
    clock.now_s += 1.5
    assert quiet.passed() == 6_500
    assert quiet.passed() is None, "told a moment ago"
    clock.now_s += 60
    assert quiet.passed() == 66_500
    quiet.mail(70_000)
    clock.now_s += 2
    assert quiet.passed() == 72_000


def test_before_the_first_mail_no_time_passes() -> None:
    clock = Clock()
    quiet = QuietTime(clock)
    quiet.mail(None)
    clock.now_s += 100
    assert quiet.passed() is None


def test_behind_a_capture_time_passes_until_what_waits_has_had_its_turn() -> None:
    clock = Clock()
    quiet = QuietTime(clock)
    quiet.mail(5_000)
    clock.now_s += 300
    assert quiet.passed(is_live=False) == 305_000
    clock.now_s += 36_000
    assert quiet.passed(is_live=False) == 5_000 + SETTLED_MS
