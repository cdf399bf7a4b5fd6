"""What meets a user who tries the sensor for the first time: each mistake gets one plain line, never a traceback."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.builders import Dialogue, capture
from tests.floods import HEADER, Talk
from tests.running import COMMAND, ROOT, Ended, environment, mailsensor, needs

MAIL = ROOT / "pcaps" / "lab_sieve_redirect" / "input.pcap"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00" + bytes(range(256)) * 40


def complains(ended: Ended, *words: str, status: int = 1) -> None:
    """The run ended with *status*, said the *words*, and nothing that only its authors understand."""
    assert ended.status == status, ended.words
    assert "Traceback" not in ended.words
    for each in words:
        assert each in ended.words


# ---- files


def test_a_picture_is_named_as_one(tmp_path: Path) -> None:
    picture = tmp_path / "holiday.pcap"
    picture.write_bytes(JPEG)
    complains(mailsensor("replay", picture), str(picture), "JPEG")


def test_an_empty_file_is_called_empty(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pcap"
    empty.touch()
    complains(mailsensor("replay", empty), str(empty), "was not read: there is nothing in it")


def test_nothing_on_standard_input_is_called_empty() -> None:
    complains(mailsensor("replay", "-", stdin=b""), "was not read: there is nothing in it")


def test_a_file_without_alerts_is_not_told_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<p>\n" * 500)  # of which the file's own list holds a hundred
    complains(ended := mailsensor("alerts", tmp_path / "page.html"), "not read: line 1 ", "and 490 more")
    assert ended.words.count("\n") < 30


@pytest.mark.parametrize("option", ["--events", "--alerts", "--report", "--store"])
def test_a_capture_is_never_written_over(tmp_path: Path, option: str) -> None:
    capture = tmp_path / "monday.pcap"
    capture.write_bytes(MAIL.read_bytes())
    complains(mailsensor("replay", tmp_path, option, capture), f"{option} {capture}", "would be overwritten")
    assert capture.read_bytes() == MAIL.read_bytes()


def test_two_outputs_are_never_written_into_one_file(tmp_path: Path) -> None:
    one = tmp_path / "out.jsonl"
    complains(mailsensor("replay", MAIL, "--events", one, "--alerts", f"{tmp_path}/./out.jsonl"), "of its own")
    assert not one.exists()
    assert mailsensor("replay", MAIL, "-q", "--events", "/dev/null", "--alerts", "/dev/null").status == 0


@pytest.mark.parametrize("option", ["--events", "--alerts", "--report"])
def test_a_full_disk_is_told_with_the_file_that_is_on_it(option: str) -> None:
    ended = mailsensor("replay", MAIL, option, "/dev/full")
    complains(ended, "/dev/full: No space left", "the file is incomplete")
    # Captures may take hours: what a page had no room for, the summary tells all the same.
    assert (b"1 mailbox forwards mail" in ended.out) == (option == "--report")


def test_a_directory_without_captures_says_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Hi")
    complains(mailsensor("replay", tmp_path), "no captures inside", "pcap", "zstd")


def test_a_path_that_is_not_there_hints_at_one_that_is(tmp_path: Path) -> None:
    (tmp_path / "monday.pcap").write_bytes(MAIL.read_bytes())
    missing = tmp_path / "mondai.pcap"
    complains(mailsensor("replay", missing), f"{missing}: no such file or directory", "did you mean", "monday.pcap")


def test_a_link_that_leads_nowhere_is_told_as_that(tmp_path: Path) -> None:
    (tmp_path / "a.pcap").symlink_to(tmp_path / "gone.pcap")
    complains(mailsensor("replay", tmp_path / "a.pcap"), "a link that leads nowhere")


def test_something_else_than_a_file_is_told_as_that(tmp_path: Path) -> None:
    """Here a device that never ends but is no capture."""
    complains(mailsensor("replay", "/dev/zero"), "/dev/zero", "was not read: not a capture")


@pytest.fixture
def unprivileged() -> list[str]:
    """Runs a command so that permissions count: root may read everything, so the capabilities to do so are dropped."""
    if os.geteuid() != 0:
        return []
    lost = "-dac_override,-dac_read_search"
    return [needs("setpriv", "util-linux"), f"--bounding-set={lost}", f"--inh-caps={lost}"]


def test_a_file_without_permission_to_read_says_so(tmp_path: Path, unprivileged: list[str]) -> None:
    locked = tmp_path / "locked.pcap"
    locked.write_bytes(MAIL.read_bytes())
    locked.chmod(0)
    refused = subprocess.run([*unprivileged, "cat", locked], stderr=subprocess.DEVNULL, check=False)
    assert refused.returncode != 0, "permissions do not count on this machine"
    complains(mailsensor("replay", locked, before=unprivileged), str(locked), "could not be read", "ermission denied")
    both = mailsensor("replay", locked, MAIL, before=unprivileged)
    complains(both, "could not be read", "1 mailbox forwards mail", status=3)


def test_a_directory_without_permission_to_enter_is_passed_over_and_told(
    tmp_path: Path, unprivileged: list[str]
) -> None:
    (tmp_path / "a.pcap").write_bytes(MAIL.read_bytes())
    (tmp_path / "locked").mkdir(mode=0)
    ended = mailsensor("replay", tmp_path, before=unprivileged)
    complains(ended, "1 mailbox forwards mail", "Passed over", "locked", "Permission denied", status=3)
    (tmp_path / "locked").chmod(stat.S_IRWXU)


# ---- settings and options


def test_a_typo_in_the_settings_names_the_line_and_what_was_meant(tmp_path: Path) -> None:
    settings = tmp_path / "mailsensor.toml"
    settings.write_text('[organisation]\n# ours\ninternal_domain = ["corp.example"]\n')
    ended = mailsensor("replay", MAIL, "--settings", settings)
    complains(ended, f"{settings}:3", 'unknown key "internal_domain"', 'did you mean "internal_domains"?')
    assert ended.err.count(b"\n") == 1
    assert ended.out == b""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[organization]\n", ("mailsensor.toml:1", "did you mean", "organisation")),
        ("[replay]\ntop_mailboxes = 0\n", ("mailsensor.toml:2", "from 1 to")),
        ("[replay]\ntop_mailboxes = many\n", ("not TOML", "line 2")),
        ("[limits]\nflowz = 7\n", ("mailsensor.toml:2", 'did you mean "flows"?')),
        ('internal_domains = ["a.example"]\n', ("mailsensor.toml:1", "internal_domains")),
        ("\ufeff\0", ("not TOML",)),
        ("x = " + "9" * 5000, ("not TOML", "digits")),
        ("x = " + "[" * 5000, ("not TOML",)),
    ],
)
def test_other_mistakes_in_the_settings_are_told_as_plainly(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    settings = tmp_path / "mailsensor.toml"
    settings.write_text(text)
    complains(mailsensor("replay", MAIL, "--settings", settings), *words)


def test_a_file_of_any_size_named_as_settings_is_not_read_into_memory() -> None:
    complains(mailsensor("replay", MAIL, "--settings", "/dev/zero"), "/dev/zero: has more than 4 MiB")


def test_settings_that_are_not_there_are_told(tmp_path: Path) -> None:
    complains(mailsensor("replay", MAIL, "--settings", tmp_path / "x.toml"), "x.toml", "No such file")
    complains(mailsensor("replay", MAIL, "--settings", tmp_path), "directory")


def test_an_unknown_option_hints_at_the_right_one() -> None:
    complains(mailsensor("replay", MAIL, "--event", "-"), "--event", "--events", status=2)
    complains(mailsensor("replay"), "PATH", status=2)
    complains(mailsensor("replai", MAIL), "replai", status=2)


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ("flowz=7", ("flowz", 'did you mean "flows"?')),
        ("flows", ("NAME=VALUE",)),
        ("flows=many", ("limits.flows", "whole number", "'many'")),
        ("flows=0", ("limits.flows", "from 1 to")),
        ("flows=" + "9" * 30, ("limits.flows", "from 1 to")),
        ("flows=" + "9" * 5000, ("limits.flows",)),
        ("=1", ("NAME=VALUE",)),
    ],
)
def test_a_limit_that_can_not_be_is_told(limit: str, words: tuple[str, ...]) -> None:
    complains(mailsensor("replay", MAIL, "--limit", limit), *words)


def test_no_arguments_print_the_help() -> None:
    assert "replay" in mailsensor().words
    ended = mailsensor("--help")
    assert (ended.status, ended.err) == (0, b"")


# ---- where records go


def test_records_into_a_place_that_is_not_there_are_an_error(tmp_path: Path) -> None:
    for place in (tmp_path / "no" / "such" / "records", tmp_path):
        complains(mailsensor("replay", MAIL, "--events", place), f"--events {place}: can't be written")


def test_records_into_a_place_without_permission_are_an_error(tmp_path: Path, unprivileged: list[str]) -> None:
    place = tmp_path / "records"
    place.touch(mode=0o400)
    ended = mailsensor("replay", MAIL, "--events", place, before=unprivileged)
    complains(ended, f"--events {place}: can't be written: Permission denied")


@pytest.mark.parametrize("arguments", [("--events", "/dev/full"), ("--events", "/dev/full", "--quiet")])
def test_a_full_disk_is_an_error(arguments: tuple[str, ...]) -> None:
    """No summary of records that were not kept."""
    complains(mailsensor("replay", ROOT / "pcaps", *arguments), "No space left on device")


def test_a_full_disk_under_standard_output_is_an_error() -> None:
    for options in ("", "--json", "--events -", "--help"):
        script = f"exec {' '.join(COMMAND)} replay {MAIL} {options} > /dev/full"
        done = subprocess.run(["/bin/sh", "-c", script], env=environment(), capture_output=True, check=False)
        complains(Ended(done.returncode, done.stdout, done.stderr), "No space left on device")


def test_a_reader_that_wants_one_line_gets_it_and_nobody_complains() -> None:
    """As in ``mailsensor ... | head -1``."""
    for options in ("--events -", "--events - --quiet", ""):
        script = f"{' '.join(COMMAND)} replay pcaps {options} | head -1"
        done = subprocess.run(["/bin/sh", "-c", script], cwd=ROOT, env=environment(), capture_output=True, check=False)
        assert done.stdout.count(b"\n") == 1
        assert b"Traceback" not in done.stderr
        assert b"rror" not in done.stderr


# ---- Ctrl-C


@contextmanager
def endless() -> Iterator[subprocess.Popen[bytes]]:
    """A replay of standard input in which two mails went by; then nothing more comes, and nobody closes it."""
    process = subprocess.Popen(
        [*COMMAND, "replay", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    assert process.stdin is not None
    talk = Talk()
    process.stdin.write(HEADER + talk.greet() + talk.content(b"Subject: x", b"") + talk.end())
    process.stdin.flush()
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _is_reading(process: subprocess.Popen[bytes]) -> bool:
    """True once its threads are there: it is past start-up, and takes signals itself."""
    return len(list(Path(f"/proc/{process.pid}/task").iterdir())) >= 3


def wait_until_reading(process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while not _is_reading(process):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.3)


@pytest.mark.parametrize("flowing", [True, False], ids=["while packets come", "while nothing comes"])
def test_ctrl_c_summarises_what_was_read_so_far(flowing: bool) -> None:
    """The pipe stays open all the time: it is not its end that ends the run."""
    with endless() as process:
        wait_until_reading(process)
        stop = threading.Event()
        feeder = threading.Thread(target=_feed, args=(process, stop))
        if flowing:
            feeder.start()
            time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        try:
            status = process.wait(timeout=10)
        finally:
            stop.set()
            if flowing:
                feeder.join()
        assert process.stdout is not None
        assert process.stderr is not None
        out, err = process.stdout.read().decode(), process.stderr.read()
    assert status == 130
    assert out.startswith("Interrupted: this is what was read so far.\n")
    assert "2 mails in clear" in out or flowing
    assert err == b""


def _feed(process: subprocess.Popen[bytes], stop: threading.Event) -> None:
    assert process.stdin is not None
    port = 1024
    with suppress(BrokenPipeError, ValueError):
        while not stop.is_set():
            port = port + 1 if port < 65_535 else 1024
            talk = Talk(port)
            process.stdin.write(talk.greet() + talk.content(b"Subject: x", b"") + talk.end())
            process.stdin.flush()


def test_a_second_ctrl_c_ends_at_once() -> None:
    with endless() as process:
        wait_until_reading(process)
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            time.sleep(0.05)
        began = time.monotonic()
        # Ended by the signal itself, which a shell shows as 130 too.
        assert process.wait(timeout=10) in (130, -signal.SIGINT)
        assert time.monotonic() - began < 3
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()


# ---- exit status


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("lab_dot_forward", 0),
        ("lab_tls_from_the_start", 0),
        ("other_http", 0),
        ("file_no_packets", 0),
        ("file_truncated_tail", 3),
    ],
)
def test_the_exit_status_is_the_documented_one(name: str, status: int) -> None:
    (path,) = (ROOT / "pcaps" / name).glob("input.*")
    assert mailsensor("replay", path).status == status
    told = mailsensor("replay", "--help").words
    assert "0 everything was read; 1 nothing could be read" in told
    assert "3 read, but with damage or parts passed over" in told


# ---- terminals


@pytest.fixture
def abroad(tmp_path: Path) -> Path:
    """A capture whose mailbox and file name no old encoding can write."""
    fields = ("X-Forwarded-To: zoë@dst.example", "X-Forwarded-For: jürgen@corp.example zoë@dst.example")
    talk = (
        Dialogue().greet().envelope("jürgen+caf_=zoë=dst.example@corp.example", "zoë@dst.example", params=" SMTPUTF8")
    )
    content = "\r\n".join((*fields, "From: ann@a.example", "Subject: Fwd: Übersicht 概要", "", "Hi", "")).encode()
    return capture(talk.data(content).quit().flow()).write(tmp_path / "übersicht-概要.pcap")


@pytest.mark.parametrize(
    "changes", [{"PYTHONIOENCODING": "ascii"}, {"LANG": "C", "LC_ALL": "C"}, {"PYTHONUTF8": "0", "LC_ALL": "POSIX"}]
)
def test_an_old_encoding_shows_what_it_can(abroad: Path, changes: dict[str, str]) -> None:
    for options in ((), ("--json",), ("--events", "-"), ("--quiet",)):
        ended = mailsensor("replay", abroad, *options, changes=changes)
        assert ended.status == 0, ended.words
        assert "Traceback" not in ended.words
    broken = abroad.with_name("ü.pcap")
    broken.write_bytes(MAIL.read_bytes()[:-5])
    for options in ((), ("--quiet",)):
        complains(mailsensor("replay", broken, *options, changes=changes), ".pcap", status=3)
    complains(mailsensor("replay", abroad.with_name("öd.pcap"), changes=changes), "no such file")


def test_a_name_that_is_no_utf_8_is_read_and_told(tmp_path: Path) -> None:
    """A file name is octets to the system."""
    path = os.path.join(os.fsencode(tmp_path), b"caf\xe9.pcap")  # noqa: PTH118 - pathlib takes no octets
    Path(os.fsdecode(path)).write_bytes(MAIL.read_bytes()[:-5])
    for target in (os.fsdecode(path), tmp_path):
        for options in ((), ("--json",), ("--quiet",)):
            complains(mailsensor("replay", target, *options), "caf", status=3)


def test_a_narrow_terminal_stays_readable() -> None:
    """The help bends (down to 50 columns); the summary is as wide as in a file, breaks no word and colours nothing."""
    narrow = {"COLUMNS": "40", "TERM": "xterm"}
    shown = mailsensor("replay", "--help", changes=narrow).out.decode()
    assert max(map(len, shown.splitlines())) <= 50
    summary = mailsensor("replay", MAIL, changes=narrow).out
    assert summary == mailsensor("replay", MAIL, changes={"COLUMNS": "200"}).out
    assert b"\x1b" not in summary
    assert max(map(len, summary.decode().splitlines())) <= 80


def test_a_terminal_is_left_as_it_was() -> None:
    """With a terminal on standard error a bar is drawn and taken away; the summary has no control characters."""
    controller, terminal = os.openpty()
    with subprocess.Popen(
        [*COMMAND, "replay", "pcaps"], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=terminal,
        env=environment({"TERM": "xterm", "COLUMNS": "60"}),
    ) as process:  # fmt: skip
        os.close(terminal)
        out, _ = process.communicate(timeout=60)
    drawn = _all_of(controller)
    assert process.returncode == 3
    assert "\x1b" not in out.decode()
    # What hid the cursor showed it again.
    assert drawn.count(b"\x1b[?25l") == drawn.count(b"\x1b[?25h")
    assert re.search(rb"Traceback|Error", drawn) is None


def _all_of(controller: int) -> bytes:
    """What was drawn on a terminal whose program has ended."""
    drawn = b""
    with suppress(OSError):  # EIO, once the last one who held the terminal is gone
        while piece := os.read(controller, 65_536):
            drawn += piece
    os.close(controller)
    return drawn
