"""A stand-in for ``sensor._core`` that plays events from memory, so that the command line can be tried without it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType

import pytest

import sensor
import sensor.taps.files  # takes the real core for good, so that no later test finds the stand-in there
from sensor.ledger.traffic import PlainTraffic
from sensor.model import Event
from tests.mails import Batch, Mail, Tls


@dataclass(frozen=True)
class Damage:
    path: str
    kind: str
    detail: str = ""
    offset: int | None = None


class CaptureError(Exception):
    pass


class Interest:
    def __init__(self, **spec: Sequence[str]) -> None:
        self.spec = spec


@dataclass
class Script:
    """
    What the next replay plays: batches of events, and what it says of itself. An exception is raised in its place.
    """

    batches: list[list[Event] | BaseException] = field(default_factory=list)
    damage: list[Damage] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)
    refuses: str | None = None
    paths: list[str] = field(default_factory=list)
    limits: dict[str, int] = field(default_factory=dict)
    stopped: bool = False


class Replay:
    script = Script()

    def __init__(
        self,
        paths: Sequence[str],
        interest: Interest,
        *,
        limits: Mapping[str, int] | None = None,
        batch_events: int = 4096,
    ) -> None:
        if self.script.refuses is not None:
            raise CaptureError(self.script.refuses)
        self.script.paths = list(paths)
        self.script.limits = dict(limits or {})
        self._left = list(self.script.batches)

    def next_batch(self, timeout_s: float | None = None) -> Batch | None:
        if not self._left or self.script.stopped:
            return None
        step = self._left.pop(0)
        if isinstance(step, BaseException):
            raise step
        return Batch(step)

    def stop(self) -> None:
        self.script.stopped = True

    def progress(self) -> tuple[int, int, str]:
        return 1, 2, "a.pcap"

    def counters(self) -> dict[str, int]:
        return self.script.counters

    def anomalies(self) -> dict[str, int]:
        return {}

    def damage(self) -> list[Damage]:
        return self.script.damage


def install(monkeypatch: pytest.MonkeyPatch) -> Script:
    """Put the stand-in where ``sensor._core`` is looked for, and give the script that its replay will follow."""
    script = Script()
    module = ModuleType("sensor._core")
    monkeypatch.setattr(Replay, "script", script)
    for name, value in {
        "Replay": Replay,
        "Interest": Interest,
        "CaptureError": CaptureError,
        "Transaction": Mail,
        "TlsSession": Tls,
        "Traffic": PlainTraffic,
        "limits": lambda: [("flows", "Flows followed at once.", 524_288)],
    }.items():
        setattr(module, name, value)
    monkeypatch.setitem(sys.modules, "sensor._core", module)
    monkeypatch.setattr(sensor, "_core", module, raising=False)
    # Imported anew over the stand-in, and again without it afterwards, whichever test comes first.
    monkeypatch.setitem(sys.modules, "sensor.taps.capture", module)
    del sys.modules["sensor.taps.capture"]
    return script
