"""How many mailboxes were active lately, without asking each."""

from __future__ import annotations

from sensor.ledger.windows import LATENESS_MS, SLOT_MS, WEEK, slot_of

_HELD = WEEK.steps + LATENESS_MS // (WEEK.slots * SLOT_MS) + 1


class Population:
    """
    Counts mailboxes by the six hours of their latest activity, for as long as the window of 7 days reaches back.

    Asked for a time before the latest activity, it also counts those that were first active after that time.
    """

    __slots__ = ("_by_step", "_newest")

    def __init__(self) -> None:
        self._by_step: dict[int, int] = {}
        self._newest: int | None = None

    def move(self, before: int | None, after: int | None) -> None:
        """A mailbox was last active in the six hours *before* (none: never), now *after* (none: it is forgotten)."""
        if before == after:
            return
        if before in self._by_step:
            self._by_step[before] -= 1
        if after in self._by_step:
            self._by_step[after] += 1
        elif after is not None:
            self._enter(after)

    def active(self, at_ms: int) -> int:
        """Mailboxes active in the 7 days before a time, or after it."""
        first = WEEK.first_slot(slot_of(at_ms)) // WEEK.slots
        return sum(mailboxes for step, mailboxes in self._by_step.items() if step >= first)

    def _enter(self, step: int) -> None:
        if self._newest is None or step > self._newest:
            self._newest = step
            for old in [each for each in self._by_step if each <= step - _HELD]:
                del self._by_step[old]
        if step > self._newest - _HELD:
            self._by_step[step] = 1
