"""What the HTTP face needs of the sensor: four things that are made for other threads."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from typing import Protocol, TypeVar

from sensor.metrics import Family, Snapshot
from sensor.view import View

T = TypeVar("T")


class BusyError(Exception):
    """Too many questions wait."""


class HealthView(Protocol):
    """``alive``: it works. ``ready``: and every source is read. ``problems`` says what is missing, a line each."""

    @property
    def alive(self) -> bool: ...
    @property
    def ready(self) -> bool: ...
    @property
    def problems(self) -> Sequence[str]: ...


class Face(Protocol):
    """The sensor as other threads see it. ``ask`` raises ``BusyError`` where too many ask."""

    @property
    def families(self) -> Sequence[Family]: ...
    @property
    def snapshot(self) -> Snapshot: ...
    def health(self) -> HealthView: ...
    def ask(self, question: Callable[[View], Generator[None, None, T]]) -> Future[T]: ...
    def allows_reload(self) -> bool: ...
    def request_reload(self) -> Future[str | None]: ...
