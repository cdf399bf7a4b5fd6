"""What holds for every sink that the settings can name: it opens, takes nothing for nothing, fails in words, closes."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from sensor.alert.policy import Policy
from sensor.alert.record import record_of
from sensor.alert.sinks import AsyncSink, Delivered, open_sink
from sensor.settings import (
    SINK_KEYS,
    AlertmanagerSettings,
    FileSinkSettings,
    SinkSettings,
    SyslogSettings,
    WebhookSettings,
)
from tests.alert.findings import NOW_MS, finding, settings
from tests.alert.receivers import free_port

(ALERT,) = Policy(settings()).take([finding()], NOW_MS)
RECORD = record_of(ALERT, sensor="test")
HTTP: dict[str, Any] = {"name": "it", "timeout_s": 2.0}


def settings_of(kind: str, folder: Path) -> SinkSettings:
    """A sink of that type whose other side is not there; of files, one that is."""
    url = f"http://127.0.0.1:{free_port()}"
    by_type: dict[str, SinkSettings] = {
        "alertmanager": AlertmanagerSettings(**HTTP, url=url),
        "webhook": WebhookSettings(**HTTP, url=url),
        "syslog": SyslogSettings(**HTTP, host="127.0.0.1", port=free_port(), transport="tcp"),
        "jsonl": FileSinkSettings(name="it", path=str(folder / "a"), form="jsonl"),
        "ocsf": FileSinkSettings(name="it", path=str(folder / "a"), form="ocsf"),
    }
    return by_type[kind]


@pytest.fixture(params=sorted(SINK_KEYS))
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_every_type_keeps_the_contract(kind: str, tmp_path: Path) -> None:
    asyncio.run(
        keeps_the_contract(open_sink(settings_of(kind, tmp_path), {}, most_firing=10), kind in ("jsonl", "ocsf"))
    )


async def keeps_the_contract(sink: AsyncSink, is_file: bool) -> None:
    assert sink.name == "it"
    assert sink.batch >= 1
    assert await sink.deliver([]) == Delivered(0)
    told = await sink.deliver([RECORD] * 2)
    assert told == Delivered(2) if is_file else (told.count, told.unsure, bool(told.problem)) == (0, 0, True)
    sink.remember([])
    assert (await sink.refresh()).problem is None
    await sink.close()
    await sink.close()
    assert await sink.deliver([RECORD]) == Delivered(0, problem="the sink is closed")
