"""The answers of the HTTP face, without a server around them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from typing import TypeVar

import pytest
from starlette.requests import Request

from sensor.metrics import WEB_FAMILIES, Counts, Family, Snapshot
from sensor.view import View
from sensor.web import app
from sensor.web.app import Web
from sensor.web.face import HealthView

T = TypeVar("T")
REQUEST = Request({"type": "http", "method": "POST", "path": "/-/reload", "headers": []})


class Deaf:
    """A sensor that has no turn."""

    families: Sequence[Family] = ()

    def __init__(self) -> None:
        self.reloads: list[Future[str | None]] = []

    @property
    def snapshot(self) -> Snapshot:
        return {}

    def health(self) -> HealthView:
        raise NotImplementedError

    def ask(self, question: Callable[[View], Generator[None, None, T]]) -> Future[T]:
        raise NotImplementedError

    def allows_reload(self) -> bool:
        return True

    def request_reload(self) -> Future[str | None]:
        self.reloads.append(Future())
        return self.reloads[-1]


def test_a_reload_that_a_busy_sensor_does_not_come_to_is_taken_back_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "RELOAD_S", 0.01)
    sensor = Deaf()
    answer = asyncio.run(Web(sensor, Counts(WEB_FAMILIES), allow_reload=sensor.allows_reload).reload(REQUEST))
    assert answer.status_code == 503
    assert b"the sensor is busy" in answer.body
    assert sensor.reloads[0].cancelled(), "it would be applied later, when nobody expects it"
