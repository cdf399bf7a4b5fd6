"""
From a batch of mail to alerts: pipeline, detectors and policy joined, and what of them survives a restart.

Pure like its parts: packet time comes in with the mail, states go out as blobs by kind and key. A replay and a live
sensor drive the same object; files, clocks and sinks are their business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from sensor.alert.alert import Alert
from sensor.alert.policy import AlertStateError, Policy
from sensor.coverage import Coverage
from sensor.detect import Runner
from sensor.detect.base import BlobError
from sensor.detect.events import DetectorEvent
from sensor.model import Finding, Forwarding
from sensor.pipeline import Pipeline
from sensor.tally import Tally

ACCOUNT, ALERT, DETECTOR, SEEN = "account", "alert", "detector/", "seen"
"""Kinds of states: mailboxes' accounts, alerts, by detector its states, and what was seen in all."""

COVERAGE, SESSIONS, SINCE, CLOCK = "coverage", "sessions", "since_ms", "clock_ms"
"""Keys of what was seen in all."""

State = tuple[str, str, bytes]
"""Kind, key and blob; an empty blob where the state is gone."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a batch came to: verdicts by index in the batch and events (as ``Verdicts``), and alerts to be told."""

    forwardings: Mapping[int, Forwarding]
    alerts: list[Alert]
    events: Sequence[DetectorEvent] = ()


class Analysis:
    """Takes batches in turn. Bounded as its parts are; raises nothing."""

    def __init__(self, pipeline: Pipeline, runner: Runner, policy: Policy) -> None:
        self.pipeline = pipeline
        self.runner = runner
        self.policy = policy

    def take(self, batch: Tally) -> Step:
        """Judge one batch."""
        verdicts = self.pipeline.take(batch)
        findings = self.runner.feed(verdicts.events)
        if batch.last_seen_ns is not None:
            # Mail that shows nothing moves the clock too, so that what waits for its order does not wait for long.
            findings += self.runner.wake(batch.last_seen_ns // 1_000_000)
        return Step(verdicts.forwardings, self._judge(findings), verdicts.events)

    def wake(self, at_ms: int) -> Step:
        """Packet time came to *at_ms* without mail: what waited for its turn until then has it."""
        events = self.pipeline.wake(at_ms)
        findings = [*self.runner.feed(events), *self.runner.wake(at_ms)]
        return Step({}, self._judge(findings), events)

    def finish(self) -> list[Alert]:
        """No mail comes any more: what waits for its order has its turn. Nothing is resolved by that."""
        return self._judge([*self.runner.feed(self.pipeline.finish()), *self.runner.finish()])

    def _judge(self, findings: list[Finding]) -> list[Alert]:
        """
        What *findings* call for, each at the time of the last mail it rests on, so that it does not matter how mail was
        cut into batches: one may hold a month. The furthest the clock was bounds that: it doubts absurd times.
        """
        now_ms, latest_ms = self.runner.clock_ms, self.runner.latest_ms
        if now_ms is None:
            return []
        bound_ms = now_ms if latest_ms is None else max(now_ms, latest_ms)
        told: list[Alert] = []
        for finding in sorted(findings, key=_last_seen):
            told += self.policy.take((finding,), min(finding.last_seen_ms, bound_ms))
        return told + self.policy.advance(now_ms)

    # ---- what survives a restart

    def changed(self) -> Iterator[State]:
        """The states that changed since the last call, all at the first."""
        for mailbox, blob in self.pipeline.ledger.changed():
            yield ACCOUNT, mailbox, blob
        for detector, key, blob in self.runner.changed():
            yield DETECTOR + detector, key, blob
        for alert_id, blob in self.policy.changed():
            yield ALERT, alert_id, blob
        yield SEEN, COVERAGE, msgspec.json.encode(self.pipeline.coverage)
        yield SEEN, SESSIONS, self.pipeline.sessions.encode()
        if self.pipeline.since_ms is not None:
            yield SEEN, SINCE, b"%d" % self.pipeline.since_ms
        if self.runner.clock_ms is not None:
            yield SEEN, CLOCK, b"%d" % self.runner.clock_ms

    def restore(self, kind: str, key: str, blob: bytes) -> str | None:
        """Take back one state; none if that went well, else in words what is wrong with it. The others go on."""
        try:
            return self._restore(kind, key, blob)
        except (AlertStateError, BlobError, msgspec.DecodeError, ValueError) as error:
            return f"{kind}: {error}"

    def forget(self, kind: str, key: str) -> bool:
        """Forget one state; false if it has to be kept: an alert that fires, and what was seen in all."""
        if kind == ALERT:
            return self.policy.forget(key)
        if kind == ACCOUNT:
            self.pipeline.ledger.forget(key)
        elif kind.startswith(DETECTOR):
            self.runner.forget(kind.removeprefix(DETECTOR), key)
        return kind != SEEN

    def _restore(self, kind: str, key: str, blob: bytes) -> str | None:
        if kind == ACCOUNT:
            fault = self.pipeline.ledger.restore(key, blob)
            return None if fault is None else f"an account is {fault.replace('_', ' ')}"
        if kind == ALERT:
            self.policy.restore(key, blob)
        elif kind.startswith(DETECTOR):
            self.runner.restore(kind.removeprefix(DETECTOR), key, blob)
        elif (kind, key) == (SEEN, COVERAGE):
            self.pipeline.coverage = msgspec.json.decode(blob, type=Coverage)
        elif (kind, key) == (SEEN, SESSIONS):
            self.pipeline.sessions.restore(blob)
        elif (kind, key) == (SEEN, SINCE):
            self.pipeline.since_ms = int(blob)
        elif (kind, key) == (SEEN, CLOCK):
            self.runner.restore_clock(int(blob))
        elif kind == SEEN:
            return None
        else:
            return f"there is no kind of state called {kind}"
        return None


def _last_seen(finding: Finding) -> int:
    return finding.last_seen_ms
