"""The simulation: it repeats, it is the same on the wire, and detectors stay above what they once reached."""

from dataclasses import fields
from itertools import islice
from pathlib import Path

import pytest

from benchmarks.detection import captures, copies
from benchmarks.detection.__main__ import run, seeds_of
from benchmarks.detection.alarms import Alarm, AllowList
from benchmarks.detection.baselines import AnyAutoForward, AnyForward, SharedDestination, Volume
from benchmarks.detection.chance import DAY_MS, HOUR_MS, START_MS, chance, day_of
from benchmarks.detection.desk import DOMAINS, OURS, keep, kept, minutes_of
from benchmarks.detection.intruders import KINDS, Case, placed_intruders
from benchmarks.detection.mails import Sight, TlsSight, date_of, octets_of
from benchmarks.detection.organisation import Allowed, Legitimate, drawn_organisation
from benchmarks.detection.people import Rule
from benchmarks.detection.score import Scorer, spread
from benchmarks.detection.services import from_outside
from benchmarks.detection.traffic import Traffic, Wire
from sensor.classify import Organisation, classify
from sensor.detect.events import Cell, ForwardSeen
from sensor.model import Kind
from tests import mails as test_mails

CORP = Organisation(DOMAINS)


def traffic(seed: int, mailboxes: int = 40, days: int = 3, wire: Wire | None = None) -> tuple[Traffic, list[Case]]:
    organisation = drawn_organisation(seed, mailboxes, days)
    cases = placed_intruders(seed, organisation, days)
    return Traffic(organisation, cases, seed, days, wire or Wire()), cases


def forward(
    at_ms: int, mailbox: str, destination: str, cell: Cell = "auto_only", octets: int = 1_000, number: int = 0
) -> ForwardSeen:
    return ForwardSeen(
        id=f"{at_ms}-{mailbox}-{number}",
        at_ms=at_ms,
        transaction_id="0",
        mailbox=mailbox,
        cell=cell,
        destinations=(destination,),
        outside=(destination,),
        octets=octets,
    )


# ---- mail


def test_the_same_seed_gives_the_same_mail_and_another_another() -> None:
    def contents(seed: int) -> list[bytes]:
        return [octets_of(mail) for mail in islice(traffic(seed)[0].mails(), 400)]

    assert contents(1) == contents(1)
    assert contents(1) != contents(2)


def test_mail_comes_in_the_order_of_time() -> None:
    times = [mail.at_ms for mail in traffic(3)[0].mails()]
    assert times == sorted(times)
    assert times[0] >= START_MS


def test_what_the_sensor_is_handed_has_all_that_a_transaction_has() -> None:
    sights = list(islice(traffic(1, wire=Wire(blind=0.5))[0], 60))
    mail = next(each for each in sights if isinstance(each, Sight))
    session = next(each for each in sights if isinstance(each, TlsSight))
    for each in fields(test_mails.Mail):
        assert hasattr(mail, each.name), each.name
    for each in fields(test_mails.Tls):
        assert hasattr(session, each.name), each.name


def test_no_label_reaches_what_is_judged() -> None:
    for label in ("case", "note", "is_seen"):
        assert not hasattr(next(each for each in traffic(1)[0] if isinstance(each, Sight)), label)


def test_dates_go_over_the_months_end() -> None:
    assert date_of(START_MS) == "Mon, 2 Nov 2026 00:00:00 +0000"
    assert date_of(START_MS + 28 * DAY_MS + 3 * HOUR_MS + 1_000) == "Mon, 30 Nov 2026 03:00:01 +0000"
    assert date_of(START_MS + 60 * DAY_MS) == "Fri, 1 Jan 2027 00:00:00 +0000"


def test_both_roads_come_to_the_same_verdicts(tmp_path: Path) -> None:
    mails = [mail for mail in traffic(5)[0].mails() if mail.is_seen]
    path = tmp_path / "sample.pcap"
    written = captures.write_capture(mails, path, seed=5)
    assert len(written) > 500
    assert captures.differences(written, path, CORP) == []


def test_a_difference_between_the_roads_shows(tmp_path: Path) -> None:
    mails = [mail for mail in islice(traffic(5)[0].mails(), 40) if mail.is_seen]
    path = tmp_path / "sample.pcap"
    written = captures.write_capture(mails, path, seed=5)
    written[3].message_id += "x"
    assert len(captures.differences(written, path, CORP)) == 1


# ---- copies


@pytest.mark.parametrize(
    ("mechanism", "mailbox", "kind"),
    [
        (copies.exchange_redirect, "ann@corp.example", "auto"),
        (copies.exchange_property, "ann@corp.example", "auto"),
        (copies.exchange_forward, "ann@corp.example", "both"),
        (copies.google_forward, "ann@eu.corp.example", "auto"),
        (copies.sieve_redirect, "ann@labs.corp.example", "auto"),
        (copies.zimbra_redirect, "ann@shop.corp.example", "auto"),
        (copies.dot_forward, "ann@labs.corp.example", "auto"),
        (copies.stripped, "ann@corp.example", "none"),
    ],
)
def test_copies_look_as_their_makers_write_them(mechanism: copies.Mechanism, mailbox: str, kind: Kind) -> None:
    rng = chance("copies")
    mail = from_outside(rng, START_MS, "bill@shop.example", (mailbox,))
    copy = mechanism(rng, mail, mailbox, "sim.1@gmail.com", START_MS + 1_000)
    verdict = classify(Sight(copy, 1, 0), CORP)
    assert (verdict.kind, verdict.mailbox) == (kind, None if kind == "none" else mailbox)
    assert copy.recipients == ("sim.1@gmail.com",)


@pytest.mark.parametrize("client", ["outlook", "outlook_german", "gmail", "thunderbird", "apple"])
def test_a_clients_forward_looks_like_a_persons(client: str) -> None:
    rng = chance("clients")
    mail = from_outside(rng, START_MS, "bill@shop.example", ("ann@corp.example",))
    copy = copies.by_client(rng, mail, "ann@corp.example", "x@dst.example", START_MS, client=client, words="")
    verdict = classify(Sight(copy, 1, 0), CORP)
    assert (verdict.kind, verdict.mailbox) == ("visible", "ann@corp.example")


def test_a_rule_takes_what_it_is_set_to_and_no_more() -> None:
    rng = chance("rules")
    rule = Rule(copies.exchange_redirect, "ann@corp.example", "x@dst.example", START_MS + 10, START_MS + DAY_MS)
    mail = from_outside(rng, START_MS, "bill@shop.example", ("ann@corp.example",))
    assert not rule.wants(rng, mail)
    mail.at_ms = START_MS + 10
    assert rule.wants(rng, mail)
    mail.at_ms = START_MS + DAY_MS
    assert not rule.wants(rng, mail)
    money = Rule(copies.exchange_redirect, "ann@corp.example", "x@dst.example", money_only=True, gap_ms=HOUR_MS)
    mail.subject = "Lunch"
    assert not money.wants(rng, mail)
    mail.subject = "Re: Invoice 7"
    assert money.wants(rng, mail)
    mail.at_ms += HOUR_MS - 1
    assert not money.wants(rng, mail)


def test_every_kind_of_intruder_is_placed_and_its_copies_are_counted() -> None:
    told, cases = traffic(1, mailboxes=120, days=7)
    left: dict[int, int] = {}
    for mail in told.mails():
        if mail.case is not None and mail.note != "hop":
            left[mail.case] = left.get(mail.case, 0) + 1
    assert {case.kind for case in cases} == set(KINDS)
    assert {case.number: len(case.copies) for case in cases if case.copies} == left
    assert len(left) >= 7


# ---- today's rules


def test_any_auto_forward_alerts_once_for_mailbox_and_destination() -> None:
    rule, by_hand_too = AnyAutoForward(AllowList([])), AnyForward(AllowList([]))
    events = [forward(at, "a", "x@dst.example") for at in (1, 2)]
    events += [forward(3, "a", "y@dst.example"), forward(4, "b", "x@dst.example", "visible_only")]
    assert [alarm.at_ms for event in events for alarm in rule.see(event)] == [1, 3]
    assert [alarm.at_ms for event in events for alarm in by_hand_too.see(event)] == [1, 3, 4]


def test_shared_destination_alerts_on_the_second_mailbox_within_a_week() -> None:
    rule = SharedDestination(AllowList([]))
    events = [forward(0, "a", "x@d"), forward(8 * DAY_MS, "b", "x@d"), forward(9 * DAY_MS, "c", "x@d")]
    alarms = [alarm for event in events for alarm in rule.see(event)]
    assert [(alarm.at_ms, alarm.mailboxes) for alarm in alarms] == [(9 * DAY_MS, frozenset("bc"))]


def test_volume_alerts_above_mean_and_three_deviations_after_four_days() -> None:
    rule = Volume(AllowList([]))
    usual = [forward(START_MS + day * DAY_MS, "a", "x@d", octets=1_000 + day) for day in range(4)]
    assert [alarm for event in usual for alarm in rule.see(event)] == []
    assert list(rule.see(forward(START_MS + 4 * DAY_MS, "a", "x@d", octets=1_003))) == []
    assert len(list(rule.see(forward(START_MS + 4 * DAY_MS, "a", "x@d", octets=500, number=1)))) == 1


def test_the_allow_list_covers_mailboxes_destinations_and_domains() -> None:
    entries = [Allowed("r", mailbox="a"), Allowed("r", destination="x@d"), Allowed("r", domain="new.example")]
    allowed = AllowList(entries)
    assert allowed.left("a", ["any@where"]) == []
    assert allowed.left("b", ["x@d", "y@d", "z@new.example"]) == ["y@d"]


# ---- the score


def alarm(at_ms: int, mailbox: str, destination: str, *, is_first: bool = True) -> Alarm:
    return Alarm(at_ms, "rule", frozenset((mailbox,)), frozenset((destination,)), is_first=is_first)


def scored(*alarms: Alarm) -> tuple[int, int, int, int]:
    case = Case(0, "redirect rule", ("ann",), ("drop@d",), copies=[100, 200, 300])
    scorer = Scorer(
        [case], [Legitimate("new", "bob", "home@h", is_allowed=False), Legitimate("old", "cy", "p@q", True)]
    )
    for each in alarms:
        scorer.take(each)
    score = scorer.scores()["rule"]
    return score.true, score.not_yet_allowed, score.false, score.found[0].copies if score.found else 0


def test_an_alarm_is_true_from_the_first_copy_on_and_names_the_drop() -> None:
    assert scored(alarm(99, "ann", "drop@d")) == (0, 0, 1, 0)
    assert scored(alarm(250, "ann", "drop@d")) == (1, 0, 0, 2)
    assert scored(alarm(250, "ann", "other@d")) == (0, 0, 1, 0)


def test_an_alarm_that_names_the_drop_and_another_mailbox_finds_nobody_and_is_not_false() -> None:
    assert scored(alarm(250, "role", "drop@d")) == (0, 0, 0, 0)
    assert scored(alarm(50, "role", "drop@d")) == (0, 0, 1, 0)
    both = Alarm(250, "rule", frozenset(("role",)), frozenset(("drop@d", "friend@d")))
    assert scored(both) == (0, 0, 1, 0)


def test_legitimate_forwards_without_an_entry_are_told_apart_from_false_alarms() -> None:
    assert scored(alarm(5, "bob", "home@h"), alarm(5, "cy", "p@q")) == (0, 1, 1, 0)


def test_an_alarm_that_grew_finds_an_intruder_but_counts_once() -> None:
    grown = alarm(300, "ann", "drop@d", is_first=False)
    assert scored(grown) == (0, 0, 0, 3)
    assert scored(alarm(5, "bob", "home@h"), alarm(6, "bob", "home@h", is_first=False)) == (0, 1, 0, 0)


def test_spread_is_students_interval_of_the_mean() -> None:
    centre, low, high = spread([1.0, 2.0, 3.0])
    assert (centre, round(low, 2), round(high, 2)) == (2.0, -0.48, 4.48)
    assert spread([5.0]) == (5.0, 5.0, 5.0)


@pytest.mark.parametrize(("text", "seeds"), [("3", [3]), ("1..4", [1, 2, 3, 4]), ("1,4,7", [1, 4, 7])])
def test_seeds_are_written_in_three_ways(text: str, seeds: list[int]) -> None:
    assert seeds_of(text) == seeds


# ---- the whole


def test_what_was_kept_is_what_the_pipeline_told(tmp_path: Path) -> None:
    first = list(keep(minutes_of(traffic(2)[0]), tmp_path / "events"))
    assert sum(len(minute.events) for minute in first) > 0
    assert list(kept(tmp_path / "events")) == first


def test_detectors_stay_above_the_floor_and_repeat_themselves() -> None:
    """Few mailboxes and days, so the floors are far below what README.md reports; they catch what breaks."""
    first, again = (run(102, 150, 10, Wire()) for _ in range(2))
    score = first.scores[OURS]
    assert score.false_alarms == again.scores[OURS].false_alarms
    assert {number: each.copies for number, each in score.found.items()} == {
        number: each.copies for number, each in again.scores[OURS].found.items()
    }
    assert len(score.found) >= 6
    assert score.false <= 1


def test_the_days_of_a_run_are_those_asked_for() -> None:
    days = {day_of(mail.at_ms) for mail in traffic(1, days=2)[0].mails()}
    assert {0, 1} <= days
