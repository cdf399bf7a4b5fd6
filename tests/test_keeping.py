"""What runs keep between them, as a user meets it: --store, --once, and the reports from what was kept."""

import csv
import io
import json
import random
import shutil
import signal
import sqlite3
import subprocess
from pathlib import Path

import pytest

from sensor.database import Database
from tests.running import COMMAND, ROOT, environment, mailsensor
from tests.waiting import until

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


def test_alerts_are_shown_from_what_was_kept(store: Path, tmp_path: Path) -> None:
    told = tmp_path / "alerts.jsonl"
    for _ in range(2):
        replay(SIEVE, "--store", store, "--alerts", told)
    (alert, *_) = rows(store, "alerts")
    for options in ((), ("--show", alert["id"]), ("--mailbox", alert["mailbox"])):
        from_file = mailsensor("alerts", told, *map(str, options))
        from_store = mailsensor("alerts", store, *map(str, options))
        assert (from_store.status, sorted(from_store.out.splitlines())) == (0, sorted(from_file.out.splitlines()))
    assert "All evidence is as it was written." in mailsensor("alerts", store, "--verify").words


def test_a_report_looks_back_as_far_as_asked(store: Path) -> None:
    replay(SIEVE, "--store", store)
    assert len(rows(store, "mailboxes", "--since", "1h")) == 1
    assert rows(store, "mailboxes", "--since", "2036-01-01") == []
    ended = mailsensor("report", "--store", store, "--since", "yesterday")
    assert ended.status == 1
    assert "write a day (2026-11-22)" in ended.words


def test_a_report_of_nothing_says_of_what_there_is_nothing(store: Path) -> None:
    """A bare heading could be a table that was cut off."""
    replay(SIEVE, "--store", store)
    for subject, words in (
        ("mailboxes", "No mailbox forwarded mail since 2036-01-01 00:00 UTC; the latest mail is of 2026-"),
        ("destinations", "No mail was forwarded since 2036-01-01"),
        ("alerts", "No alert was told since 2036-01-01"),
    ):
        ended = mailsensor("report", subject, "--store", store, "--since", "2036-01-01")
        assert words in ended.words
        assert "SINCE" not in ended.words
    replay(ROOT / "pcaps" / "other_http", "--store", store.with_name("empty.db"))
    ended = mailsensor("report", "--store", store.with_name("empty.db"))
    assert ended.words.strip() == "No mailbox forwarded mail; no mail was seen."


def test_a_table_says_how_far_what_was_seen_goes_and_where_mail_went(store: Path) -> None:
    replay(SIEVE, "--store", store)
    ended = mailsensor("report", "--store", store)
    assert "In TLS no session" in ended.words
    assert f" {rows(store)[0]['to']}" in ended.words


def test_the_incident_report_is_made_from_what_was_kept(store: Path, tmp_path: Path) -> None:
    """As of a replay that reads the same captures, but for what only the run knows."""
    replay(SIEVE, "--store", store, "--report", tmp_path / "run.html")
    ended = mailsensor("report", "--store", store, "--format", "html")
    assert ended.status == 0
    of_run, of_store = (tmp_path / "run.html").read_text(), ended.out.decode()
    assert str(SIEVE) in of_store
    assert str(rows(store)[0]["mailbox"]) in of_store
    differs = [line for line in of_store.splitlines() if line not in of_run.splitlines()]
    assert len(differs) < 8, differs
    for options in (("alerts",), ("--since", "7d"), ("--top", "3")):
        refused = mailsensor("report", *options, "--store", store, "--format", "html")
        assert (refused.status, refused.out) == (1, b"")
        assert "one page of all that was kept" in refused.words


def test_csv_has_a_heading_and_every_column(store: Path) -> None:
    replay(SIEVE, "--store", store)
    heading, row = list(csv.reader(io.StringIO(mailsensor("report", "--store", store, "--format", "csv").out.decode())))
    assert len(heading) == len(row)
    assert heading[0] == "mailbox"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("everything",), 'there is no report of "everything"; there are mailboxes, destinations, alerts'),
        (("--format", "xml"), "must be one of table, json, csv, html"),
    ],
)
def test_a_report_that_there_is_none_of_is_named(store: Path, arguments: tuple[str, ...], words: str) -> None:
    replay(SIEVE, "--store", store)
    ended = mailsensor("report", "--store", store, *arguments)
    assert ended.status == 1
    assert words in ended.words


def test_a_directory_is_no_store_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    (tmp_path / "stores").mkdir()
    for command in (("replay", SIEVE), ("report",), ("alerts",)):
        where = ("--store", tmp_path / "stores") if command[0] != "alerts" else (tmp_path / "stores",)
        ended = mailsensor(*command, *where)
        assert ended.status == 1
        assert "directory" in ended.words
    assert [each.name for each in tmp_path.iterdir()] == ["stores"]


def test_a_file_that_is_not_there_is_not_made_by_a_report(store: Path) -> None:
    ended = mailsensor("report", "--store", store)
    assert ended.status == 1
    assert "there is no such file" in ended.words
    assert not store.exists()


# ---- what can happen to a run and to its file


def content(store: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(store) as connection:
        rows = connection.execute("SELECT kind, key, blob FROM state ORDER BY kind, key").fetchall()
    connection.close()
    return rows


def test_copies_of_one_capture_in_a_folder_are_counted_once(store: Path, tmp_path: Path) -> None:
    folder = tmp_path / "captures"
    folder.mkdir()
    shutil.copy(SIEVE, folder / "1.pcap")
    shutil.copy(SIEVE, folder / "2.pcap")
    summary = replay(folder, "--store", store, "--once")
    assert forwards(summary) == forwards(replay(SIEVE))
    assert "2.pcap: counted before as" in str(summary["counted_before"])


def test_of_many_captures_counted_before_a_few_are_named(store: Path, tmp_path: Path) -> None:
    folder = tmp_path / "captures"
    folder.mkdir()
    for number in range(12):
        shutil.copy(SIEVE, folder / f"{number}.pcap")
    replay(folder, "--store", store, "--once")
    ended = mailsensor("replay", folder, "--store", store, "--once", *OURS)
    assert len(ended.err.splitlines()) == 7
    assert "and 7 more captures before" in ended.words


def test_a_second_run_on_one_file_is_refused_and_harms_nothing(store: Path) -> None:
    replay(SIEVE, "--store", store)
    before = content(store)
    with Database(str(store)):
        ended = mailsensor("replay", SIEVE, "--store", store, *OURS)
    assert ended.status == 1
    assert "another mailsensor" in ended.words
    assert content(store) == before


def test_a_run_that_is_killed_leaves_nothing_and_the_next_counts_all(store: Path, tmp_path: Path) -> None:
    told = tmp_path / "alerts.jsonl"
    pipe = subprocess.Popen(
        [*COMMAND, "replay", SIEVE, "-", "--store", store, "--alerts", told, *OURS, "--quiet"],
        stdin=subprocess.PIPE,
        env=environment(),
    )
    until(told.exists, "its file of alerts")
    # It waits for standard input, with both files open.
    pipe.send_signal(signal.SIGKILL)
    pipe.communicate(timeout=30)
    assert content(store) == []
    assert forwards(replay(SIEVE, "--store", store, "--once", "--alerts", told)) == forwards(replay(SIEVE))
    assert mailsensor("alerts", told, "--verify").status == 0


def test_alerts_of_a_run_that_was_killed_and_done_again_are_one_history(store: Path, tmp_path: Path) -> None:
    """The alerts were written, the states were not: the next run tells the same again."""
    told, lost = tmp_path / "alerts.jsonl", tmp_path / "lost.db"
    replay(SIEVE, "--store", lost, "--alerts", told)
    replay(SIEVE, "--store", store, "--alerts", told)
    assert "All evidence is as it was written." in mailsensor("alerts", told, "--verify").words


def test_a_full_disk_at_the_end_leaves_the_file_and_prints_the_summary(store: Path, tmp_path: Path) -> None:
    replay(SIEVE, "--store", store)
    before = content(store)
    # A limit on the size of files stands in for a disk without room: what is there fits, more does not.
    limit = f"--fsize={store.stat().st_size + 1_000}"
    ended = mailsensor("replay", ROOT / "pcaps", "--store", store, *OURS, before=("prlimit", limit))
    assert ended.status == 1
    assert "The file is as it was before this save" in ended.words
    assert "nothing of this run was kept" in ended.words
    assert "look auto-forwarded" in ended.words
    assert content(store) == before


def test_a_file_of_a_newer_version_ends_the_run_before_it_begins(store: Path) -> None:
    replay(SIEVE, "--store", store)
    with sqlite3.connect(store) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    ended = mailsensor("replay", SIEVE, "--store", store, *OURS)
    assert ended.status == 1
    assert "was written by a newer mailsensor" in ended.words
    assert ended.out == b""


def test_damaged_states_cost_themselves_and_are_told(store: Path) -> None:
    replay(SIEVE, "--store", store)
    with sqlite3.connect(store) as connection:
        connection.execute("UPDATE state SET blob = x'00' || substr(blob, 2) WHERE kind = 'detector/new_forwarder'")
    connection.close()
    ended = mailsensor("replay", SIEVE, "--store", store, *OURS, "--json")
    assert ended.status == 3
    assert "state_damaged" in ended.words
    assert "kind=detector/new_forwarder" in ended.words
    assert sum(forwards(json.loads(ended.out)).values()) == 2
    assert mailsensor("replay", SIEVE, "--store", store, *OURS).status == 0


def test_octets_that_a_disk_turned_end_no_run_in_a_traceback(store: Path, tmp_path: Path) -> None:
    replay(SIEVE, "--store", store)
    octets = store.read_bytes()
    rng = random.Random(4)  # noqa: S311 - the same harm on every run
    for number in range(12):
        harmed = bytearray(octets)
        for _ in range(8):
            harmed[rng.randrange(100, len(harmed))] ^= 1 << rng.randrange(8)
        path = tmp_path / f"{number}.db"
        path.write_bytes(harmed)
        ended = mailsensor("report", "--store", path)
        assert ended.status in (0, 1, 3)
        assert b"Traceback" not in ended.err


def test_the_domains_of_an_earlier_run_stay_ours_and_others_are_told(store: Path) -> None:
    replay(SIEVE, "--store", store)
    again = mailsensor("replay", SIEVE, "--store", store, "--json")
    assert json.loads(again.out)["inferred_domains"] == ["corp.example"]
    assert b"internal_domains_differ" not in again.err
    other = mailsensor("replay", SIEVE, "--store", store, "--internal-domain", "other.example", "--quiet")
    assert "internal_domains_differ" in other.words
    assert "kept=corp.example now=other.example" in other.words


def test_one_mail_of_an_absurd_time_ends_no_window_of_the_report(store: Path) -> None:
    replay(SIEVE, ROOT / "pcaps" / "tcp_one_time_far_ahead" / "input.pcap", "--store", store)
    assert [row["forwards_7d"] for row in rows(store)] == [1]
    replay(SIEVE, "--store", store)
    assert {row["status"] for row in rows(store, "alerts")} == {"firing"}
