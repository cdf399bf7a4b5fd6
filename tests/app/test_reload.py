"""What changed settings mean for a running sensor: the parts made anew are those that the changed keys are for."""

from __future__ import annotations

from pathlib import Path

import pytest

from sensor.app.build import Plan, plan_of
from sensor.app.reload import Change, change_between
from tests.service import SIEVE

BEFORE = {
    "organisation": 'internal_domains = ["corp.example"]',
    "capture": f'files = ["{SIEVE}"]',
    "store": 'path = "ledger.db"',
    "run": 'records = "records.jsonl"',
}


def plan(folder: Path, **changed: str) -> Plan:
    """The plan of ``BEFORE``, but for the sections that are given: these with further keys, or instead of theirs."""
    sections = BEFORE | {name.replace("__", "."): text for name, text in changed.items()}
    path = folder / "sensor.toml"
    path.write_text("".join(f"[{name}]\n{text}\n" for name, text in sections.items()))
    return plan_of(str(path), {})


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, Change()),
        ({"organisation": 'internal_domains = ["corp.example", "other.example"]'}, Change(pipeline=True)),
        ({"alerts": 'min_severity = "high"'}, Change(policy=True)),
        ({"detect__new_forwarder": "enabled = false"}, Change(runner=True)),
        ({"limits": "ledger_mailboxes = 1000"}, Change(pipeline=True, runner=True)),
        ({"limits": "flows = 1000"}, Change(workers=("files",))),
        ({"run": 'records = "others.jsonl"'}, Change(output=True)),
        ({"store": f"{BEFORE['store']}\nrotate_octets = 100_000"}, Change(output=True)),
        ({"store": f"{BEFORE['store']}\nkeep_files = 2"}, Change(output=True)),
        ({"web": "allow_reload = true"}, Change()),
        ({"journal": 'listen = "127.0.0.1:0"\naddresses = ["j@corp.example"]'}, Change(workers=("journal",))),
    ],
)
def test_a_part_is_made_anew_where_its_own_settings_changed(
    tmp_path: Path, changed: dict[str, str], expected: Change
) -> None:
    assert change_between(plan(tmp_path), plan(tmp_path, **changed)) == expected


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"store": 'path = "other.db"'}, "store.path: can't change while the sensor runs; restart it"),
        ({"sensor": 'name = "other"'}, "sensor.name"),
        ({"alerts": 'spool_dir = "spool"'}, "alerts.spool_dir"),
        ({"privacy": 'key_file = "key"', "web": "top_mailboxes = 3"}, "web.top_mailboxes, privacy.key_file"),
    ],
)
def test_what_was_opened_once_is_not_changed(tmp_path: Path, changed: dict[str, str], words: str) -> None:
    change = change_between(plan(tmp_path), plan(tmp_path, **changed))
    assert change.refused is not None
    assert words in change.refused


def test_names_that_stay_clear_are_those_of_the_start(tmp_path: Path) -> None:
    """Else a name would have a pseudonym before the reload and none behind it."""
    privacy = 'mode = "pseudonym"\nclear_domains = "internal"\nkey_file = "key"'
    before = plan(tmp_path, privacy=privacy)
    change = change_between(before, plan(tmp_path, privacy=privacy, organisation='internal_domains = ["a.example"]'))
    assert change.refused is not None
    assert "organisation.internal_domains" in change.refused
