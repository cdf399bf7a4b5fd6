"""The command line as a user meets it: output, exit status, and errors of one line."""

import io
import json
import os
import signal
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest
import typer

from sensor.cli import cli, run_cli
from sensor.cli.commands import COMMANDS
from sensor.model import Event
from tests import fake_core
from tests.fake_core import Damage, Script
from tests.mails import Batch, Flow, Mail, Tls
from tests.mails import Path as Path_
from tests.test_pipeline import forward

ROOT = Path(__file__).parent.parent


class Console:
    """Runs a command line in this process, over a core that plays ``script``."""

    def __init__(self, script: Script, capture: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.script = script
        self._capture = capture
        self._monkeypatch = monkeypatch

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit status, standard output, standard error."""
        self._monkeypatch.setattr(sys, "argv", ["mailsensor", *arguments])
        status = run_cli()
        out, err = self._capture.readouterr()
        return status, out, err


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Console:
    for name in [name for name in os.environ if name.startswith("MAILSENSOR_")]:
        monkeypatch.delenv(name)
    return Console(fake_core.install(monkeypatch), capsys, monkeypatch)


@pytest.fixture
def capture(tmp_path: Path) -> str:
    path = tmp_path / "a.pcap"
    path.write_bytes(b"capture")
    return str(path)


def test_replay_prints_who_forwards(console: Console, capture: str) -> None:
    console.script.batches = [[Mail(), forward(1)], [], [forward(2), Tls()]]
    status, out, err = console.run("replay", capture, "--internal-domain", "corp.example")
    assert (status, err) == (0, "")
    assert "1 mailbox forwards mail; 1 looks auto-forwarded." in out
    assert "ann@corp.example     user        2     0     0" in out
    assert "3 mails in clear" in out
    assert console.script.paths == [capture]


def test_records_go_to_a_file_one_line_each(console: Console, capture: str, tmp_path: Path) -> None:
    console.script.batches = [[Mail(), forward(1)], [Mail()]]
    status, _, _ = console.run("replay", capture, "--events", str(tmp_path / "out.jsonl"))
    blocks = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert status == 0
    assert [block["kind"] for block in blocks] == ["none", "auto", "none"]
    assert list(blocks[1]) == [
        "kind",
        "level",
        "evidence",
        "mailbox",
        "destinations",
        "direction",
        "look_alike",
        "artifacts",
    ]


def test_records_on_standard_output_send_the_summary_to_standard_error(console: Console, capture: str) -> None:
    console.script.batches = [[Mail()]]
    status, out, err = console.run("replay", capture, "--events", "-")
    assert status == 0
    assert json.loads(out)["kind"] == "none"
    assert "No mailbox was seen to forward" in err


def test_json_prints_the_summary_as_one_object(console: Console, capture: str) -> None:
    console.script.batches = [[forward()]]
    status, out, _ = console.run("replay", capture, "--json")
    summary = json.loads(out)
    assert status == 0
    assert summary["mailboxes"][0]["mailbox"] == "ann@corp.example"
    assert summary["coverage"]["mails"] == 1


def test_quiet_prints_nothing(console: Console, capture: str) -> None:
    console.script.batches = [[forward()]]
    assert console.run("replay", capture, "--quiet") == (0, "", "")


def test_quiet_still_warns_of_damage(console: Console, capture: str) -> None:
    console.script.damage = [Damage(capture, "truncated", "in a packet", 24)]
    status, out, err = console.run("replay", capture, "--quiet")
    assert (status, out) == (3, "")
    assert err == f'warning damage path={capture} kind=truncated offset=24 detail="in a packet"\n'


@pytest.mark.parametrize(
    ("kinds", "status"),
    [([], 0), (["truncated"], 3), (["corrupt"], 3), (["not_a_capture"], 1), (["empty"], 1), (["unreadable"], 1)],
)
def test_exit_status_tells_damage_from_nothing_read(
    console: Console, capture: str, kinds: list[str], status: int
) -> None:
    console.script.damage = [Damage(capture, kind, "why") for kind in kinds]
    got, out, _ = console.run("replay", capture)
    assert got == status
    assert ("why" in out) is bool(kinds)


def test_one_good_file_among_bad_ones_is_read_with_damage(console: Console, capture: str, tmp_path: Path) -> None:
    (tmp_path / "b.pcap").write_bytes(b"")
    console.script.damage = [Damage(str(tmp_path / "b.pcap"), "empty")]
    assert console.run("replay", str(tmp_path))[0] == 3


def test_settings_and_limits_reach_the_core(console: Console, capture: str, tmp_path: Path) -> None:
    settings = tmp_path / "s.toml"
    settings.write_text("[limits]\nflows = 10\nledger_mailboxes = 5\n")
    console.run("replay", capture, "--settings", str(settings), "--limit", "flows=20")
    assert console.script.limits == {"flows": 20}


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["replay", "/nowhere/a.pcap"], 1, "no such file or directory"),
        (["replay", "{capture}", "--settings", "/nowhere.toml"], 1, "settings file not read"),
        (["replay", "{capture}", "--limit", "flow=1"], 1, 'did you mean "flows"?'),
        (["replay", "{capture}", "--internal-domain", "a@b"], 1, "a@b"),
        (["replay", "{capture}", "--events", "/nowhere/out"], 1, "can't be written"),
        (["replay"], 2, "Missing argument"),
        (["replya"], 2, "replya"),
        (["replay", "{capture}", "--evnts", "x"], 2, "--evnts"),
    ],
)
def test_what_a_user_can_put_right_is_one_line_without_a_traceback(
    console: Console, capture: str, arguments: list[str], status: int, words: str
) -> None:
    got, out, err = console.run(*[argument.format(capture=capture) for argument in arguments])
    assert (got, out) == (status, "")
    assert words in err
    assert "Traceback" not in err
    if status == 1:
        assert err.startswith("mailsensor: ")
        assert err.count("\n") == 1


def test_a_core_that_refuses_is_quoted(console: Console, capture: str) -> None:
    console.script.refuses = "a.pcap: this is a JPEG image"
    assert console.run("replay", capture) == (1, "", "mailsensor: a.pcap: this is a JPEG image\n")


def press_ctrl_c_before(call: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the user press Ctrl-C as the core is asked for a batch for the *call*-th time and after."""
    next_batch, calls = fake_core.Replay.next_batch, count(1)

    def pressed(self: fake_core.Replay, timeout_s: float | None = None) -> Batch | None:
        if next(calls) >= call:
            os.kill(os.getpid(), signal.SIGINT)
        return next_batch(self, timeout_s)

    monkeypatch.setattr(fake_core.Replay, "next_batch", pressed)


def test_ctrl_c_stops_the_reading_and_summarises(
    console: Console, capture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    console.script.batches = [[forward(1)], [forward(2)]]
    before = signal.getsignal(signal.SIGINT)
    press_ctrl_c_before(2, monkeypatch)
    status, out, _ = console.run("replay", capture)
    assert status == 130
    assert out.startswith("Interrupted: this is what was read so far.\n1 mailbox forwards mail")
    assert console.script.stopped
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_ends_at_once(console: Console, capture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    console.script.batches = [[Mail()] for _ in range(9)]
    monkeypatch.setattr(fake_core.Replay, "stop", lambda _: None)
    press_ctrl_c_before(1, monkeypatch)
    assert console.run("replay", capture) == (130, "", "")


def test_output_in_an_old_encoding_is_escaped_not_an_error(
    console: Console, capture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    console.script.batches = [[forward()]]
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    monkeypatch.setattr(sys, "argv", ["mailsensor", "replay", capture])
    assert run_cli() == 0
    assert b"ann@corp.example" in raw.getvalue()


def test_version_and_artifacts_need_no_core() -> None:
    for arguments, words in ((["--version"], "mailsensor "), (["artifacts"], "google_caf")):
        done = subprocess.run(
            [sys.executable, "-m", "sensor", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert words in done.stdout


def test_settings_are_named_by_either_option_wherever_they_are_named() -> None:
    commands = typer.main.get_group(cli).commands
    options = {name: {each for param in command.params for each in param.opts} for name, command in commands.items()}
    by_config = {name for name, of_it in options.items() if "--config" in of_it}
    assert by_config == {name for name, of_it in options.items() if "--settings" in of_it}
    assert {"replay", "sniff", "relay", "milter", "journal", "run", "check", "allow"} <= by_config


def test_the_help_says_of_each_command_what_it_does_in_one_line_and_of_arguments_no_types(console: Console) -> None:
    status, out, _ = console.run("--help")
    assert status == 0
    lines = out.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()
    assert [line.split()[0] for line in lines] == [command.__name__ for command, _, _ in COMMANDS]
    assert not any(line.endswith("...") for line in lines)
    for command, _, statuses in COMMANDS:
        _, out, _ = console.run(command.__name__, "--help")
        assert " ".join(statuses.split()) in " ".join(out.split())
        assert "<str" not in out
        assert "<list" not in out


def test_a_closed_pipe_ends_quietly() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [sys.executable, "-m", "sensor", "artifacts"], cwd=ROOT, stdout=write_end, stderr=subprocess.PIPE, check=False
    )
    os.close(write_end)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_closed_standard_output_is_no_error() -> None:
    command = f"exec {sys.executable} -m sensor artifacts >&-"
    done = subprocess.run(["/bin/sh", "-c", command], cwd=ROOT, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_help_documents_the_exit_status(console: Console) -> None:
    status, out, _ = console.run("replay", "--help")
    assert status == 0
    assert "130" in out
    assert "3 read" in " ".join(out.split())


def test_without_settings_our_domains_are_told_from_the_traffic_and_how_to_fix_them(
    console: Console, capture: str
) -> None:
    ours, partner, other = "192.0.2.25", "198.51.100.7", "203.0.113.9"

    def passing(src: str, dst: str, sender: str, recipient: str) -> Mail:
        return Mail(flow=Flow(src_ip=src, dst_ip=dst), reverse_path=sender, forward_paths=(Path_(recipient),))

    console.script.batches = [
        [
            passing(partner, ours, "bill@partner.example", "ann@corp.example"),
            passing(ours, partner, "ann@corp.example", "bill@partner.example"),
        ],
        [
            passing(other, ours, "sue@other.example", "bob@corp.example"),
            passing(ours, other, "bob@corp.example", "sue@other.example"),
        ],
    ]
    status, out, _ = console.run("replay", capture, "--events", "-")
    assert status == 0
    directions = [json.loads(line)["direction"] for line in out.splitlines()]
    assert directions == ["inbound", "outbound", "inbound", "outbound"]


def test_the_summary_says_what_was_taken_for_ours(console: Console, capture: str) -> None:
    ours = Flow(dst_ip="192.0.2.25")
    events: list[Event] = []
    for there, name in (("198.51.100.7", "partner.example"), ("203.0.113.9", "other.example")):
        into, out_of = Flow(src_ip=there, dst_ip=ours.dst_ip), Flow(src_ip=ours.dst_ip, dst_ip=there)
        events.append(Mail(flow=into, reverse_path=f"x@{name}", forward_paths=(Path_("ann@corp.example"),)))
        events.append(Mail(flow=out_of, reverse_path="ann@corp.example", forward_paths=(Path_(f"x@{name}"),)))
    console.script.batches = [events]
    _, out, _ = console.run("replay", capture)
    words = " ".join(out.split())
    assert "worked out from the traffic: .corp.example is taken for yours" in words
    assert "--internal-domain .corp.example" in words
    console.script.batches = [[Mail()]]
    _, out, _ = console.run("replay", capture, "--internal-domain", "corp.example")
    assert "worked out" not in out
