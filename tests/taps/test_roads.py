"""
Mail that several taps see is one mail: one corpus by capture, relay, milter and journal, compared and counted together.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sensor.classify import Organisation, builtin_table
from sensor.detect.events import DetectorEvent
from sensor.ledger import Ledger
from sensor.pipeline import Pipeline
from sensor.taps.base import Batch
from sensor.taps.capture import CaptureTap, transaction_types
from sensor.taps.inline import InlineCore
from tests.builders import capture
from tests.craft.dialogue import Dialogue, lines
from tests.oracle.turns import talks_of
from tests.taps.journal.samples import report_mail
from tests.taps.journal.serving import serving

TABLE = builtin_table()
OURS = Organisation(["corp.example"])
START_NS = 1_767_225_600_000_000_000
LONG = "This line is the same in many mails of this kind, and long enough to be told apart by its digest.\r\n" * 4


@dataclass(frozen=True)
class Mail:
    """One mail of the corpus; ``original`` is whom it was sent on for."""

    name: str
    reverse_path: str
    forward_paths: tuple[str, ...]
    content: bytes
    original: str | None = None


def mail(
    name: str,
    reverse_path: str,
    to: Sequence[str],
    *fields: str,
    author: str | None = None,
    message_id: bool = True,
    dated: bool = True,
    body: str = LONG,
    original: str | None = None,
) -> Mail:
    head = [*fields, f"From: {author or reverse_path}", f"To: {to[0]}", f"Subject: {name}"]
    head += ["Date: Thu, 01 Jan 2026 00:00:00 +0000"] if dated else []
    head += [f"Message-ID: <{name.replace(' ', '.')}@mail.example>"] if message_id else []
    return Mail(name, reverse_path, tuple(to), lines(*head, "") + f"{name}\r\n{body}".encode(), original)


CORPUS = (
    mail("in", "sue@other.example", ["ann@corp.example"]),
    mail("to two", "sue@other.example", ["ann@corp.example", "eve@corp.example"]),
    mail("out", "ann@corp.example", ["sue@other.example"]),
    mail("within", "ann@corp.example", ["eve@corp.example"]),
    mail("report", "", ["ann@corp.example"], "Auto-Submitted: auto-replied", author="mailer-daemon@other.example"),
    mail("no id", "sue@other.example", ["eve@corp.example"], message_id=False, dated=False),
    mail("short, no id", "sue@other.example", ["eve@corp.example"], message_id=False, body=""),
    mail("out, no id", "eve@corp.example", ["sue@other.example"], message_id=False, body=""),
    mail("dots", "ann@corp.example", ["sue@other.example"], body=".\r\n..\r\n.x\r\n\r\n"),
    mail(
        "rule",
        "ann@corp.example",
        ["drop@evil.example"],
        "Resent-From: ann@corp.example",
        "X-MS-Exchange-Inbox-Rules-Loop: ann@corp.example",
        author="sue@other.example",
    ),
    mail("Fwd: by hand", "eve@corp.example", ["eve@home.example"]),
    mail("sent on", "sue@other.example", ["drop@evil.example"], original="eve@corp.example"),
)

Road = Callable[[Sequence[Mail], Path], Iterator[Batch]]


def by_capture(mails: Sequence[Mail], folder: Path) -> Iterator[Batch]:
    path = folder / "input.pcap"
    path.write_bytes(captured(mails))
    return CaptureTap([str(path)], TABLE.interest).batches()


def captured(mails: Sequence[Mail]) -> bytes:
    talk = Dialogue().greet()
    for each in mails:
        talk.c(f"MAIL FROM:<{each.reverse_path}>").s("250 2.1.0 Ok")
        for address in each.forward_paths:
            orcpt = f" ORCPT=rfc822;{each.original}" if each.original else ""
            talk.c(f"RCPT TO:<{address}>{orcpt}").s("250 2.1.5 Ok")
        talk.data(each.content, "250 2.0.0 Ok")
    return capture(talk.c("QUIT").s("221 2.0.0 Bye").flow()).octets


def by_relay(mails: Sequence[Mail], folder: Path) -> Iterator[Batch]:
    core = InlineCore(TABLE.interest)
    (talk,) = talks_of(captured(mails))
    session = core.open(client=talk.client, server=talk.server, at_ns=talk.began_ns)
    for turn in talk.turns:
        core.feed(session, turn.octets, from_client=turn.from_client, at_ns=turn.at_ns)
    core.close(session, at_ns=talk.ended_ns)
    yield core.take()


def by_milter(mails: Sequence[Mail], folder: Path) -> Iterator[Batch]:
    core = InlineCore(TABLE.interest)
    (talk,) = talks_of(captured(mails))
    for index, each in enumerate(mails):
        number = core.begin(
            at_ns=START_NS + index,
            session_at_ns=START_NS,
            transaction_index=index,
            client=talk.client,
            protocol="esmtp",
            helo="a.example",
            reverse_path=each.reverse_path,
            forward_paths=[
                (address, 250, "2.1.5", True, f"rfc822;{each.original}" if each.original else None)
                for address in each.forward_paths
            ],
        )
        for start in range(0, len(each.content), 100):
            core.content(number, each.content[start : start + 100])
        core.end(number, at_ns=START_NS + index, outcome="delivered", reply=(250, "2.0.0", "Ok"))
    yield core.take()


def by_journal(mails: Sequence[Mail], folder: Path) -> Iterator[Batch]:
    with serving(clock=lambda: START_NS) as served:
        for each in mails:
            note = f", Forwarded: {each.original}" if each.original else ""
            told = [f"Recipient: {address}{note}" for address in each.forward_paths]
            report = (f"Sender: {each.reverse_path}", f"Subject: {each.name}", "Message-Id: <x>", *told)
            assert served.send(report_mail(each.content, report), "")[0] == 250
    yield from served.batches


ROADS: dict[str, Road] = {"pcap": by_capture, "relay": by_relay, "milter": by_milter, "journal": by_journal}

# What a road can't know, or knows otherwise.
OWN = ("tap", "id", "started_at", "ended_at", "flow")
NOT_IN_A_JOURNAL = ("session", "reply")


def records(road: str, folder: Path) -> list[dict[str, Any]]:
    text = b"".join(batch.to_json_lines({}, b"{}", sensor="s", tap=road) for batch in ROADS[road](CORPUS, folder))
    return [json.loads(line) for line in text.splitlines()]


def shown(record: dict[str, Any], *, journalled: bool) -> dict[str, Any]:
    left = {key: value for key, value in record.items() if key not in OWN}
    if journalled:
        left = {key: value for key, value in left.items() if key not in NOT_IN_A_JOURNAL}
        left["forward_paths"] = [{**path, "reply_code": None} for path in left["forward_paths"]]
    return left


@pytest.mark.parametrize("road", ["relay", "milter", "journal"])
def test_a_mail_is_the_same_by_every_road(road: str, tmp_path: Path) -> None:
    """Header, digest, envelope and all that follows are equal; only what the road can't know differs."""
    journalled = road == "journal"
    seen = [shown(record, journalled=journalled) for record in records(road, tmp_path)]
    wanted = [shown(record, journalled=journalled) for record in records("pcap", tmp_path)]
    for one, other in zip(seen, wanted, strict=True):
        assert one == other


class Counting:
    """One ledger behind any number of taps."""

    def __init__(self) -> None:
        transaction_type, session_type = transaction_types()
        self.ledger = Ledger(watches=OURS.owns)
        self.pipeline = Pipeline(
            OURS, self.ledger, transaction_type=transaction_type, session_type=session_type, table=TABLE
        )
        self.events: list[DetectorEvent] = []

    def take(self, batch: Batch) -> None:
        self.events += self.pipeline.take(batch.tally(classify_all=True)).events

    def account(self) -> dict[str, Any]:
        """What each mailbox sent, received and forwarded."""
        self.events += self.pipeline.finish()
        counts: dict[str, Any] = {}
        for mailbox in ("ann@corp.example", "eve@corp.example"):
            account = self.ledger.account(mailbox)
            assert account is not None
            forwards = account.forwards
            counts[mailbox] = (
                0 if account.in_ is None else account.in_.total.mails,
                0 if account.out is None else account.out.total.mails,
                None if forwards is None else list(forwards.cells),
            )
        return counts

    def told(self) -> list[str]:
        """What detectors are told of, whatever tap saw it first."""
        return sorted(type(event).__name__ for event in self.events)


Seen = dict[str, list[Batch]]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """What each tap saw of the whole corpus."""
    folder = tmp_path_factory.mktemp("roads")
    return {name: list(road(CORPUS, folder)) for name, road in ROADS.items()}


def counted(*batches: Batch) -> Counting:
    counting = Counting()
    for batch in batches:
        counting.take(batch)
    return counting


@pytest.mark.parametrize("road", ROADS)
def test_one_road_counts_what_there_is(road: str, seen: Seen) -> None:
    account = counted(*seen[road]).account()
    assert account["ann@corp.example"][:2] == (3, 4)
    assert account["eve@corp.example"][:2] == (4, 3)


@pytest.mark.parametrize("order", list(itertools.permutations(ROADS)), ids="-".join)
def test_mail_seen_by_four_taps_is_counted_once(order: tuple[str, ...], seen: Seen) -> None:
    once, all_roads = counted(*seen["milter"]), counted(*(batch for road in order for batch in seen[road]))
    assert all_roads.account() == once.account()
    assert all_roads.told() == once.told()


def test_mail_that_taps_see_one_behind_the_other_is_counted_once(tmp_path: Path) -> None:
    """Each mail goes by all taps before the next one comes."""
    ways = [batch for each in CORPUS for road in ROADS.values() for batch in road([each], tmp_path)]
    once, all_roads = counted(*by_milter(CORPUS, tmp_path)), counted(*ways)
    assert all_roads.account() == once.account()
    assert all_roads.told() == once.told()
