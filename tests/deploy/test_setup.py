"""``deploy/setup/install.sh``: what it does on a machine where packages lack."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.running import ROOT, needs, root_for

SCRIPT = ROOT / "deploy" / "setup" / "install.sh"

# Stands for apt-get: writes down what it was asked for, and whether services may start while it installs.
APT_GET = """\
#!/bin/sh
echo "$@" >> {home}/asked
case "$*" in
*install*)
    cp /usr/sbin/policy-rc.d {home}/policy
    ln -s /bin/true {home}/bin/c++
    ;;
esac
"""


def machine(folder: Path) -> Path:
    """A folder of programs without a C++ compiler, where apt-get would bring one."""
    programs = folder / "bin"
    programs.mkdir()
    for name in ("bash", "sh", "cat", "chmod", "cp", "dirname", "ln", "rm", "env"):
        (programs / name).symlink_to(os.path.realpath(shutil.which(name) or name))
    (programs / "debconf-set-selections").symlink_to("/bin/true")
    (programs / "apt-get").write_text(APT_GET.format(home=folder))
    (programs / "apt-get").chmod(0o755)
    return programs


@root_for("a mount of its own")
def test_what_lacks_is_installed_with_no_service_started_and_nothing_left_behind(tmp_path: Path) -> None:
    """On a machine without a policy of its own about services, as Debian's installer leaves it."""
    place = tmp_path / "sbin"
    place.mkdir()
    programs = machine(tmp_path)
    inside = f"{needs('mount', 'mount')} --bind {place} /usr/sbin; exec env -i PATH={programs} bash {SCRIPT} fuzz"
    started = subprocess.run(
        [needs("unshare", "util-linux"), "--mount", needs("sh", "dash"), "-ec", inside],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (started.returncode, started.stderr) == (0, "")
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked[-1].split()[-1] == "g++"
    assert (tmp_path / "policy").read_text() == "#!/bin/sh\nexit 101\n"
    assert list(place.iterdir()) == []
