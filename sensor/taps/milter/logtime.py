"""When a line of a log was written, by the time stamp that it begins with."""

from __future__ import annotations

import time
from datetime import datetime

# A log that is a little ahead of us is of this year all the same.
_AHEAD_S = 86_400


def logged_at_s(line: bytes, now_s: float) -> float:
    """
    Seconds since the epoch of a stamp of RFC 3339, or of syslog of old ("Nov  2 07:37:27"), which has neither year nor
    zone: it is of the local zone, and of the latest year that is not to come. *now_s* where there is none of both, and
    for a time to come.
    """
    words = line[:64].decode("ascii", "replace").split()
    try:
        at_s = datetime.fromisoformat(words[0]).timestamp() if words[0][:1].isdigit() else _of_old(words[:3], now_s)
    except (IndexError, OverflowError, ValueError):
        return now_s
    return min(at_s, now_s)


def _of_old(words: list[str], now_s: float) -> float:
    year = time.localtime(now_s).tm_year
    at_s = _in_year(year, words)
    return at_s if at_s <= now_s + _AHEAD_S else _in_year(year - 1, words)


def _in_year(year: int, words: list[str]) -> float:
    return time.mktime(time.strptime(f"{year} {' '.join(words)}", "%Y %b %d %H:%M:%S"))
