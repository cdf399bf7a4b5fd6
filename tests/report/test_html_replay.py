"""``replay --report``: the page of a run, where it is wanted, the same each time."""

from pathlib import Path

import pytest

from tests.running import ROOT, mailsensor

CASES = ("lab_sieve_redirect", "lab_starttls", "file_truncated_tail")
CAPTURES = [str(next((ROOT / "pcaps" / case).glob("input.pcap*"))) for case in CASES]


def test_a_replay_writes_its_report(tmp_path: Path) -> None:
    page = tmp_path / "out.html"
    ended = mailsensor("replay", *CAPTURES, "--report", page, "--internal-domain", "corp.example")
    text = page.read_text()
    assert ended.status == 3
    assert "1 mailbox forwards mail automatically to outside" in text
    assert "1 session in TLS could not be read" in text
    assert "fay.home@dst.example" in text
    assert all(Path(path).parent.name in text for path in CAPTURES)
    assert "1 mailbox forwards mail" in ended.words


def test_the_report_is_the_same_in_every_run(tmp_path: Path) -> None:
    pages = []
    for seed in ("1", "2"):
        mailsensor("replay", *CAPTURES, "--report", tmp_path / "out.html", changes={"PYTHONHASHSEED": seed})
        pages.append((tmp_path / "out.html").read_bytes())
    assert pages[0] == pages[1]


def test_a_report_on_standard_output_leaves_the_summary_to_standard_error() -> None:
    ended = mailsensor("replay", *CAPTURES, "--report", "-")
    assert ended.out.startswith(b"<!DOCTYPE html>")
    assert b"mailbox forwards mail" in ended.err


def test_a_report_of_what_goes_on_from_earlier_runs_says_so(tmp_path: Path) -> None:
    for capture in CAPTURES[:2]:
        mailsensor("replay", capture, "--store", tmp_path / "s.db", "--report", tmp_path / "out.html")
    text = (tmp_path / "out.html").read_text()
    assert "counts go on from earlier runs" in text
    assert "fay.home@dst.example" in text


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--report", "/nowhere/out.html"), "--report /nowhere/out.html: can't be written"),
        (("--report", "-", "--events", "-"), "--events - and --report -: only one can have standard output"),
    ],
)
def test_a_report_that_cannot_be_written_is_told_before_anything_is_read(
    arguments: tuple[str, ...], complaint: str
) -> None:
    ended = mailsensor("replay", *CAPTURES, *arguments)
    assert (ended.status, ended.out) == (1, b"")
    assert complaint in ended.words


def test_a_capture_that_cannot_be_read_is_no_reason_for_no_report(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pcap"
    broken.write_bytes(b"\xd4\xc3\xb2\xa1")
    mailsensor("replay", broken, CAPTURES[0], "--report", tmp_path / "out.html")
    assert "broken.pcap" in (tmp_path / "out.html").read_text()
