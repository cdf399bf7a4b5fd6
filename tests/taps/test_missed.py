"""Mail that passed a tap in line and is in no record reaches the analysis: once each, with whose it was where known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from sensor.classify import Organisation, builtin_table
from sensor.inline.judge import Judge
from sensor.model import Missed, MissedWhy, TapName
from sensor.settings import InlineSettings, MilterSettings, RelaySettings
from sensor.tally import PlainTally, missed_in
from sensor.taps.base import Batch
from sensor.taps.inline import InlineCore, InlineTap
from sensor.taps.milter.tap import MilterTap
from sensor.taps.missed import MissedBatch, MissedMails, MissedSoFar
from sensor.taps.relay.observer import Observer
from sensor.taps.relay.tap import RelayTap

HERE = ("192.0.2.1", 1), ("192.0.2.2", 25)


def missed(mails: int = 1, *mailboxes: str, why: MissedWhy = "unshown") -> Missed:
    return Missed(at_ms=7, why=why, mails=mails, mailboxes=mailboxes)


def told(batches: Iterator[Batch]) -> list[tuple[str, int]]:
    """Why and how many, of all batches to the end."""
    return [
        (each.why, each.mails)
        for batch in batches
        if isinstance(batch, MissedBatch)
        for each in missed_in(batch.tally(classify_all=True))
    ]


def test_counts_are_told_by_what_they_grew() -> None:
    so_far = MissedSoFar(clock=lambda: 7)
    assert list(so_far.news({"dropped": 0})) == []
    assert list(so_far.news({"dropped": 3, "unread": 1})) == [missed(3, why="dropped"), missed(1, why="unread")]
    assert list(so_far.news({"dropped": 3, "unread": 2})) == [missed(1, why="unread")]


def test_mails_beyond_the_bound_are_told_by_their_number() -> None:
    mails = MissedMails(2)
    for each in (missed(1, "a@x"), missed(0, "b@x"), missed(1, "c@x"), missed(0, "d@x"), missed(1)):
        mails.add(each)
    assert mails.take() == [missed(1, "a@x"), missed(0, "b@x"), missed(2)]
    assert mails.dropped == 2
    assert mails.take() == []


def test_a_batch_of_them_holds_no_mail_and_no_record() -> None:
    batch = MissedBatch([missed(2, "a@x")])
    drawn = batch.tally(classify_all=True)
    assert (len(batch), list(batch), batch.to_json_lines({}, b"", sensor="s", tap="milter")) == (0, [], b"")
    assert (drawn.events, drawn.missed) == (0, (missed(2, "a@x"),))
    assert missed_in(PlainTally()) == ()


class Loop(InlineTap):
    """Runs what it is given, and ends."""

    def __init__(self, core: InlineCore) -> None:
        super().__init__(core)

    @property
    def name(self) -> TapName:
        return "relay"

    def stop(self) -> None:
        pass


def test_what_the_core_does_not_follow_or_has_no_room_for_is_told() -> None:
    core = InlineCore(builtin_table().interest, limits={"inline_sessions": 1, "inline_events": 1})
    tap = Loop(core)

    def loop() -> None:
        for number in range(3):
            core.end(core.begin(at_ns=number), at_ns=number, outcome="delivered")
        core.begin(at_ns=9)
        with pytest.raises(OverflowError):
            core.begin(at_ns=9)

    tap.run(loop)
    assert sorted(told(tap.batches())) == [("dropped", 2), ("unread", 1)]


class BrokenCore:
    """Opens a session and takes nothing."""

    def open(self, **_: object) -> int:
        return 1

    def feed(self, *_: object, **__: object) -> None:
        raise RuntimeError

    def close(self, *_: object, **__: object) -> None:
        pass


def test_a_session_that_a_relay_had_to_give_up_is_told() -> None:
    settings, inline = RelaySettings(listen="127.0.0.1:0", next_hop="127.0.0.1:9"), InlineSettings()
    table = builtin_table()
    tap = RelayTap(settings, table.interest, judge=Judge(table, Organisation([]), inline), inline=inline)
    view = Observer(BrokenCore(), None, tap.counts).open(*HERE)  # type: ignore[arg-type] # as much of it as is used
    view.seen(b"220 x\r\n", from_client=False)
    view.seen(b"250 x\r\n", from_client=False)
    assert [(each.why, each.mails) for each in tap.missed()] == [("unread", 1)]
    assert list(tap.missed()) == []
    for each in tap._server.sockets:  # noqa: SLF001 - it never serves, and closes them when it has
        each.close()


def milter(folder: Path, *, log_path: str = "", limits: Mapping[str, int] | None = None) -> MilterTap:
    table, inline = builtin_table(), InlineSettings()
    settings = MilterSettings(listen=(f"unix:{folder}/s",), log_path=log_path)
    judge = Judge(table, Organisation([]), inline)
    return MilterTap(settings, InlineCore(table.interest), judge, limits=limits, close=judge.close)


def test_a_milter_without_a_log_counts_a_mail_for_each_mta_that_went_on_without_it(tmp_path: Path) -> None:
    tap = milter(tmp_path)
    counts = tap._counts  # noqa: SLF001 - who counts them needs an MTA
    counts.connections_refused, counts.failures, counts.mails_unrecorded = 2, 1, 4
    assert [(each.why, each.mails) for each in tap.missed()] == [("unread", 4), ("unshown", 3)]
    assert list(tap.missed()) == []
    tap.discard()


def test_a_milter_with_a_log_counts_what_that_tells(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    log.touch()
    tap = milter(tmp_path, log_path=str(log))
    counts = tap._counts  # noqa: SLF001 - who counts them needs an MTA
    counts.connections_refused, counts.failures = 2, 1
    head = "Nov  2 07:37:27 mx postfix/"
    log.write_text(
        f"{head}smtpd[1]: 4ZQ1x: client=unknown[192.0.2.1]\n"
        f"{head}qmgr[1]: 4ZQ1x: from=<a@b.example>, size=1, nrcpt=1 (queue active)\n"
    )
    watch = tap._watch  # noqa: SLF001 - it runs on the loop else
    assert watch is not None
    watch.turn()
    assert [(each.why, each.mails, each.mailboxes) for each in tap.missed()] == [("unshown", 1, ("a@b.example",))]
    tap.discard()
