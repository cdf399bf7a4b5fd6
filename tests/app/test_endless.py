"""What holds for each of the commands that go on until they are told to stop."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from sensor.analysis import Analysis
from sensor.app.endless import EndlessOptions
from sensor.app.journal import JournalOptions, journal
from sensor.app.milter import MilterOptions, milter
from sensor.app.quiet import QuietTime
from sensor.app.relay import RelayOptions, relay

ADDRESS = "127.0.0.1:0"
Command = Callable[[EndlessOptions, Mapping[str, str]], int]


@pytest.mark.parametrize(
    ("command", "options"),
    [
        (relay, RelayOptions(listen=ADDRESS, next_hop="127.0.0.1:9", quiet=True)),
        (milter, MilterOptions(listen=(f"inet:{ADDRESS}",), quiet=True)),
        (journal, JournalOptions(listen=ADDRESS, addresses=("j@sensor.example",), events="r.jsonl", quiet=True)),
    ],
    ids=["relay", "milter", "journal"],
)
def test_time_goes_on_while_no_mail_comes(
    command: Command, options: EndlessOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    woken: list[int] = []
    take = Analysis.wake

    def wake(analysis: Analysis, at_ms: int) -> object:
        woken.append(at_ms)
        signal.raise_signal(signal.SIGTERM)
        return take(analysis, at_ms)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(QuietTime, "passed", lambda _: None if woken else 5_000)
    monkeypatch.setattr(Analysis, "wake", wake)
    assert command(options, {}) == 0
    assert woken == [5_000]
