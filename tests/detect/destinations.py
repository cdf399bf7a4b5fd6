"""Forwards as their destinations see them, stated in a line."""

from __future__ import annotations

from typing import Any

from sensor.detect.events import DestinationSeen, stable_id
from tests.detect.forwards import forward


def destination(at_ms: int, mailbox: str, to: str, **changes: Any) -> DestinationSeen:
    """One forward of *mailbox* to *to*."""
    made = forward(at_ms, to=to, mailbox=mailbox, **changes)
    return DestinationSeen(
        id=stable_id(made.id, to), at_ms=at_ms, destination=to, domain=to.rpartition("@")[2], forward=made
    )
