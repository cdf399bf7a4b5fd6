"""The clock: packet time is the kernel's wall clock, and records of several sensors are compared by it."""

from __future__ import annotations

import time
from collections.abc import Iterator

from sensor.check.base import Check, Line, Subject, fail, ok, warn
from sensor.check.facts import clock_is_synchronised

_FIRST_YEAR = 2026
"""This program is not older: a clock that is behind was never set."""


def _look(subject: Subject) -> Iterator[Line]:
    now = time.gmtime()
    if now.tm_year < _FIRST_YEAR:
        yield fail(
            "time", f"the clock says {time.strftime('%Y-%m-%d', now)}", "set the clock (timedatectl set-ntp true)"
        )
    elif clock_is_synchronised() is False:
        yield warn(
            "time",
            "nobody keeps the clock: records of several sensors, and of mail servers, don't compare",
            "run chrony or systemd-timesyncd (timedatectl set-ntp true)",
        )
    else:
        yield ok("time", time.strftime("%Y-%m-%d %H:%M UTC", now))


CLOCK = Check("clock", "the time, and whether it is kept", _look)
