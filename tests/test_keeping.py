"""What runs keep between them, as a user meets it: --store, --once, and the reports from what was kept."""

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from tests.running import ROOT, mailsensor

SIEVE = ROOT / "pcaps" / "lab_sieve_redirect" / "input.pcap"
OURS = ("--internal-domain", "corp.example")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def replay(*arguments: str | Path) -> dict[str, object]:
    ended = mailsensor("replay", *arguments, *OURS, "--json")
    assert ended.status == 0, ended.words
    return dict(json.loads(ended.out))


def rows(store: Path, subject: str = "mailboxes", *more: str) -> list[dict[str, object]]:
    ended = mailsensor("report", subject, "--store", store, "--format", "json", *more)
    assert ended.status == 0, ended.words
    return [json.loads(line) for line in ended.out.splitlines()]


def forwards(summary: dict[str, object]) -> dict[str, int]:
    mailboxes = summary["mailboxes"]
    assert isinstance(mailboxes, list)
    return {each["mailbox"]: each["auto_only"] for each in mailboxes}


def test_a_second_run_goes_on_from_the_first(store: Path) -> None:
    once = forwards(replay(SIEVE, "--store", store))
    assert sum(once.values()) > 0
    twice = forwards(replay(SIEVE, "--store", store))
    assert twice == {mailbox: 2 * count for mailbox, count in once.items()}


def test_a_capture_is_counted_once_when_asked_to_whatever_it_is_called(store: Path, tmp_path: Path) -> None:
    other = tmp_path / "other name.pcap"
    shutil.copy(SIEVE, other)
    first = forwards(replay(SIEVE, "--store", store, "--once"))
    ended = mailsensor("replay", other, "--store", store, "--once", *OURS)
    assert ended.status == 0
    assert "every capture was counted before" in ended.words
    assert str(SIEVE) in ended.words
    assert {row["mailbox"]: row["auto_only"] for row in rows(store)} == first


def test_what_was_counted_without_once_is_known_too(store: Path) -> None:
    replay(SIEVE, "--store", store)
    assert b"counted before" in mailsensor("replay", SIEVE, "--store", store, "--once", *OURS).err


def test_only_the_new_captures_of_a_folder_are_read(store: Path, tmp_path: Path) -> None:
    folder = tmp_path / "captures"
    folder.mkdir()
    shutil.copy(SIEVE, folder / "1.pcap")
    first = replay(folder, "--store", store, "--once")
    shutil.copy(ROOT / "pcaps" / "lab_virtual_alias" / "input.pcap", folder / "2.pcap")
    second = replay(folder, "--store", store, "--once")
    assert forwards(second).items() >= forwards(first).items()
    assert len(forwards(second)) == len(forwards(first)) + 1


def test_once_says_what_it_needs(store: Path) -> None:
    assert "--store FILE" in mailsensor("replay", SIEVE, "--once").words
    ended = mailsensor("replay", "-", "--store", store, "--once", stdin=SIEVE.read_bytes())
    assert ended.status == 1
    assert "standard input can't be known again" in ended.words


def test_an_alert_of_an_earlier_run_is_not_told_anew(store: Path, tmp_path: Path) -> None:
    told = tmp_path / "alerts.jsonl"
    replay(SIEVE, "--store", store, "--alerts", told)
    first = told.read_bytes().splitlines()
    assert {json.loads(line)["updates"] for line in first} == {0}
    replay(ROOT / "pcaps" / "lab_virtual_alias" / "input.pcap", "--store", store, "--alerts", told)
    lines = told.read_bytes().splitlines()
    assert lines[: len(first)] == first
    opened = [json.loads(line)["id"] for line in lines if json.loads(line)["updates"] == 0]
    assert len(opened) == len(set(opened))
    assert mailsensor("alerts", told, "--verify").status == 0


def test_records_and_alerts_can_not_share_standard_output() -> None:
    ended = mailsensor("replay", SIEVE, "--events", "-", "--alerts", "-")
    assert ended.status == 1
    assert "only one can have standard output" in ended.words


def test_reports_tell_mailboxes_destinations_and_alerts(store: Path) -> None:
    replay(SIEVE, "--store", store)
    (mailbox,) = rows(store)
    (destination,) = rows(store, "destinations")
    alerts = rows(store, "alerts")
    assert destination["by"] == mailbox["mailbox"]
    assert destination["forwards"] == mailbox["auto_only"]
    assert mailbox["mailbox"] in {alert["mailbox"] for alert in alerts}


def test_a_report_looks_back_as_far_as_asked(store: Path) -> None:
    replay(SIEVE, "--store", store)
    assert len(rows(store, "mailboxes", "--since", "1h")) == 1
    assert rows(store, "mailboxes", "--since", "2036-01-01") == []
    ended = mailsensor("report", "--store", store, "--since", "yesterday")
    assert ended.status == 1
    assert "write a day (2026-11-22)" in ended.words


def test_csv_has_a_heading_and_every_column(store: Path) -> None:
    replay(SIEVE, "--store", store)
    heading, row = list(csv.reader(io.StringIO(mailsensor("report", "--store", store, "--format", "csv").out.decode())))
    assert len(heading) == len(row)
    assert heading[0] == "mailbox"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("everything",), 'there is no report of "everything"; there are mailboxes, destinations, alerts'),
        (("--format", "xml"), "must be one of table, json, csv"),
    ],
)
def test_a_report_that_there_is_none_of_is_named(store: Path, arguments: tuple[str, ...], words: str) -> None:
    replay(SIEVE, "--store", store)
    ended = mailsensor("report", "--store", store, *arguments)
    assert ended.status == 1
    assert words in ended.words


def test_a_file_that_is_not_there_is_not_made_by_a_report(store: Path) -> None:
    ended = mailsensor("report", "--store", store)
    assert ended.status == 1
    assert "there is no such file" in ended.words
    assert not store.exists()
