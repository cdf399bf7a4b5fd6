"""Runs the sensor over captures inside the test's own process and gives back what it told."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sensor.app.reading import run_tap
from sensor.classify import builtin_table
from sensor.settings import Settings
from sensor.taps.base import DamageView
from sensor.taps.capture import CaptureTap

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """What one run told: *lines* are the records as written."""

    lines: bytes
    damage: Sequence[DamageView]
    counters: Mapping[str, int]
    anomalies: Mapping[str, int]

    @property
    def records(self) -> list[Record]:
        return [json.loads(line) for line in self.lines.splitlines()]

    @property
    def transactions(self) -> list[Record]:
        return [record for record in self.records if record["record"] == "transaction"]

    @property
    def sessions(self) -> list[Record]:
        return [record for record in self.records if record["record"] == "session"]


def told_of(*paths: Path, limits: Mapping[str, int] | None = None, settings: Settings | None = None) -> Told:
    """Read the captures at *paths* as ``mailsensor replay --events`` does."""
    tap = CaptureTap([str(path) for path in paths], builtin_table().interest, limits=limits)
    sink = io.BytesIO()
    run_tap(tap, settings or Settings(), sink=sink)
    return Told(sink.getvalue(), tap.damage(), tap.counters(), tap.anomalies())
