"""
``forwarding_blocked``: somebody tried to forward mail outside and was refused.

**Idea.** Where policy forbids automatic forwarding (Exchange Online's default: 5.7.520), a refusal is a rule that
exists and does not work yet. Whoever set it up will look for another way, so this is the time to look.

**Crosses** with one refusal that says forwarding itself is forbidden, since no other mail is answered so. Other
refusals of a forward, such as a full or unknown mailbox at the destination, only when ``min_refusals`` of them come,
each within ``quiet_days`` of the one before: a dead address in an old rule is worth a line, not an alarm.

**Cannot see** a server that accepts and silently drops, and a report of non-delivery that goes another way. A
report can be forged; then it names a mailbox of ours and a reply that nobody gave, and the exhibit shows who sent it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from sensor.detect.base import DAY_MS, BaseDetector, Option, State, Told
from sensor.detect.claim import MAX_DESTINATIONS, Exhibits, address, claim, cut, quoted
from sensor.detect.events import ForwardRefused
from sensor.detect.forwards import Names, number
from sensor.detect.level import Marks, argue
from sensor.model import Confidence, Finding

MAX_REPLY_CHARS = 200
"""Of the reply that a finding quotes: code, enhanced code and a sentence."""


class ForwardingBlockedState(State, kw_only=True):
    """Refusals by policy and others, and the latest reply that spoke of policy, or else the latest at all."""

    by_policy: int = 0
    others: int = 0
    reply: str = ""
    destinations: Names = msgspec.field(default_factory=Names)
    exhibits: Exhibits = msgspec.field(default_factory=Exhibits)
    marks: Marks = msgspec.field(default_factory=Marks)
    told: Told = msgspec.field(default_factory=Told)

    def count(self, event: ForwardRefused) -> None:
        """Take one refusal in."""
        if event.is_policy or not self.by_policy:
            self.reply = cut(event.reply or "", MAX_REPLY_CHARS)
        self.by_policy += event.is_policy
        self.others += not event.is_policy
        self.destinations.add(event.destinations, MAX_DESTINATIONS)
        self.exhibits.add(event.transaction_id, event.at_ms, event.lines)
        self.marks.add(event.level, event.lines)


class ForwardingBlocked(BaseDetector[ForwardingBlockedState, ForwardRefused]):
    """A mailbox's forwards are refused."""

    name = "forwarding_blocked"
    event_type = ForwardRefused
    state_type = ForwardingBlockedState
    OPTIONS = (
        Option(
            "min_refusals",
            3,
            1,
            1_000,
            "Refusals that do not speak of forwarding before they are told. One is a full mailbox, two are its retry.",
        ),
        Option(
            "quiet_days",
            7,
            0.05,
            90,
            "After this long without a refusal the next one begins anew: a week passes over holidays and weekends.",
        ),
    )

    def __init__(self, options: Mapping[str, float] | None = None) -> None:
        super().__init__(options)
        self.ttl_ms = int(self.options["quiet_days"] * DAY_MS)

    def key_of(self, event: ForwardRefused) -> str | None:
        return event.mailbox

    def observe(self, state: ForwardingBlockedState, event: ForwardRefused) -> Iterable[Finding]:
        state.count(event)
        if not state.by_policy and state.others < self.options["min_refusals"]:
            return
        # What becomes known to be policy is news, however often it was told as something less.
        if state.by_policy == 1 and event.is_policy:
            state.told.count = 0
        if state.told.is_due(state.by_policy + state.others, event.at_ms):
            yield self._claim(state, event)

    def _claim(self, state: ForwardingBlockedState, event: ForwardRefused) -> Finding:
        confidence, why = _confidence(state)
        level, level_reason = argue(state.marks)
        return claim(
            detector=self.name,
            key=event.mailbox,
            episode=state.first_id,
            summary=_summary(state, event.mailbox),
            mailbox=event.mailbox,
            destinations=state.destinations.names,
            first_seen_ms=state.first_ms,
            last_seen_ms=state.last_ms,
            counts={"refused_by_policy": state.by_policy, "refused_otherwise": state.others},
            level=level,
            level_reason=level_reason,
            severity="medium" if state.by_policy else "low",
            confidence=confidence,
            confidence_reason=why,
            assumptions=("The refusal, or the report of it, is genuine.",),
            context=event.context,
            actor=event.actor,
            exhibits=state.exhibits.all(),
        )


def _summary(state: ForwardingBlockedState, mailbox: str) -> str:
    times = number(state.by_policy + state.others, "time")
    why = "because policy forbids it" if state.by_policy else "for other reasons than policy"
    reply = f": {quoted(state.reply)}" if state.reply else ""
    return f"Mail that {address(mailbox)} forwards was refused {times} {why}{reply}"


def _confidence(state: ForwardingBlockedState) -> tuple[Confidence, str]:
    if state.by_policy:
        return "high", "The reply says that automatic forwarding is forbidden, which no other mail is answered with."
    return "low", "The replies do not speak of forwarding; only the marks of the refused mails do."
