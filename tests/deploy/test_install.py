"""``deploy/install.sh``: what it puts where, done twice, and taken away again."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from sensor.settings import load_settings
from tests.running import ROOT, needs

SCRIPT = ROOT / "deploy" / "install.sh"


def install(*arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the script with the tests' interpreter, and without a network."""
    own = os.environ | {"PYTHON": sys.executable, "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    command = ["bash", str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, env=own, capture_output=True, text=True, check=check, timeout=120)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package of the sensor's name with its command, and nothing in it: what pip does with the real one is pip's."""
    path = tmp_path_factory.mktemp("wheel") / "mailflow_sensor-0.1.0-py3-none-any.whl"
    info = "mailflow_sensor-0.1.0.dist-info"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("sensor.py", "def main():\n    print('it runs')\n")
        made.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: mailflow-sensor\nVersion: 0.1.0\n")
        made.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        made.writestr(f"{info}/entry_points.txt", "[console_scripts]\nmailsensor = sensor:main\n")
        made.writestr(f"{info}/RECORD", "")
    return path


def test_it_is_installed_twice_and_taken_away(wheel: Path, tmp_path: Path) -> None:
    """Settings that are there are left alone, at the second time and at the end; ``--purge`` takes them."""
    where = ("--destdir", tmp_path)
    given = ("--interface", "eth1", "--interface", "eth2", "--internal-domain", ".corp.example")
    install(*where, "--wheel", wheel, *given)
    ran = subprocess.run([tmp_path / "opt/mailsensor/bin/mailsensor"], capture_output=True, text=True, check=True)
    assert ran.stdout == "it runs\n"
    settings_path = tmp_path / "etc/mailsensor/sensor.toml"
    settings = load_settings(str(settings_path), {}, known_limits=())
    assert settings.live.interfaces == ("eth1", "eth2")
    assert settings.organisation.internal_domains == (".corp.example",)
    assert settings_path.stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "var/lib/mailsensor").stat().st_mode & 0o777 == 0o700
    placed = {
        "etc/systemd/system/mailsensor.service": "mailsensor.service",
        "etc/sysusers.d/mailsensor.conf": "sysusers.conf",
        "etc/tmpfiles.d/mailsensor.conf": "tmpfiles.conf",
    }
    for path, source in placed.items():
        assert (tmp_path / path).read_text() == (ROOT / "deploy/systemd" / source).read_text()
    assert (tmp_path / "usr/local/bin/mailsensor").readlink() == Path("/opt/mailsensor/bin/mailsensor")
    assert (tmp_path / "opt/mailsensor/share/docs/running.md").exists()

    settings_path.write_text("# mine\n")
    again = install(*where, "--wheel", wheel, "--interface", "eth9")
    assert "stays as it is" in again.stdout
    assert settings_path.read_text() == "# mine\n"

    install(*where, "--uninstall")
    assert sorted(str(each.relative_to(tmp_path)) for each in tmp_path.rglob("*") if each.is_file()) == [
        "etc/mailsensor/sensor.toml"
    ]
    install(*where, "--uninstall", "--purge")
    assert not (tmp_path / "etc/mailsensor").exists()
    assert not (tmp_path / "var/lib/mailsensor").exists()
    install(*where, "--uninstall")


def test_a_dry_run_says_what_it_would_do_and_does_nothing(wheel: Path, tmp_path: Path) -> None:
    told = install("--dry-run", "--destdir", tmp_path, "--wheel", wheel).stdout
    assert "mailsensor.service" in told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--colour"], "unknown option --colour"),
        (["--interface"], "--interface needs a name"),
        (["--interface", 'eth1"]; x = "'], "not a name"),
        (["--wheel", "/no/such.whl"], "No such file"),
    ],
)
def test_what_is_not_understood_is_refused(arguments: list[str], why: str, wheel: Path, tmp_path: Path) -> None:
    done = install("--destdir", tmp_path, "--wheel", wheel, *arguments, check=False)
    assert done.returncode != 0
    assert why in done.stderr


def test_its_help_is_its_head() -> None:
    told = install("--help").stdout
    assert "--internal-domain" in told
    assert "set -euo" not in told


@pytest.mark.parametrize("script", ["deploy/install.sh", "deploy/systemd/try.sh"])
def test_shellcheck_finds_nothing(script: str) -> None:
    shellcheck = needs("shellcheck", "shellcheck")
    done = subprocess.run([shellcheck, ROOT / script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_every_requirement_has_its_version_in_the_constraints() -> None:
    """So two installations are the same."""
    constraints = (ROOT / "deploy/setup/constraints.txt").read_text().splitlines()
    named = {line.split("==")[0].lower().replace("_", "-") for line in constraints if "==" in line}
    asked = [sys.executable, str(ROOT / "deploy/setup/run_time_dependencies.py")]
    wanted = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()
    assert {each.partition(">")[0].lower() for each in wanted} <= named
