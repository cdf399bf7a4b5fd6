"""Waits for what a test expects, however busy the machine is: how long it waits at most is no part of the claim."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_S = 60.0
"""Many times what anything waited for here takes where the machine is idle."""


def until(holds: Callable[[], object], what: str = "it", *, patience_s: float = PATIENCE_S) -> None:
    """Return as soon as *holds* gives something true; fails where it does not within *patience_s* seconds."""
    end = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.01)
