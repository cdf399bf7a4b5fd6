"""
The shortcut: what passes as it came, which is most of what a relay sees, is followed by the core and not by the splice.

It begins where a dialogue is at rest, and refuses whole what asks for more than to pass: the splice then goes on from
where it stands. So there is one way that does everything, and one that does little, quickly, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sensor.taps.relay.commands import Kind
from sensor.taps.relay.state import Mark, State

PASSED = 1
"""It passes. A passage of 0 is none."""

JUDGE = 2
"""It passes up to the dot that ends it, which waits for ``end``."""

DOT = 4
"""The dot that ends content passed with it."""

UNSEEN = 8
"""It passes, and the observer failed on it. A splice never hears of this."""

TAKEN = 16
"""Once for each dot that was answered with a positive reply."""


@dataclass(frozen=True, slots=True)
class Rest:
    """
    Where no reply is awaited: whether the dot waits for a verdict; whether content passes at all; if it is open, what
    its next octet stands behind; whether a mail has begun, and how many of its recipients were accepted, for each of
    which LMTP answers the dot.
    """

    judges: bool
    passes_content: bool
    content: bytes | None
    is_lmtp: bool
    in_mail: bool
    recipients: int


Stand = tuple[bytes | None, Sequence[str], bool, int]
"""What stands before the next octet of content, where content is open; what replies are awaited to; a mail's state."""

ASKED: Mapping[str, Kind | Mark] = {
    "other": Kind.PASS,
    "mail": Kind.MAIL,
    "rcpt": Kind.RCPT,
    "reset": Kind.RESET,
    "data": Kind.DATA,
    "dot": Mark.DOT,
}
"""The core's names of what replies are awaited to."""


class Shortcut(Protocol):
    """One session's, from a rest to what does not pass. Tells the observer of all that it lets pass."""

    @property
    def is_answered(self) -> bool:
        """True if no reply is awaited."""

    def from_client(self, octets: bytes, /) -> int:
        """0, PASSED, PASSED and DOT, or JUDGE."""

    def from_next_hop(self, octets: bytes, /) -> int:
        """0, or PASSED and how often TAKEN."""

    def end(self) -> None:
        """The dot passes."""

    def stand(self) -> Stand: ...


def state_of(stand: Stand) -> State:
    """Where a splice is that goes on from there."""
    before, awaited, _, _ = stand
    if before is not None:
        return State.CONTENT
    return State.DATA_ASKED if "data" in awaited else State.COMMANDS
