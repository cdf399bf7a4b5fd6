"""What taps count: the one list of it."""

from __future__ import annotations

from sensor.inline.judge import COUNTERS as JUDGE
from sensor.taps.capture import core_counters
from sensor.taps.journal.counts import COUNTERS as JOURNAL
from sensor.taps.milter.counts import COUNTERS as MILTER
from sensor.taps.relay.counts import COUNTERS as RELAY


def tap_counters() -> list[tuple[str, str]]:
    """Name and meaning: the core's first, then what verdicts and the taps in line count."""
    return [
        *core_counters(),
        *((f"inline_{name}", meaning) for name, meaning in JUDGE.items()),
        *((f"milter_{name}", meaning) for name, meaning in MILTER.items()),
        *((f"journal_{name}", meaning) for name, meaning in JOURNAL.items()),
        *((f"relay_{name}", meaning) for name, meaning in RELAY.items()),
    ]
