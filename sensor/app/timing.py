"""A clock on a detector: the detector itself stays pure."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sensor.detect import DetectorEvent, Out
from sensor.detect.base import BaseDetector


class Timed:
    """Does all that *detector* does, and tells *observe* its name and the seconds that each step took."""

    def __init__(self, detector: BaseDetector[Any, Any], observe: Callable[[str, float], None]) -> None:
        self._detector = detector
        self._observe = observe
        self.key = detector.key

    def __getattr__(self, name: str) -> Any:
        return getattr(self._detector, name)

    def step(self, state: Any, event: DetectorEvent) -> Out[Any]:
        began = time.perf_counter()
        try:
            return self._detector.step(state, event)
        finally:
            self._observe(self._detector.name, time.perf_counter() - began)
