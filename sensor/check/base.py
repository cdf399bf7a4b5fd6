"""What a check is: it looks at one thing that the sensor needs, changes nothing, and says how to put it right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from sensor.settings import Settings

Status = Literal["ok", "warn", "fail"]
RANK: dict[Status, int] = {"ok": 0, "warn": 1, "fail": 2}
"""``fail``: the sensor would not start, or would see nothing. ``warn``: it works, and less well than it could."""


@dataclass(frozen=True, slots=True)
class Subject:
    """
    What is looked at: settings that were read, from the file at *path*, and the *environment* that may hold secrets.

    Checks run as the user that the sensor would run as, with the rights that it opens sockets with. With *probe* they
    may also talk to others over the network.
    """

    settings: Settings
    path: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    probe: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One answer: what was found about *what*, and what to do about it."""

    status: Status
    what: str
    said: str
    fix: str = ""


def ok(what: str, said: str) -> Line:
    """All is well."""
    return Line("ok", what, said)


def warn(what: str, said: str, fix: str) -> Line:
    """It works, and less well than it could."""
    return Line("warn", what, said, fix)


def fail(what: str, said: str, fix: str) -> Line:
    """The sensor would not start, or would see nothing."""
    return Line("fail", what, said, fix)


@dataclass(frozen=True, slots=True)
class Check:
    """A check: its name, what it looks at in a few words, and the look itself. It says nothing where nothing is set."""

    name: str
    about: str
    look: Callable[[Subject], Iterator[Line]]
