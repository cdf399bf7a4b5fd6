"""Files of records and alerts of the running sensor, and what others do to them meanwhile."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from sensor.alert.policy import Policy
from sensor.app.output import Output
from sensor.log import Log
from sensor.metrics import Counts
from sensor.privacy import CLEAR
from sensor.settings import AlertSettings, RunSettings, Settings, SettingsError
from tests.alert.findings import NOW_MS, finding, settings

ONE, OTHER = Policy(settings()).take([finding(mailbox="a@corp.example"), finding(mailbox="b@corp.example")], NOW_MS)


@contextmanager
def output(folder: Path, *, spool: bool) -> Iterator[Output]:
    alerts = replace(AlertSettings(), spool_dir=str(folder / "spool") if spool else "")
    run = RunSettings(records=str(folder / "records.jsonl"), alerts=str(folder / "alerts.jsonl"))
    with Output(Settings(run=run, alerts=alerts), Counts(), Log(io.StringIO()), CLEAR) as opened:
        yield opened


def ids(path: Path) -> list[str]:
    return [json.loads(line)["id"] for line in path.read_bytes().splitlines()]


@pytest.mark.parametrize("spool", [True, False])
def test_an_alert_file_that_logrotate_moved_is_begun_anew(tmp_path: Path, spool: bool) -> None:
    path = tmp_path / "alerts.jsonl"
    with output(tmp_path, spool=spool) as files:
        files.write_alerts([ONE])
        path.rename(tmp_path / "alerts.jsonl.1")
        files.reopen()
        files.write_alerts([OTHER])
        files.reopen()
    assert (ids(tmp_path / "alerts.jsonl.1"), ids(path)) == ([ONE.id], [OTHER.id])
    assert path.stat().st_mode & 0o777 == 0o600


def test_where_no_new_file_can_be_had_alerts_go_on_into_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    with output(tmp_path, spool=True) as files:
        files.write_alerts([ONE])
        path.rename(tmp_path / "alerts.jsonl.1")
        path.mkdir()
        with pytest.raises(SettingsError, match=r"run\.alerts: .*alerts\.jsonl: can't be written"):
            files.reopen()
        files.write_alerts([OTHER])
        assert ids(tmp_path / "alerts.jsonl.1") == [ONE.id, OTHER.id]
