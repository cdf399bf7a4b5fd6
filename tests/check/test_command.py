"""``mailsensor check`` as it is run: what it prints, how it ends, and that it looks as the service would."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.netns import namespace
from tests.running import mailsensor
from tests.stranger import STRANGER, needs_root, stranger_command

SETTINGS = '[organisation]\ninternal_domains = ["corp.example"]\n[web]\nlisten = ""\n[capture]\nfiles = ["-"]\n'


def settings_in(folder: Path, more: str = "") -> Path:
    path = folder / "sensor.toml"
    path.write_text(SETTINGS + more)
    return path


def test_what_was_found_is_told_with_how_to_fix_it(tmp_path: Path) -> None:
    path = settings_in(tmp_path, f'[store]\npath = "{tmp_path}/none/ledger.db"\n')
    ended = mailsensor("check", "--config", path)
    assert ended.status == 2
    assert re.search(r"FAIL files store\.path: .*none.* -> install -d -m 0700", ended.words)
    assert "It would not work: 1 to put right" in ended.words


def test_it_changes_nothing(tmp_path: Path) -> None:
    path = settings_in(
        tmp_path,
        f'[store]\npath = "{tmp_path}/ledger.db"\n[run]\nrecords = "{tmp_path}/records.jsonl"\n'
        f'[privacy]\nkey_file = "{tmp_path}/key"\n',
    )
    assert mailsensor("check", "--config", path).status in (0, 1)
    assert [each.name for each in tmp_path.iterdir()] == ["sensor.toml"]


def test_its_json_holds_every_check(tmp_path: Path) -> None:
    ended = mailsensor("check", "--json", "--config", settings_in(tmp_path))
    told = json.loads(ended.out)
    assert told["status"] == ("ok", "warn", "fail")[ended.status]
    assert {"check", "status", "what", "said", "fix"} == {key for each in told["checks"] for key in each}
    assert {each["check"] for each in told["checks"]} >= {"settings", "organisation", "rights", "clock"}


def test_settings_that_cannot_be_read_end_it(tmp_path: Path) -> None:
    path = tmp_path / "sensor.toml"
    path.write_text("[organization]\n")
    ended = mailsensor("check", "--config", path)
    assert ended.status == 2
    assert "sensor.toml:1" in ended.words


def test_settings_with_nothing_to_read_are_looked_at_all_the_same(tmp_path: Path) -> None:
    """Whoever puts them right is not to find the next fault only then."""
    path = tmp_path / "sensor.toml"
    path.write_text(f'[store]\npath = "{tmp_path}/none/ledger.db"\n[web]\nlisten = ""\n')
    ended = mailsensor("check", "--config", path)
    assert ended.status == 2
    assert re.search(r"FAIL settings file: .*nothing to read: set live\.interfaces", ended.words)
    assert re.search(r"FAIL files store\.path: .*none", ended.words)


def test_without_settings_it_looks_at_the_machine() -> None:
    ended = mailsensor("check")
    assert ended.status in (1, 2)
    assert "none was named" in ended.words


def test_control_characters_of_settings_reach_no_terminal(tmp_path: Path) -> None:
    path = settings_in(tmp_path, '[store]\npath = "/no\\u001b[31m/ledger.db"\n')
    assert b"\x1b" not in mailsensor("check", "--config", path).out


@pytest.fixture
def down() -> Iterator[list[str]]:
    """The command that runs another in a namespace with an interface b0 that is down."""
    with namespace() as net:
        net.veth("a0", "b0")
        net.ip("link", "set", "b0", "down")
        yield ["ip", "netns", "exec", net.name]


def test_an_interface_that_is_down_would_show_nothing(down: list[str], tmp_path: Path) -> None:
    path = settings_in(tmp_path, '[live]\ninterfaces = ["b0"]\nring_octets = 1_048_576\n')
    ended = mailsensor("check", "--config", path, before=down)
    assert ended.status == 2
    assert "ip link set b0 up" in ended.words
    assert "b0: can be captured, frames to others too" in ended.words


@needs_root
def test_root_looks_as_the_user_that_the_service_becomes(tmp_path: Path) -> None:
    """So a folder that only root can write to is found."""
    run = f'[run]\nuser = "{STRANGER}"\ngroup = "{STRANGER}"\n'
    path = settings_in(tmp_path, f'[store]\npath = "/usr/ledger.db"\n[live]\ninterfaces = ["lo"]\n{run}')
    done = subprocess.run([*stranger_command(), "check", "--config", path], capture_output=True, text=True, check=False)
    words = " ".join(done.stdout.split())
    assert f"runs as user {STRANGER}" in words
    assert "lo: can be captured" in words
    assert f"/usr: user {STRANGER} can't write to it" in words
