"""What a changed settings file makes anew: no more than what the change is about."""

from __future__ import annotations

from pathlib import Path

import pytest

from sensor.app.build import Plan, plan_of
from sensor.app.reload import Change, change_between

SETTINGS = """
[milter]
listen = ["unix:{folder}/milter.sock"]
[journal]
listen = "127.0.0.1:0"
addresses = ["journal@sensor.example"]
[run]
records = "{folder}/records.jsonl"
[limits]
{limits}
"""


def plan(folder: Path, limits: str = "") -> Plan:
    path = folder / "sensor.toml"
    path.write_text(SETTINGS.format(folder=folder, limits=limits))
    return plan_of(str(path), {})


@pytest.mark.parametrize(
    ("limits", "workers"),
    [
        ("milter_text_octets = 99", ("milter",)),
        ("journal_parts = 9", ("journal",)),
        ("ledger_mailboxes = 99", ()),
        ("flows = 99", ("milter", "journal")),
    ],
)
def test_a_limit_of_a_tap_opens_that_tap_anew_and_no_other(
    limits: str, workers: tuple[str, ...], tmp_path: Path
) -> None:
    change = change_between(plan(tmp_path), plan(tmp_path, limits))
    assert change.refused is None
    assert change.workers == workers


def test_the_same_settings_change_nothing(tmp_path: Path) -> None:
    assert change_between(plan(tmp_path), plan(tmp_path)) == Change()
