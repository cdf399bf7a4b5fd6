"""What systemd reads: the unit may do as little as its page says; its folders are those that the sensor writes to."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
from pathlib import Path

import pytest

from sensor.settings import load_settings
from tests.running import ROOT, needs, root_for

SYSTEMD = ROOT / "deploy" / "systemd"
UNIT = SYSTEMD / "mailsensor.service"


class Unit:
    """The unit's keys, each with all its values in order."""

    def __init__(self, text: str) -> None:
        self._values: dict[tuple[str, str], list[str]] = {}
        section = ""
        for line in text.splitlines():
            if line.startswith("["):
                section = line.strip("[]")
            elif line and not line.startswith("#"):
                key, _, value = line.partition("=")
                self._values.setdefault((section, key), []).append(value)

    def all(self, key: str, section: str = "Service") -> list[str]:
        return self._values.get((section, key), [])

    def one(self, key: str, section: str = "Service") -> str:
        (value,) = self.all(key, section)
        return value


@pytest.fixture(scope="module")
def unit() -> Unit:
    return Unit(UNIT.read_text())


def test_the_exposure_is_what_the_page_says() -> None:
    """A directive that is taken out shows here."""
    analyze = needs("systemd-analyze", "systemd")
    asked = [analyze, "security", "--offline=true", "--no-pager", str(UNIT)]
    told = subprocess.run(
        asked, capture_output=True, text=True, check=True, env=os.environ | {"LC_ALL": "C.UTF-8"}
    ).stdout
    found = re.search(r"exposure level for mailsensor\.service: ([0-9.]+)", told)
    assert found is not None
    stated = re.search(r"exposure level of \*\*([0-9.]+)\*\*", (ROOT / "docs" / "deploy.md").read_text())
    assert stated is not None
    # Later versions of systemd know more to ask for.
    assert float(found[1]) <= float(stated[1]) + 0.2


def test_systemd_finds_nothing_to_say_of_the_unit() -> None:
    """But that the program is not installed here."""
    analyze = needs("systemd-analyze", "systemd")
    told = subprocess.run([analyze, "verify", str(UNIT)], capture_output=True, text=True, check=False).stderr
    ours = [line for line in told.splitlines() if "mailsensor" in line and "is not executable" not in line]
    assert ours == []


def test_one_capability_is_given_and_no_other(unit: Unit) -> None:
    assert unit.one("CapabilityBoundingSet") == unit.one("AmbientCapabilities") == "CAP_NET_RAW"
    assert unit.one("NoNewPrivileges") == "yes"


def test_the_call_that_gives_the_capability_up_stands_behind_what_would_forbid_it(unit: Unit) -> None:
    assert unit.all("SystemCallFilter") == ["@system-service", "~@privileged @resources", "capset @chown"]


def test_the_time_to_stop_is_longer_than_the_sensor_takes(unit: Unit) -> None:
    settings = load_settings(None, {}, known_limits=())
    assert int(unit.one("TimeoutStopSec")) > settings.run.drain_s + settings.alerts.drain_s


def test_the_service_writes_where_it_may(unit: Unit) -> None:
    """Every path of its settings is in the folder that systemd makes for it."""
    settings = load_settings(str(SYSTEMD / "sensor.toml"), {}, known_limits=())
    state = f"/var/lib/{unit.one('StateDirectory')}/"
    paths = (settings.store.path, settings.run.alerts, settings.alerts.spool_dir, settings.privacy.key_file)
    assert all(path.startswith(state) for path in paths), paths
    assert unit.one("StateDirectoryMode") == "0700"
    assert unit.one("ExecStart").endswith("run --config /etc/mailsensor/sensor.toml")


@root_for("files of another user are made by root alone")
def test_user_and_folders_are_made(tmp_path: Path) -> None:
    sysusers, tmpfiles = needs("systemd-sysusers", "systemd"), needs("systemd-tmpfiles", "systemd")
    for folder, name in (("sysusers.d", "sysusers.conf"), ("tmpfiles.d", "tmpfiles.conf")):
        made = tmp_path / "etc" / folder
        made.mkdir(parents=True)
        (made / "mailsensor.conf").write_text((SYSTEMD / name).read_text())
    subprocess.run([sysusers, f"--root={tmp_path}", "mailsensor.conf"], check=True, capture_output=True)
    subprocess.run([tmpfiles, f"--root={tmp_path}", "--create", "mailsensor.conf"], check=True, capture_output=True)
    entry = next(line for line in (tmp_path / "etc/passwd").read_text().splitlines() if line.startswith("mailsensor:"))
    uid, shell = int(entry.split(":")[2]), entry.split(":")[-1]
    assert shell == "/usr/sbin/nologin"
    for folder, owner, mode in (
        ("etc/mailsensor", 0, 0o750),
        ("var/lib/mailsensor", uid, 0o700),
        ("var/lib/mailsensor/spool", uid, 0o700),
    ):
        found = (tmp_path / folder).stat()
        assert (folder, found.st_uid, found.st_mode & 0o777) == (folder, owner, mode)


def test_the_unit_reads_as_one(unit: Unit) -> None:
    """No key is said twice that holds one value."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(UNIT.read_text())
    lists = {"SystemCallFilter"}
    assert [key for key in parser["Service"] if len(unit.all(key)) > 1] == sorted(lists)
