"""Waits for what a test expects, however busy the machine is: how long it waits at most is no part of the claim."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_S = 60.0
"""Many times what anything waited for here takes where the machine is idle."""


def until(
    holds: Callable[[], object],
    what: str = "it",
    *,
    patience_s: float = PATIENCE_S,
    look_s: float = 0.01,
    so_far: Callable[[], object] = str,
) -> None:
    """
    Return once *holds* gives something true, looked at each *look_s* seconds. Fails where it does not within
    *patience_s* seconds, and tells what *so_far* gives then, such as a log.
    """
    end = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < end, f"waited in vain for {what}\n{so_far()}"
        time.sleep(look_s)
