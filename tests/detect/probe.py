"""A detector that counts, and does on request what detectors should not: for tests of what runs them."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from sensor.detect.base import BaseDetector, Out, State
from sensor.detect.claim import claim
from sensor.detect.events import DetectorEvent, ForwardSeen
from sensor.model import Finding


class ProbeState(State, kw_only=True):
    """``ids`` of all events, in the order in which they came."""

    ids: list[str] = msgspec.field(default_factory=list)
    due_ms: int | None = None


class Probe(BaseDetector[ProbeState, ForwardSeen]):
    """
    Tells of every event, with the count so far. Raises on an event with the id "bad", after it has changed its state.
    """

    name = "probe"
    ttl_ms = 1_000_000
    lateness_ms = 1_000
    event_type = ForwardSeen
    state_type = ProbeState

    def key_of(self, event: ForwardSeen) -> str | None:
        if event.mailbox == "nokey":
            raise LookupError(event.mailbox)
        return event.mailbox

    def observe(self, state: ProbeState, event: ForwardSeen) -> Iterable[Finding]:
        state.ids.append(event.id)
        if event.id == "bad":
            raise RuntimeError("as asked for")
        yield claim(
            detector=self.name,
            key=event.mailbox,
            episode=event.id,
            summary=" ".join(state.ids),
            first_seen_ms=state.first_ms,
            last_seen_ms=state.last_ms,
            context=event.context,
            mailbox=event.mailbox,
        )


class Deriver(Probe):
    """Derives from each event, once it is ``DELAY_MS`` old, one of the mailbox "derived"."""

    name = "deriver"
    needs_timers = True
    derives = True
    DELAY_MS = 500

    def step(self, state: ProbeState | None, event: DetectorEvent) -> Out[ProbeState]:
        if isinstance(event, ForwardSeen) and event.mailbox == "derived":
            return Out(state)
        out = super().step(state, event)
        assert out.state is not None
        out.state.due_ms = event.at_ms + self.DELAY_MS
        return Out(out.state, wake_at_ms=out.state.due_ms)

    def wake(self, state: ProbeState, key: str, at_ms: int) -> Out[ProbeState]:
        if state.due_ms is None or at_ms < state.due_ms:
            return Out(state, wake_at_ms=state.due_ms)
        derived = seen(f"from {state.ids[-1]}", state.due_ms - self.DELAY_MS, "derived")
        state.due_ms = None
        return Out(state, derived=(derived,))


def seen(event_id: str, at_ms: int, mailbox: str = "ann@corp.example") -> ForwardSeen:
    """An event for the probe."""
    return ForwardSeen(
        id=event_id,
        at_ms=at_ms,
        transaction_id=f"t-{event_id}",
        mailbox=mailbox,
        cell="auto_only",
        destinations=("x@dst.example",),
        outside=("x@dst.example",),
    )
