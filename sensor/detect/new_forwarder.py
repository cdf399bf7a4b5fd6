"""
``new_forwarder``: a mailbox's first automatic forward to outside.

**Idea.** A forwarding rule works from the first mail on, so the day it is set up shows, days before any share or
volume does. One forward is enough, since what counts is marked by the server that ran the rule, or seen coming in and
going out again on strong evidence; a mail that merely looks forwarded is never counted.

**Crosses** with the first such mail of a mailbox within ``rearm_days``. It is told again as it goes on. Severity is
high where it goes to a free-mail provider, medium else.

**Before the sensor.** Within its first ``learning_hours`` no forward can be told from one that has gone on for years.
Those are told too, since a theft that is under way is no better than a new one, but with low severity and a summary
that says so.

**Cannot see** a rule that leaves no mark while only one leg is in view, and forwards inside the organisation. A rule
set up while mail was hidden or the sensor was down is told at its first mail in view.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sensor.detect.base import DAY_MS, HOUR_MS, BaseDetector, Option
from sensor.detect.claim import MAX_DESTINATIONS, address, claim
from sensor.detect.events import Context, ForwardSeen
from sensor.detect.forwards import ForwardsState, confidence_in, is_automatic, share_of_forwarders, watched_ms
from sensor.detect.level import argue
from sensor.detect.providers import is_free_mail
from sensor.model import Finding, Severity


class NewForwarderState(ForwardsState, kw_only=True):
    """``was_before`` is true where the first forward fell into the sensor's learning period."""

    was_before: bool = False


class NewForwarder(BaseDetector[NewForwarderState, ForwardSeen]):
    """A mailbox begins to forward outside by a rule."""

    name = "new_forwarder"
    event_type = ForwardSeen
    state_type = NewForwarderState
    OPTIONS = (
        Option(
            "learning_hours",
            72,
            0,
            8_760,
            "Forwards that begin this soon after the sensor first saw mail count as known before, and are told with "
            "low severity. Three days span a weekend: by then a rule on any mailbox in daily use has shown itself.",
        ),
        Option(
            "rearm_days",
            90,
            1,
            730,
            "After this long without an automatic forward, the next one is news again. A rule that is in place but "
            "gets no mail for a quarter is rare; one that was removed and is set up again is not.",
        ),
    )

    def __init__(self, options: Mapping[str, float] | None = None) -> None:
        super().__init__(options)
        self.ttl_ms = int(self.options["rearm_days"] * DAY_MS)
        self._learning_ms = int(self.options["learning_hours"] * HOUR_MS)

    def key_of(self, event: ForwardSeen) -> str | None:
        return event.mailbox if is_automatic(event) else None

    def begin(self, event: ForwardSeen) -> NewForwarderState:
        state = super().begin(event)
        state.was_before = watched_ms(event.context, event.at_ms) < self._learning_ms
        return state

    def observe(self, state: NewForwarderState, event: ForwardSeen) -> Iterable[Finding]:
        state.count(event)
        state.destinations.add(event.outside, MAX_DESTINATIONS)
        if state.told.is_due(state.forwards, event.at_ms):
            yield self._claim(state, event)

    def _claim(self, state: NewForwarderState, event: ForwardSeen) -> Finding:
        confidence, why = confidence_in(state)
        level, level_reason = argue(state.marks)
        return claim(
            detector=self.name,
            key=event.mailbox,
            episode=state.first_id,
            summary=_summary(state, event),
            mailbox=event.mailbox,
            destinations=state.destinations.names,
            first_seen_ms=state.first_ms,
            last_seen_ms=state.last_ms,
            counts=state.counts,
            baseline=share_of_forwarders(event.context),
            level=level,
            level_reason=level_reason,
            severity=_severity(state),
            confidence=confidence,
            confidence_reason=why,
            assumptions=_assumptions(state, event.context),
            context=event.context,
            missing_octets=state.missing_octets,
            actor=event.actor,
            exhibits=state.exhibits.all(),
        )


def _summary(state: NewForwarderState, event: ForwardSeen) -> str:
    # Of a first event that came late, the names may all have been refused a place: then the event's own serve.
    named = (*state.destinations.names, *event.outside)
    others = len(state.destinations.names) - 1
    to = address(named[0]) + (f" and {others} more" if others > 0 else "")
    if state.was_before:
        return f"{address(event.mailbox)} forwards mail by a rule to {to}, perhaps since before the sensor came"
    return f"{address(event.mailbox)} began to forward mail by a rule to {to}"


def _severity(state: NewForwarderState) -> Severity:
    if state.was_before:
        return "low"
    return "high" if any(map(is_free_mail, state.destinations.names)) else "medium"


def _assumptions(state: NewForwarderState, context: Context) -> tuple[str, ...]:
    if state.was_before:
        return ("The sensor was still learning when it saw the first forward; when the rule was set up is not known.",)
    since = context.mailbox_since_ms
    if since is None or state.first_ms - since < DAY_MS:
        return ("The mailbox had not been seen for a day before its first forward, so the rule may be older.",)
    return ("The mailbox had mail before without a forward, so the rule is taken to be new.",)
