"""What is watched for by Message-ID is kept when it comes, and nothing that a stranger sends takes its place."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from sensor import recent
from sensor.recent import WATCHED_RECORDS, WATCHED_S, WATCHES, WatchedRecords
from tests.mails import Batch, Header, Mail


class Clock:
    """Seconds that the test sets."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture(autouse=True)
def plain_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mails of these tests are no records; their ids are all that is looked at."""

    def record_of(transaction: Mail, *_: object, **__: object) -> Any:
        return transaction

    monkeypatch.setattr(recent, "record_of", record_of)


def mail(name: str, message_id: str | None) -> Mail:
    return replace(Mail(id=name), header=Header(message_id=message_id))


def watching(clock: Clock | None = None) -> WatchedRecords:
    return WatchedRecords(lambda record: {"id": record.id}, clock or Clock())  # type: ignore[arg-type,return-value]


def come(watched: WatchedRecords, *mails: Mail, tap: Any = "relay") -> None:
    watched.take(Batch(list(mails)).tally(classify_all=False), {}, sensor="here", tap=tap)


def ids(watched: WatchedRecords, message_id: str) -> list[str]:
    return [json.loads(each)["id"] for each in watched.ask(message_id)]


def test_only_what_was_asked_for_before_is_kept() -> None:
    watched = watching()
    come(watched, mail("early", "a@corp.example"))
    assert ids(watched, "a@corp.example") == []
    come(watched, mail("t1", "a@corp.example"), mail("t2", "b@corp.example"), mail("t3", None))
    assert ids(watched, "a@corp.example") == ["t1"]
    assert ids(watched, "b@corp.example") == []


def test_each_tap_shows_the_mail_once() -> None:
    watched = watching()
    watched.ask("a")
    for tap in ("live", "relay", "relay"):
        come(watched, mail("t1", "a"), tap=tap)
    assert ids(watched, "a") == ["t1", "t1"]


def test_a_flood_takes_no_more_places_than_there_are_and_pushes_nothing_out() -> None:
    watched = watching()
    watched.ask("a")
    come(watched, mail("first", "a"))
    come(watched, *(mail(f"t{number}", "a") for number in range(2 * WATCHED_RECORDS)))
    come(watched, *(mail(f"u{number}", f"{number}") for number in range(5_000)))
    assert ids(watched, "a")[0] == "first"
    assert len(ids(watched, "a")) == WATCHED_RECORDS


def test_the_message_id_asked_for_least_lately_gives_way() -> None:
    watched = watching()
    for number in range(WATCHES):
        watched.ask(str(number))
    watched.ask("0")
    watched.ask("one more")
    come(watched, mail("t0", "0"), mail("t1", "1"))
    assert ids(watched, "0") == ["t0"]
    assert ids(watched, "1") == []


def test_a_watch_ends_unless_somebody_asks_again() -> None:
    clock = Clock()
    watched = watching(clock)
    watched.ask("a")
    watched.ask("b")
    clock.now_s = WATCHED_S - 1
    watched.ask("b")
    clock.now_s = WATCHED_S
    come(watched, mail("t1", "a"), mail("t2", "b"))
    assert ids(watched, "a") == []
    assert ids(watched, "b") == ["t2"]
