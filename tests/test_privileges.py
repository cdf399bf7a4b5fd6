"""What the process may do after its start, as the kernel tells it: nothing, though it was started by root."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sensor import privileges
from sensor.privileges import Account, PrivilegeError, account_of
from tests.builders import Dialogue, Endpoint, frames_of
from tests.netns import Namespace, namespace
from tests.running import COMMAND, ROOT, Ended, environment, mailsensor, needs
from tests.service import free_port
from tests.stranger import STRANGER, needs_root, stranger_command

PATIENCE_S = 30.0
Command = tuple[str, ...]

AS_STRANGER = f'user = "{STRANGER}"\ngroup = "{STRANGER}"\n'


class Started:
    """A program inside a namespace, and what it may do."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process, self._log = process, log

    @property
    def log(self) -> str:
        return self._log.read_text(errors="backslashreplace")

    def until(self, pattern: str) -> None:
        self.until_true(lambda: re.search(pattern, self.log) is not None, pattern)

    def until_true(self, holds: object, what: str) -> None:
        end = time.monotonic() + PATIENCE_S
        assert callable(holds)
        while not holds():
            assert self.process.poll() is None, self.log
            assert time.monotonic() < end, f"{what} did not come true\n{self.log}"
            time.sleep(0.05)

    def threads(self) -> dict[str, list[dict[str, str]]]:
        """By name, the status of each thread."""
        found: dict[str, list[dict[str, str]]] = {}
        for path in Path(f"/proc/{self.process.pid}/task").glob("*/status"):
            facts = dict(line.split(":\t", 1) for line in path.read_text().splitlines() if ":\t" in line)
            found.setdefault(facts["Name"], []).append(facts)
        return found


@contextmanager
def started(net: Namespace, folder: Path, *command: str | Path) -> Iterator[Started]:
    """A program inside *net*, in *folder*."""
    log = folder / "log"
    with log.open("wb") as out:
        process = net.popen(*command, stdout=out, stderr=out, cwd=folder)
    running = Started(process, log)
    try:
        yield running
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(PATIENCE_S)


@pytest.fixture
def net() -> Iterator[Namespace]:
    with namespace() as net:
        net.veth("a0", "b0")
        yield net


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of the stranger. Those that pytest makes are for root alone to enter."""
    with tempfile.TemporaryDirectory(prefix="mailsensor-") as made:
        os.chown(made, STRANGER, STRANGER)
        yield Path(made)


@pytest.fixture(scope="module")
def command() -> Command:
    return stranger_command()


def settings_in(folder: Path, run: str = AS_STRANGER, more: str = "") -> Path:
    path = folder / "sensor.toml"
    path.write_text(
        f'[organisation]\ninternal_domains = ["corp.example"]\n[web]\nlisten = "127.0.0.1:{free_port()}"\n'
        f'[live]\ninterfaces = ["b0"]\nring_octets = 1_048_576\n[store]\npath = "ledger.db"\ncheckpoint_s = 1\n'
        f'[run]\nrecords = "records.jsonl"\nalerts = "alerts.jsonl"\n{run}\n'
        f'[[alerts.sink]]\ntype = "jsonl"\npath = "sink.jsonl"\n{more}'
    )
    os.chown(path, STRANGER, STRANGER)
    return path


def send_a_mail(net: Namespace, number: int = 1) -> None:
    flow = Dialogue().greet().mail(number).quit().flow(client=Endpoint("192.0.2.10", 40_000 + number))
    net.send_frames("a0", [frame.octets for frame in frames_of(flow.segments, ())])


def records(folder: Path) -> int:
    path = folder / "records.jsonl"
    return len(path.read_text().splitlines()) if path.exists() else 0


def facts_of(running: Started, key: str) -> set[str]:
    """What all threads say of *key*."""
    return {" ".join(each[key].split()) for named in running.threads().values() for each in named}


NONE, NET_RAW = f"{0:016x}", f"{1 << 13:016x}"


@needs_root
def test_a_service_that_root_starts_is_nobody_special_and_goes_on_capturing(
    net: Namespace, folder: Path, command: Command
) -> None:
    """User, groups and capabilities of every thread, files of the user's own; mail on both sides of an outage."""
    with started(net, folder, *command, "run", "--config", settings_in(folder)) as service:
        service.until("info running")
        assert len(service.threads()["mailsensor-ring"]) == 1
        for key, told in (("Uid", STRANGER), ("Gid", STRANGER)):
            assert facts_of(service, key) == {f"{told} {told} {told} {told}"}
        assert facts_of(service, "Groups") == {str(STRANGER)}
        for key in ("CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd"):
            assert facts_of(service, key) == {NONE}
        assert facts_of(service, "NoNewPrivs") == {"1"}
        send_a_mail(net)
        service.until_true(lambda: records(folder) == 1, "a record")
        net.ip("link", "set", "b0", "down")
        service.until("interface_down")
        net.up("b0")
        service.until("interface_up")
        send_a_mail(net, 2)
        service.until_true(lambda: records(folder) == 2, "a record behind the outage")
        service.process.send_signal(signal.SIGHUP)
        service.until("settings_reloaded")
        service.process.terminate()
        assert service.process.wait(PATIENCE_S) == 0
    made = {path.name: path.stat() for path in folder.iterdir() if path.name not in ("log", "sensor.toml")}
    assert {"ledger.db", "records.jsonl", "alerts.jsonl", "sink.jsonl"} <= made.keys()
    assert {(name, each.st_uid, each.st_mode & 0o077) for name, each in made.items()} == {
        (name, STRANGER, 0) for name in made
    }


@needs_root
def test_an_interface_that_was_removed_is_told_and_not_opened_again(
    net: Namespace, folder: Path, command: Command
) -> None:
    """The right is gone; the log says what would keep it."""
    with started(net, folder, *command, "run", "--config", settings_in(folder)) as service:
        service.until("info running")
        net.ip("link", "delete", "b0")
        net.veth("a0", "b0")
        service.until("interface_gone .*run.keep_net_raw = true")


@needs_root
def test_with_the_right_kept_an_interface_that_comes_back_is_opened_again(
    net: Namespace, folder: Path, command: Command
) -> None:
    """One capability is kept, and no other, by the threads that need it too."""
    path = settings_in(folder, AS_STRANGER + "keep_net_raw = true\n")
    with started(net, folder, *command, "run", "--config", path) as service:
        service.until("info running")
        for key in ("CapEff", "CapPrm"):
            assert facts_of(service, key) == {NET_RAW}
        assert facts_of(service, "CapBnd") == {NONE}
        net.ip("link", "delete", "b0")
        service.until("interface_gone")
        net.veth("a0", "b0")
        service.until("interface_up")
        send_a_mail(net)
        service.until_true(lambda: records(folder) == 1, "a record")


@needs_root
def test_a_service_that_was_given_one_capability_gives_it_up(net: Namespace, folder: Path, command: Command) -> None:
    """As a unit file with AmbientCapabilities starts it."""
    setpriv = (
        "setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups", "--inh-caps=-all,+net_raw",
        "--ambient-caps=+net_raw", "--bounding-set=-all,+net_raw",
    )  # fmt: skip
    with started(net, folder, *setpriv, *command, "run", "--config", settings_in(folder, "")) as service:
        service.until("info running")
        for key in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
            assert facts_of(service, key) == {NONE}
        assert facts_of(service, "NoNewPrivs") == {"1"}
        send_a_mail(net)
        service.until_true(lambda: records(folder) == 1, "a record")


@needs_root
def test_a_right_that_stands_at_the_interpreter_is_taken_up_and_given_up(
    net: Namespace, folder: Path, command: Command
) -> None:
    """As in a container, whose user is not root from the start: a container's manager gives no ambient capabilities."""
    python = folder / "python"
    *before, interpreter, module, name = command
    shutil.copy(interpreter, python)
    subprocess.run([needs("setcap", "libcap2-bin"), "cap_net_raw+p", python], check=True)
    stranger = (
        "setpriv",
        f"--reuid={STRANGER}",
        f"--regid={STRANGER}",
        "--clear-groups",
        "--bounding-set=-all,+net_raw",
    )
    with started(
        net, folder, *stranger, *before, python, module, name, "run", "--config", settings_in(folder, "")
    ) as service:
        service.until("info running")
        for key in ("CapEff", "CapPrm"):
            assert facts_of(service, key) == {NONE}
        send_a_mail(net)
        service.until_true(lambda: records(folder) == 1, "a record")


@needs_root
def test_low_ports_are_opened_before_the_right_goes(net: Namespace, folder: Path, command: Command) -> None:
    path = settings_in(folder)
    path.write_text(re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:80", path.read_text()))
    with started(net, folder, *command, "run", "--config", path) as service:
        service.until("info running")
        assert facts_of(service, "CapEff") == {NONE}


@needs_root
def test_sniff_becomes_somebody_else_once_its_files_are_open(net: Namespace, folder: Path, command: Command) -> None:
    """The file of records is the caller's; the process is nobody's."""
    with started(net, folder, *command, "sniff", "-i", "b0", "--events", "events.jsonl") as sniffing:
        sniffing.until("info capturing")
        uid = facts_of(sniffing, "Uid")
        assert len(uid) == 1
        assert "0" not in uid.pop().split()
        assert facts_of(sniffing, "CapEff") == facts_of(sniffing, "CapPrm") == {NONE}
        assert facts_of(sniffing, "NoNewPrivs") == {"1"}
        send_a_mail(net)
        sniffing.until_true(lambda: (folder / "events.jsonl").read_text().count("\n") == 1, "a record")
    assert (folder / "events.jsonl").stat().st_uid == 0


@needs_root
def test_sniff_keeps_no_capability_even_if_nobody_else_can_read_the_program(net: Namespace, folder: Path) -> None:
    """By the tests' own interpreter, which may stand in root's home: then the user stays root."""
    with started(
        net, folder, "env", "--unset=MAILSENSOR_RUN_USER", *COMMAND, "sniff", "-i", "b0", "--quiet"
    ) as sniffing:
        sniffing.until_true(lambda: "mailsensor-ring" in sniffing.threads(), "capturing")
        sniffing.until_true(lambda: facts_of(sniffing, "CapPrm") == {NONE}, "giving capabilities up")
        assert facts_of(sniffing, "CapEff") == facts_of(sniffing, "CapBnd") == {NONE}
        assert facts_of(sniffing, "NoNewPrivs") == {"1"}


SOCKETS: dict[str, tuple[str, ...]] = {
    "relay": ("--listen", "127.0.0.1:26", "--next-hop", "127.0.0.1:9"),
    "milter": ("--listen", "inet:127.0.0.1:26", "--listen", "unix:milter.sock"),
    "journal": ("--listen", "127.0.0.1:26", "--address", "j@sensor.example"),
}
LISTENING = {"relay": "info listening", "milter": "milter_listening", "journal": "journal_listening"}


@needs_root
@pytest.mark.parametrize("named", ["option", "settings"])
@pytest.mark.parametrize("name", SOCKETS)
def test_who_serves_mail_becomes_somebody_else_once_its_sockets_are_open(
    net: Namespace, folder: Path, command: Command, name: str, named: str
) -> None:
    """A port of root's, then no right at all; what the command line names is the caller's file."""
    path = folder / "sensor.toml"
    user = 'user = "nobody"\n' if named == "option" else AS_STRANGER.replace(f'group = "{STRANGER}"\n', "")
    # A right to capture is none of theirs, whatever a service that shares the file keeps.
    user += "keep_net_raw = true\n"
    path.write_text(f'[run]\n{user}group = "{STRANGER}"\n[[alerts.sink]]\ntype = "jsonl"\npath = "sink.jsonl"\n')
    options = ("--user", str(STRANGER)) if named == "option" else ()
    files = ("--events", "events.jsonl", "--alerts", "alerts.jsonl")
    absolute = [each.replace("unix:", f"unix:{folder}/") for each in SOCKETS[name]]
    with started(net, folder, *command, name, "--config", path, *absolute, *files, *options) as serving:
        serving.until(LISTENING[name])
        assert f"unprivileged uid={STRANGER} gid={STRANGER} capabilities=none" in serving.log
        assert "stays_root" not in serving.log
        assert sum(map(len, serving.threads().values())) > 1
        for key in ("Uid", "Gid"):
            assert facts_of(serving, key) == {f"{STRANGER} {STRANGER} {STRANGER} {STRANGER}"}
        for key in ("CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd"):
            assert facts_of(serving, key) == {NONE}
        assert facts_of(serving, "NoNewPrivs") == {"1"}
        serving.process.terminate()
        assert serving.process.wait(PATIENCE_S) == 0
    assert {(folder / each).stat().st_uid for each in ("events.jsonl", "alerts.jsonl")} == {0}


@needs_root
@pytest.mark.parametrize("name", SOCKETS)
def test_who_serves_mail_as_root_unasked_says_so_once_and_how_to_change_that(
    net: Namespace, folder: Path, command: Command, name: str
) -> None:
    absolute = [each.replace("unix:", f"unix:{folder}/") for each in SOCKETS[name]]
    with started(net, folder, *command, name, *absolute, "--events", "events.jsonl", "--quiet") as serving:
        serving.until("stays_root")
    [line] = [line for line in serving.log.splitlines() if "stays_root" in line]
    assert line.startswith("warning stays_root")
    assert "--user NAME, or run.user" in line
    with started(net, folder, *command, name, *absolute, "--events", "e.jsonl", "--user", "root") as serving:
        serving.until(LISTENING[name])
    assert "stays_root" not in serving.log


@needs_root
def test_who_was_given_the_right_to_a_port_alone_gives_it_up(net: Namespace, folder: Path, command: Command) -> None:
    """As a unit file with AmbientCapabilities starts it. Sinks have a thread of their own, which has none either."""
    setpriv = (
        "setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups", "--inh-caps=-all,+net_bind_service",
        "--ambient-caps=+net_bind_service", "--bounding-set=-all,+net_bind_service",
    )  # fmt: skip
    path = folder / "sensor.toml"
    path.write_text('[[alerts.sink]]\ntype = "jsonl"\npath = "sink.jsonl"\n')
    with started(net, folder, *setpriv, *command, "relay", "--config", path, *SOCKETS["relay"]) as serving:
        serving.until(LISTENING["relay"])
        assert sum(map(len, serving.threads().values())) > 1
        for key in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
            assert facts_of(serving, key) == {NONE}


def test_a_wrong_interface_leaves_the_records_of_an_earlier_capture_alone(tmp_path: Path) -> None:
    """Files are opened before the user changes, and that before an interface is opened."""
    path = tmp_path / "events.jsonl"
    path.write_text("earlier\n")
    ended = mailsensor("sniff", "-i", "nosuch0", "--events", path)
    assert ended.status == 1
    assert "nosuch0: no such interface; there are: lo" in ended.words
    assert path.read_text() == "earlier\n"


# ---- what is refused


UNSET = ("env", "--unset=MAILSENSOR_RUN_USER")


def run_with(tmp_path: Path, run: str) -> Ended:
    path = tmp_path / "sensor.toml"
    path.write_text(f'[capture]\nfiles = ["-"]\n[web]\nlisten = ""\n[run]\n{run}\n')
    return mailsensor("run", "--config", path, before=UNSET)


@needs_root
def test_root_with_nobody_to_become_is_refused(tmp_path: Path) -> None:
    """Unless it says that it wants to stay root."""
    if account_of("mailsensor") is not None:
        pytest.skip("this machine has a user mailsensor")
    ended = run_with(tmp_path, "")
    assert ended.status == 1
    assert "there is no user mailsensor to become" in ended.words
    assert 'run.user = "root"' in ended.words


@needs_root
@pytest.mark.parametrize(
    ("run", "why"),
    [
        ('user = "no-such-user"', "no-such-user: there is no such user"),
        ('user = "nobody"\ngroup = "no-such-group"', "no-such-group: there is no such group"),
        (f'user = "{STRANGER}"', "run.group has to name a group"),
        ('user = "root"\ngroup = "nogroup"', "run.group: nogroup: who stays root stays in its groups"),
    ],
)
def test_an_account_that_does_not_exist_is_refused(run: str, why: str, tmp_path: Path) -> None:
    ended = run_with(tmp_path, run)
    assert (ended.status, why in ended.words) == (1, True), ended.words


def test_a_wrong_name_on_the_command_line_is_named() -> None:
    ended = mailsensor("relay", "--listen", "127.0.0.1:0", "--next-hop", "127.0.0.1:9", "--user", "a b")
    assert (ended.status, "--user a b: must be a name such as" in ended.words) == (1, True)


@needs_root
def test_a_group_that_a_user_is_not_in_is_refused(folder: Path, command: Command) -> None:
    """It was ignored: the process had the group that it was started with."""
    path = settings_in(folder, f'group = "{STRANGER + 1}"')
    before = ("setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups")
    done = subprocess.run([*before, *command, "run", "--config", path], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"run.group: {STRANGER + 1}: only root can enter it; this process is of group {STRANGER}" in done.stderr


@needs_root
def test_settings_that_could_not_be_read_again_are_refused(folder: Path, command: Command) -> None:
    path = settings_in(folder)
    os.chown(path, 0, 0)
    path.chmod(0o600)
    done = subprocess.run([*command, "run", "--config", path], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"chgrp {STRANGER} {path}" in done.stderr


@needs_root
def test_a_program_that_the_user_cannot_read_is_refused(folder: Path, command: Command) -> None:
    """It would fail later, at the first module that is imported when it is needed."""
    hidden = folder / "hidden"
    hidden.mkdir(mode=0o700)
    shutil.copytree(ROOT / "sensor", hidden / "sensor", ignore=shutil.ignore_patterns("core", "__pycache__"))
    there = [each.replace(f"={ROOT}:", f"={hidden}:") for each in command]
    ran = subprocess.run(
        [*there, "run", "--config", settings_in(folder)], capture_output=True, text=True, check=False, cwd=folder
    )
    assert ran.returncode == 1
    assert f"can't read {hidden / 'sensor'}" in ran.stderr


@needs_root
def test_a_user_cannot_become_another(folder: Path, command: Command) -> None:
    path = settings_in(folder, 'user = "daemon"')
    before = ("setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups")
    done = subprocess.run([*before, *command, "run", "--config", path], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "only root can become it" in done.stderr


# ---- the steps by themselves

_STEPS = """
import json, os, sys, threading
from sensor import privileges
from sensor.privileges import Account
kept = threading.Event()
if {early}:
    threading.Thread(target=kept.wait, daemon=True).start()
privileges.confine()
privileges.become(Account("stranger", {uid}, {uid}), frozenset(("net_raw",)))
during = privileges.may("net_raw"), privileges.may("net_bind_service")
excess = len(privileges.excess(frozenset(("net_raw",))))
privileges.keep_only()
try:
    os.setuid(0)
    back = True
except PermissionError:
    back = False
print(json.dumps([during, excess, privileges.may("net_raw"), back, len(privileges.excess())]))
"""


def _steps(*, early: bool) -> object:
    code = _STEPS.format(uid=STRANGER, early=early)
    done = subprocess.run([sys.executable, "-c", code], env=environment(), cwd=ROOT, capture_output=True, check=True)
    return json.loads(done.stdout)


@needs_root
def test_rights_go_step_by_step_and_do_not_come_back() -> None:
    assert _steps(early=False) == [[True, False], 0, False, False, 0]


@needs_root
def test_a_thread_that_began_too_early_is_found() -> None:
    """It can still gain rights by running a program, which the others can't."""
    assert _steps(early=True) == [[True, False], 1, False, False, 1]


@pytest.mark.parametrize(
    ("user", "group", "expected"),
    [
        ("root", "", 0),
        ("0", "", 0),
        ("no-such-user", "", None),
        ("", "", None),
    ],
)
def test_accounts_are_found_by_name_and_number(user: str, group: str, expected: int | None) -> None:
    found = account_of(user, group)
    assert (None if found is None else found.uid) == expected


def test_a_number_needs_no_entry_but_a_group() -> None:
    assert account_of("54321", "54322") == Account("54321", 54_321, 54_322)
    with pytest.raises(PrivilegeError, match=r"run\.group has to name a group"):
        account_of("54321")


def test_capabilities_are_named_as_their_manual_names_them() -> None:
    assert privileges.names_of(("net_raw", "net_bind_service")) == "CAP_NET_BIND_SERVICE, CAP_NET_RAW"
    assert privileges.names_of(()) == "none"
