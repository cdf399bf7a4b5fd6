"""Mail that the MTA queued and did not show: found in its log, however that is rotated and whoever was restarted."""

from __future__ import annotations

import io
import time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.log import Log
from sensor.settings import MilterSettings
from sensor.taps.base import TapError
from sensor.taps.milter.counts import Counts
from sensor.taps.milter.following import PIECE_OCTETS, Follower
from sensor.taps.milter.limits import Bounds
from sensor.taps.milter.logtime import logged_at_s
from sensor.taps.milter.reconcile import Reconciler, Unseen
from sensor.taps.milter.unseen import Watch

SYSLOG, RFC3339 = "Nov  2 07:37:27 mx ", "2026-11-22T07:37:27.859614+00:00 mx "


def line(queue_id: str, event: str, *, program: str = "postfix/smtpd", head: str = SYSLOG) -> bytes:
    return f"{head}{program}[18118]: {queue_id}: {event}".encode()


def taken(queue_id: str, **how: str) -> bytes:
    return line(queue_id, "client=unknown[127.0.0.1]", **how)


def queued(queue_id: str, **how: str) -> bytes:
    return line(queue_id, "from=<a@b.example>, size=1, nrcpt=1 (queue active)", program="postfix/qmgr", **how)


def unseen(reconciler: Reconciler, *lines: bytes) -> list[str]:
    return [each.queue_id for each in map(reconciler.read, lines) if each is not None and each.is_new]


# ---- the reconciler


@pytest.mark.parametrize("head", [SYSLOG, RFC3339])
@pytest.mark.parametrize("queue_id", ["4jXLWW65jDz1VrxJ", "0A1B2C3D4E"])
def test_a_mail_that_was_queued_and_not_shown_is_found_once(head: str, queue_id: str) -> None:
    lines = [taken(queue_id, head=head), queued(queue_id, head=head), queued(queue_id, head=head)]
    assert unseen(Reconciler(), *lines) == [queue_id]


def test_a_mail_that_was_shown_is_not_told_whichever_was_known_first() -> None:
    reconciler = Reconciler()
    reconciler.read(taken("4ZQ1x"))
    reconciler.show("4ZQ1x")
    reconciler.show("4ZQ2x")
    assert unseen(reconciler, taken("4ZQ2x"), queued("4ZQ1x"), queued("4ZQ2x")) == []
    assert reconciler.state() == ([], [])


@pytest.mark.parametrize(
    ("event", "program", "is_unseen"),
    [
        ("milter-hold: END-OF-MESSAGE from unknown[127.0.0.1]: milter triggers HOLD action", "postfix/cleanup", True),
        ("milter-reject: END-OF-MESSAGE from unknown[127.0.0.1]: 5.7.1 no", "postfix/cleanup", False),
        ("message-id=<x@y.example>", "postfix/cleanup", False),
        ("to=<b@c.example>, status=sent", "postfix/smtp", False),
        ("removed", "postfix/qmgr", False),
    ],
)
def test_held_mail_was_queued_and_refused_mail_was_not(event: str, program: str, is_unseen: bool) -> None:
    assert unseen(Reconciler(), taken("4ZQ1x"), line("4ZQ1x", event, program=program)) == ["4ZQ1x"] * is_unseen


def test_mail_that_nobody_was_to_show_is_not_awaited() -> None:
    """Bounces and mail that a content filter hands back have queue ids too."""
    assert unseen(Reconciler(), queued("4ZQ1x")) == []
    reconciler = Reconciler(["postfix/smtpd"])
    handed_back = taken("4ZQ2x", program="postfix/10025/smtpd")
    assert unseen(reconciler, handed_back, queued("4ZQ2x"), taken("4ZQ3x"), queued("4ZQ3x")) == ["4ZQ3x"]


def test_mail_of_local_programs_is_awaited() -> None:
    local = line("4ZQ1x", "uid=0 from=<root>", program="postfix/pickup")
    assert unseen(Reconciler(), local, queued("4ZQ1x")) == ["4ZQ1x"]


def test_the_words_of_a_stranger_are_no_log_line() -> None:
    """A Message-ID may hold what looks like a line, but it stands behind the program that wrote it."""
    forged = queued("4ZQ1x").decode()
    lines = [taken("4ZQ1x"), line("4ZQ9x", f"message-id=<{forged}>", program="postfix/cleanup")]
    assert unseen(Reconciler(), *lines) == []


@given(st.binary(max_size=200))
def test_any_line_is_read(octets: bytes) -> None:
    assert Reconciler().read(octets) is None


def test_ids_held_are_bounded_and_the_oldest_go_first() -> None:
    reconciler = Reconciler(bounds=Bounds({"milter_queue_ids": 3}))
    for number in range(5):
        reconciler.read(taken(f"4ZQ{number}x"))
        reconciler.show(f"5ZQ{number}x")
    assert reconciler.state() == (["4ZQ2x", "4ZQ3x", "4ZQ4x"], ["5ZQ2x", "5ZQ3x", "5ZQ4x"])
    assert reconciler.forgotten == 4


def delivered(queue_id: str, address: str, *, how: str = "") -> bytes:
    event = f"to=<{address}>, {how}relay=mx.example[192.0.2.1]:25, delay=1, status=sent (250 ok)"
    return line(queue_id, event, program="postfix/smtp")


def removed(queue_id: str) -> bytes:
    return line(queue_id, "removed", program="postfix/qmgr")


def told_of(reconciler: Reconciler, *lines: bytes) -> list[Unseen]:
    return [each for each in map(reconciler.read, lines) if each is not None]


def test_who_sent_and_who_got_a_mail_that_passed_unseen_is_told_once_each() -> None:
    original = delivered("4ZQ1x", "Bob@c.example", how="orig_to=<team@c.example>, ")
    lines = [taken("4ZQ1x"), queued("4ZQ1x"), original, original, queued("4ZQ1x"), removed("4ZQ1x"), original]
    assert told_of(Reconciler(), *lines) == [
        Unseen("4ZQ1x", True, ("a@b.example",)),
        Unseen("4ZQ1x", False, ("bob@c.example", "team@c.example")),
    ]


def test_of_mail_that_was_held_the_sender_is_told_when_it_goes_on() -> None:
    held = line("4ZQ1x", "milter-hold: END-OF-MESSAGE from unknown[127.0.0.1]: held", program="postfix/cleanup")
    assert told_of(Reconciler(), taken("4ZQ1x"), held, queued("4ZQ1x")) == [
        Unseen("4ZQ1x", True),
        Unseen("4ZQ1x", False, ("a@b.example",)),
    ]


@pytest.mark.parametrize("address", ["", "root", '"a> b"@c.example', "a@b>, size=9, to=<c@d", "x" * 400 + "@c.example"])
def test_what_is_no_plain_address_is_nobody_s(address: str) -> None:
    lines = [taken("4ZQ1x"), queued("4ZQ1x"), delivered("4ZQ1x", address)]
    assert told_of(Reconciler(), *lines) == [Unseen("4ZQ1x", True, ("a@b.example",))]


def test_whose_mail_was_shown_is_nobody_s_business() -> None:
    reconciler = Reconciler()
    reconciler.show("4ZQ1x")
    assert told_of(reconciler, taken("4ZQ1x"), queued("4ZQ1x"), delivered("4ZQ1x", "b@c.example")) == []


def test_mailboxes_of_a_mail_and_mails_under_way_are_bounded_and_what_is_left_out_counted() -> None:
    reconciler = Reconciler(bounds=Bounds({"milter_unseen_mailboxes": 3, "milter_unseen_mails": 2}))
    addresses = [f"b{number}@c.example" for number in range(5)]
    lines = [taken("4ZQ1x"), queued("4ZQ1x"), *(delivered("4ZQ1x", each) for each in addresses)]
    assert sum(len(each.mailboxes) for each in told_of(reconciler, *lines)) == 3
    assert (reconciler.mailboxes_dropped, reconciler.forgotten) == (3, 0)
    told_of(reconciler, taken("4ZQ2x"), queued("4ZQ2x"), taken("4ZQ3x"), queued("4ZQ3x"))
    assert (list(reconciler.passed()), reconciler.forgotten) == (["4ZQ2x", "4ZQ3x"], 1)


# ---- times of lines

NOW_S = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        ("2026-02-28T23:59:59.5+00:00", "2026-02-28T23:59:59.5+00:00"),
        ("2026-03-01T01:00:00+02:00", "2026-02-28T23:00:00+00:00"),
        ("Mar  1 11:00:00", "2026-03-01T11:00:00+00:00"),
        ("Mar  1 13:00:00", "2026-03-01T12:00:00+00:00"),  # ahead of us: now
        ("Dec 31 23:00:00", "2025-12-31T23:00:00+00:00"),  # of last year
        ("Feb 30 23:00:00", "2026-03-01T12:00:00+00:00"),  # no time: now
        ("2026-13-01T01:00:00", "2026-03-01T12:00:00+00:00"),
        ("", "2026-03-01T12:00:00+00:00"),
    ],
)
def test_a_line_is_of_the_time_that_it_begins_with(stamp: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    assert logged_at_s(f"{stamp} mx postfix".encode(), NOW_S) == datetime.fromisoformat(expected).timestamp()


@given(st.binary(max_size=80))
def test_any_line_has_a_time_that_is_not_to_come(octets: bytes) -> None:
    assert logged_at_s(octets, NOW_S) <= NOW_S


@given(st.data())
def test_found_are_those_that_were_taken_and_queued_and_not_shown(data: st.DataObject) -> None:
    """Against the definition itself, in any order in which log and sensor can tell of the mails."""
    mails = {
        f"4ZQ{number}x": data.draw(st.tuples(st.booleans(), st.booleans()))
        for number in range(data.draw(st.integers(0, 8)))
    }
    steps: list[tuple[float, str, str]] = []
    for queue_id, (is_shown, is_queued) in mails.items():
        times = sorted(data.draw(st.lists(st.floats(0, 1), min_size=3, max_size=3)))
        steps.append((times[0], "taken", queue_id))
        # The sensor answers before the mail is queued, and may do so before its first line is read.
        steps += [(data.draw(st.floats(0, times[1])), "shown", queue_id)] * is_shown
        steps += [(times[2] + 1, "queued", queue_id)] * is_queued
    reconciler, found = Reconciler(), []
    for _, step, queue_id in sorted(steps, key=lambda each: each[0]):
        if step == "shown":
            reconciler.show(queue_id)
        else:
            found += unseen(reconciler, taken(queue_id) if step == "taken" else queued(queue_id))
    assert sorted(found) == [each for each, (is_shown, is_queued) in mails.items() if is_queued and not is_shown]


# ---- the log


def append(path: Path, *lines: bytes) -> None:
    with path.open("ab") as file:
        file.write(b"".join(each + b"\n" for each in lines))


def read(follower: Follower) -> list[bytes]:
    lines = follower.lines()
    while follower.is_behind:
        lines += follower.lines()
    return lines


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "mail.log"
    append(path, b"old")
    return path


def test_lines_are_read_from_now_on_as_they_become_whole(log: Path) -> None:
    follower = Follower(str(log))
    assert read(follower) == []
    append(log, b"one", b"two")
    with log.open("ab") as file:
        file.write(b"thr")
    assert read(follower) == [b"one", b"two"]
    append(log, b"ee")
    assert read(follower) == [b"three"]
    follower.close()


def test_a_log_that_was_renamed_is_read_to_its_end_and_then_the_new_one(log: Path) -> None:
    follower = Follower(str(log))
    append(log, b"one")
    old = log.rename(log.with_name("mail.log.1"))
    assert read(follower) == [b"one"]
    append(old, b"two")  # a process that has the file open still
    assert read(follower) == [b"two"]
    append(old, b"three")
    append(log, b"four")
    assert read(follower) == [b"three", b"four"]
    append(log, b"five")
    assert read(follower) == [b"five"]
    follower.close()


def test_a_log_that_was_cut_short_is_read_from_its_beginning(log: Path) -> None:
    append(log, b"x" * 100)
    follower = Follower(str(log))
    log.write_bytes(b"")
    append(log, b"one")
    assert read(follower) == [b"one"]
    follower.close()


def test_a_log_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    follower = Follower(str(path))
    assert read(follower) == []
    append(path, b"one")
    assert read(follower) == [b"one"]
    follower.close()


@pytest.mark.parametrize("is_renamed", [False, True])
def test_who_comes_back_goes_on_where_it_was(log: Path, is_renamed: bool) -> None:
    first = Follower(str(log))
    append(log, b"one", b"two")
    assert read(first) == [b"one", b"two"]
    place = first.place()
    first.close()
    append(log, b"three")
    if is_renamed:
        log.rename(log.with_name("mail.log.1"))
        append(log, b"four")
    second = Follower(str(log), place)
    assert read(second) == [b"three"] + [b"four"] * is_renamed
    second.close()


def test_where_the_log_is_gone_the_one_that_there_is_is_read_whole(log: Path) -> None:
    first = Follower(str(log))
    place = first.place()
    first.close()
    kept = log.rename(log.with_name("kept"))
    append(log, b"new")
    second = Follower(str(log), place)
    assert read(second) == [b"new"]
    second.close()
    kept.unlink()


def test_a_line_without_end_is_looked_at_in_part_and_passed_over(log: Path) -> None:
    follower = Follower(str(log))
    append(log, b"x" * (3 * PIECE_OCTETS), b"next")
    assert read(follower) == [b"x" * 16_384, b"next"]
    assert follower.lines_cut == 1
    follower.close()


@given(st.lists(st.binary(max_size=30).map(lambda octets: octets.replace(b"\n", b"")), max_size=20), st.data())
def test_lines_do_not_depend_on_how_they_were_written(lines: list[bytes], data: st.DataObject) -> None:
    octets = b"".join(each + b"\n" for each in lines)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(octets)), max_size=6)))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "mail.log"
        path.touch()
        follower, found = Follower(str(path)), []
        for a, b in zip([0, *cuts], [*cuts, len(octets)], strict=True):
            with path.open("ab") as file:
                file.write(octets[a:b])
            found += read(follower)
        follower.close()
    assert found == lines


# ---- both together, across restarts


def watch(log: Path, told: io.StringIO, *, keeps: bool = True) -> tuple[Watch, Counts]:
    state = str(log.with_name("state.json")) if keeps else ""
    counts = Counts()
    return Watch(MilterSettings(log_path=str(log), log_state=state), counts, Log(told)), counts


def test_mail_that_passed_while_the_sensor_was_away_is_found(log: Path) -> None:
    told = io.StringIO()
    first, counts = watch(log, told)
    append(log, taken("4ZQ1x"), taken("4ZQ2x"))
    first.show("4ZQ1x")
    first.show("4ZQ3x")
    first.finish()
    first.close()
    assert counts.mails_unseen == 0
    append(log, taken("4ZQ3x"), queued("4ZQ1x"), queued("4ZQ2x"), queued("4ZQ3x"), taken("4ZQ4x"), queued("4ZQ4x"))
    second, counts = watch(log, told)
    second.finish()
    second.close()
    assert counts.mails_unseen == 2
    assert told.getvalue() == "warning mails_unseen mails=2 first=4ZQ2x in_all=2\n"
    missed = second.missed.take()
    assert [(each.why, each.mails, each.mailboxes) for each in missed] == [("unshown", 1, ("a@b.example",))] * 2
    assert second.missed.take() == []


def test_recipients_that_are_logged_behind_a_restart_are_told(log: Path) -> None:
    first, _ = watch(log, io.StringIO())
    append(log, taken("4ZQ1x"), queued("4ZQ1x"))
    first.finish()
    first.close()
    assert b"example" not in log.with_name("state.json").read_bytes(), "it names nobody"
    append(log, delivered("4ZQ1x", "b@c.example"), queued("4ZQ1x"), removed("4ZQ1x"))
    second, counts = watch(log, io.StringIO())
    second.finish()
    second.close()
    assert [(each.mails, each.mailboxes) for each in second.missed.take()] == [(0, ("b@c.example",))]
    assert counts.mails_unseen == 0


def test_what_the_bounds_leave_out_of_a_log_is_counted(log: Path) -> None:
    bounds = Bounds({"milter_log_line_octets": 100, "milter_unseen_waiting": 1, "milter_queue_ids": 1})
    counts = Counts()
    watching = Watch(MilterSettings(log_path=str(log)), counts, Log(io.StringIO()), bounds)
    append(log, b"x" * 300_000, taken("4ZQ1x"), queued("4ZQ1x"), taken("4ZQ2x"), queued("4ZQ2x"))
    append(log, delivered("4ZQ2x", "b@c.example"), taken("4ZQ3x"), taken("4ZQ4x"))
    watching.finish()
    watching.close()
    assert [(each.mails, each.mailboxes) for each in watching.missed.take()] == [(1, ("a@b.example",)), (1, ())]
    assert (counts.mails_unseen, counts.unseen_mailboxes_dropped) == (2, 2)
    assert (counts.log_lines_cut, counts.queue_ids_forgotten) == (1, 1)


def test_without_a_state_only_what_is_logged_from_now_on_counts(log: Path) -> None:
    append(log, taken("4ZQ1x"), queued("4ZQ1x"))
    watching, counts = watch(log, io.StringIO(), keeps=False)
    append(log, queued("4ZQ1x"), taken("4ZQ2x"), queued("4ZQ2x"))
    watching.finish()
    watching.close()
    assert counts.mails_unseen == 1


@pytest.mark.parametrize("octets", [b"", b"{}", b"nonsense", b'{"device":"x"}'])
def test_a_state_that_can_not_be_read_is_told_and_begun_anew(log: Path, octets: bytes) -> None:
    log.with_name("state.json").write_bytes(octets)
    told = io.StringIO()
    watching, _ = watch(log, told)
    watching.finish()
    watching.close()
    assert "warning log_state_not_read" in told.getvalue()
    again, _ = watch(log, again_told := io.StringIO())
    again.finish()
    again.close()
    assert again_told.getvalue() == ""


def test_a_log_that_can_not_be_read_is_an_error_at_the_start_and_a_line_later(log: Path) -> None:
    with pytest.raises(TapError, match="the log can't be read: Is a directory"):
        watch(log.parent, io.StringIO())
    told = io.StringIO()
    watching, _ = watch(log, told)
    log.rename(log.with_name("mail.log.1"))
    log.mkdir()
    for _ in range(3):
        watching.turn()
    assert told.getvalue().count("log_not_followed") == 1
    watching.finish()
    watching.close()


def test_a_state_that_can_not_be_kept_is_told(log: Path) -> None:
    told = io.StringIO()
    settings = MilterSettings(log_path=str(log), log_state=str(log.parent / "no" / "state"))
    watching = Watch(settings, Counts(), Log(told))
    watching.finish()
    watching.close()
    assert 'why="No such file or directory"' in told.getvalue()
