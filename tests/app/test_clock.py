"""A clock that is set, back or forward, does no harm to a sensor that runs."""

import time
from pathlib import Path

import pytest

from sensor.app import retention
from sensor.app.build import plan_of
from sensor.app.retention import Retention
from sensor.app.sensor import Sensor
from sensor.database import Database
from sensor.log import Log
from tests.service import SIEVE

YEARS = 10 * 365 * 86_400.0


@pytest.mark.parametrize("step_s", [YEARS, -YEARS, 86_400.0, -86_400.0])
def test_a_clock_that_is_set_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step_s: float) -> None:
    """Saves go on, what is kept stays though it would be too old, no count is negative, and who looks finds it well."""
    path, store = tmp_path / "settings.toml", tmp_path / "kept.db"
    path.write_text(
        f'[organisation]\ninternal_domains = ["corp.example"]\n[capture]\nfiles = ["{SIEVE}"]\n[web]\nlisten = ""\n'
        f'[store]\npath = "{store}"\ncheckpoint_s = 1\nkeep_days = 30\n'
    )
    real = time.time
    # Looked at in every turn, and with the clock that is set.
    monkeypatch.setattr(retention, "EVERY_S", 0.0)
    with Sensor(plan_of(str(path), {}), load=lambda: plan_of(str(path), {}), log=Log(level="error")) as sensor:
        sensor._saver._retention = Retention(30, wall=lambda: time.time())  # noqa: PLW0108, SLF001 - as it is then
        sensor.start()
        until = time.monotonic() + 30
        while not sensor._finished and time.monotonic() < until:  # noqa: SLF001
            sensor.turn(0.05)
        with Database(str(store), writes=False) as database:
            before = dict(database.states("account"))
        assert before
        saves = sensor.counts.value("store_saves", ("good",))
        monkeypatch.setattr(time, "time", lambda: real() + step_s)
        while sensor.counts.value("store_saves", ("good",)) < saves + 2 and time.monotonic() < until:
            sensor.turn(0.05)
        assert sensor.health().alive
        assert sensor.counts.value("store_saves", ("good",)) >= saves + 2
        assert sensor.counts.value("store_saves", ("failed",)) == 0
        for family in sensor.snapshot.values():
            assert all(value >= 0 for value in family.values() if isinstance(value, int | float))
        sensor.drain()
    with Database(str(store), writes=False) as database:
        assert dict(database.states("account")) == before
