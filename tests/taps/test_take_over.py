"""A tap in the place of another on the same address, as a reload puts it there: no client finds the door closed."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest

from sensor.app.crew import Crew
from sensor.app.worker import Worker
from sensor.classify import Organisation, builtin_table
from sensor.inline import Judge
from sensor.log import Log
from sensor.settings import InlineSettings, MilterSettings, RelaySettings
from sensor.taps.base import TapError
from sensor.taps.inline import InlineCore, InlineTap
from sensor.taps.milter.tap import MilterTap
from sensor.taps.relay.tap import RelayTap
from tests.service import free_port

QUIET = Log(level="error")


def judge() -> Judge:
    return Judge(builtin_table(), Organisation(), InlineSettings(), log=QUIET)


def milter(folder: Path) -> MilterTap:
    settings = MilterSettings(listen=(f"unix:{folder}/milter.sock",))
    return MilterTap(settings, InlineCore(builtin_table().interest), judge(), log=QUIET)


def relay(port: int) -> RelayTap:
    settings = RelaySettings(listen=f"127.0.0.1:{port}", next_hop="127.0.0.1:9")
    return RelayTap(settings, builtin_table().interest, judge=judge(), inline=InlineSettings(), log=QUIET)


def milters(folder: Path) -> tuple[Callable[[], InlineTap], Callable[[], socket.socket]]:
    def dial() -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        try:
            client.connect(str(folder / "milter.sock"))
        except OSError:
            client.close()
            raise
        return client

    return lambda: milter(folder), dial


def relays(_: Path) -> tuple[Callable[[], InlineTap], Callable[[], socket.socket]]:
    port = free_port()
    return lambda: relay(port), lambda: socket.create_connection(("127.0.0.1", port), 10)


def reader_of(tap: InlineTap) -> Thread:
    def read(batches: Iterator[Any]) -> None:
        for _ in batches:
            pass

    thread = Thread(target=read, args=(tap.batches(),))
    thread.start()
    return thread


@pytest.mark.parametrize("kind", [milters, relays])
def test_who_comes_between_two_taps_waits_for_the_new_one(kind: Callable[..., Any], tmp_path: Path) -> None:
    make, dial = kind(tmp_path)
    old: Any = make()
    reading = reader_of(old)
    until_served(dial)
    fresh: Any = make()
    fresh.take_over()
    old.stop()
    reading.join(20)
    assert not reading.is_alive()
    with dial():
        reading = reader_of(fresh)
        fresh.stop()
        reading.join(20)
        assert not reading.is_alive()


def until_served(dial: Callable[[], socket.socket]) -> None:
    for _ in range(1_000):
        with suppress(OSError), dial():
            return
    pytest.fail("nobody listens")


def test_the_new_one_is_found_before_the_old_one_goes() -> None:
    done: list[str] = []

    def worker(name: str) -> Any:
        return SimpleNamespace(
            **{each: lambda each=each: done.append(f"{name} {each}") for each in ("take_over", "start", "stop")}
        )

    crew: Any = SimpleNamespace(_workers={"milter": worker("old")}, leaving=())
    Crew.replace(crew, ["milter"], {"milter": worker("new")})
    assert done == ["new take_over", "old stop", "new start"]


def test_what_can_not_be_opened_yet_is_told_when_it_has_started() -> None:
    def fails() -> None:
        raise TapError("no folder")

    tap: Any = SimpleNamespace(take_over=fails)
    worker: Any = SimpleNamespace(_tap=tap)
    Worker.take_over(worker)
    Worker.take_over(SimpleNamespace(_tap=SimpleNamespace()))  # type: ignore[arg-type]
