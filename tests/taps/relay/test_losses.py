"""
Nothing is acknowledged that did not arrive, whatever becomes of the relay's processes.

The sender keeps what was not taken, the next hop writes down before it answers, and the relays between them are killed
or replaced while mail flows.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.running import COMMAND, environment
from tests.service import free_port
from tests.taps.relay.next_hop import Fault, NextHop, next_hop
from tests.taps.relay.sender import Sender

PATIENCE_S = 30.0


class Processes:
    """Relays as processes that share a port."""

    def __init__(self, port: int, next_hop: int, folder: Path) -> None:
        self.port, self._next_hop, self._log = port, next_hop, folder / "log"
        self.running: list[subprocess.Popen[bytes]] = []
        self._ended: list[subprocess.Popen[bytes]] = []

    async def start(self) -> subprocess.Popen[bytes]:
        """One more, once it listens."""
        before = self._told()
        process = self._popen()
        self.running.append(process)
        await until(lambda: process.poll() is not None or self._told() > before)
        assert process.poll() is None, self._log.read_text()
        return process

    def _popen(self) -> subprocess.Popen[bytes]:
        ends = "--listen", f"127.0.0.1:{self.port}", "--next-hop", f"127.0.0.1:{self._next_hop}"
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [*COMMAND, "relay", *ends],
                env=environment({"MAILSENSOR_RELAY_MAX_SESSIONS_PER_CLIENT": "1000"}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def end(self, process: subprocess.Popen[bytes], number: signal.Signals) -> None:
        os.kill(process.pid, number)
        self.running.remove(process)
        self._ended.append(process)

    async def all_ended(self) -> list[int]:
        """The statuses of those that were asked to end."""
        return [await asyncio.to_thread(each.wait, 30) for each in self._ended]

    def _told(self) -> int:
        return self._log.read_bytes().count(b"info listening") if self._log.exists() else 0


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 - it is other processes that are waited for
            await asyncio.sleep(0.005)


@asynccontextmanager
async def processes(server: NextHop, folder: Path) -> AsyncIterator[Processes]:
    relays = Processes(free_port(), server.port, folder)
    try:
        yield relays
    finally:
        for each in list(relays.running):
            relays.end(each, signal.SIGKILL)
        await relays.all_ended()


def assert_none_lost(sender: Sender, server: NextHop) -> None:
    """What was taken has arrived, all was taken, and what came twice was cut between its dot and its answer."""
    assert sorted(sender.acked) == sorted(set(sender.acked))
    assert len(sender.acked) == sender.mails
    assert set(sender.acked) == set(server.ids)
    for mail, copies in server.ids.items():
        assert copies - 1 <= sender.cut[mail], mail


def test_kill_9_ten_times_amid_a_thousand_mails_loses_none(tmp_path: Path) -> None:
    async def run() -> None:
        with next_hop(commit_s=0.05) as server:
            async with processes(server, tmp_path) as relays:
                # The successor is warm when its predecessor is killed: what is tested is the kill, not the pause.
                current, spare = await relays.start(), await relays.start()
                sender = Sender(relays.port, mails=1_000)
                sending = asyncio.create_task(sender.send_all())
                for kill in range(10):
                    enough = 80 * (kill + 1)
                    await until(lambda enough=enough: len(sender.acked) >= enough or sending.done())  # type: ignore[misc]
                    relays.end(current, signal.SIGKILL)
                    current, spare = spare, await relays.start()
                await sending
            assert sum(sender.cut.values()) > 0, "no session was cut: nothing was tested"
            assert_none_lost(sender, server)

    asyncio.run(run())


def test_a_rolling_restart_loses_none_and_doubles_none(tmp_path: Path) -> None:
    async def run() -> None:
        with next_hop(commit_s=0.05) as server:
            async with processes(server, tmp_path) as relays:
                current = await relays.start()
                sender = Sender(relays.port, mails=1_000)
                sending = asyncio.create_task(sender.send_all())
                for restart in range(4):
                    enough = 180 * (restart + 1)
                    await until(lambda enough=enough: len(sender.acked) >= enough or sending.done())  # type: ignore[misc]
                    fresh = await relays.start()
                    relays.end(current, signal.SIGTERM)
                    current = fresh
                await sending
                relays.end(current, signal.SIGTERM)
                assert await relays.all_ended() == [0] * 5
            assert_none_lost(sender, server)
            assert set(server.ids.values()) == {1}
            assert sum(sender.cut.values()) == 0

    asyncio.run(run())


@pytest.mark.parametrize("fault", [{"committed": b"451 4.3.0 Later\r\n"}, {"dot": b"550 5.7.1 Never\r\n"}], ids=str)
def test_a_next_hop_that_refuses_every_mail_has_none_taken(fault: dict[str, Fault], tmp_path: Path) -> None:
    async def run() -> None:
        with next_hop(fault) as server:
            async with processes(server, tmp_path) as relays:
                await relays.start()
                sender = Sender(relays.port, mails=5, sessions=5)
                sending = asyncio.create_task(sender.send_all())
                await until(lambda: sender.refused >= 20)
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
                assert sender.acked == []

    asyncio.run(run())
