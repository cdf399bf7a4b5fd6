"""The ledger: cells, destinations, bounds, and hops of one copy."""

import pytest

from sensor.ledger import CELLS, DAY, HOUR, WEEK, Activity, Cell, Count, Ledger
from sensor.model import Level
from tests.ledger.forwards import attempt, forward

HOUR_MS = 3_600_000
NOW = 1_700_000_000_000


@pytest.mark.parametrize("cell", CELLS)
def test_each_cell_is_counted_apart(cell: Cell) -> None:
    ledger = Ledger()
    ledger.count_forward(forward(cell=cell), message_id="m")
    [(mailbox, _, forwards)] = ledger.forwarders()
    assert mailbox == "ann@corp.example"
    assert [getattr(forwards, each) for each in CELLS] == [int(each == cell) for each in CELLS]


def test_first_and_last_seen_hold_whatever_order_mails_come_in() -> None:
    ledger = Ledger()
    for at_ms in (50, 10, 30):
        ledger.count_forward(forward(at_ms=at_ms), message_id=None)
    [(_, _, forwards)] = ledger.forwarders()
    destination = forwards.destinations["x@dst.example"]
    assert (forwards.first_seen_ms, forwards.last_seen_ms) == (10, 50)
    assert (destination.first_seen_ms, destination.last_seen_ms, destination.count) == (10, 50, 3)


def test_a_copy_seen_on_two_hops_counts_once() -> None:
    ledger = Ledger()
    for _ in range(2):
        ledger.count_forward(forward(), message_id="m1")
    ledger.count_forward(forward(to=("y@dst.example",)), message_id="m1")
    [(_, _, forwards)] = ledger.forwarders()
    assert (forwards.auto_only, ledger.duplicates) == (2, 1)


def test_memory_of_hops_is_bounded_and_drops_the_oldest() -> None:
    ledger = Ledger(limits={"ledger_recent_messages": 2})
    for message_id in ("a", "b", "c", "a"):
        ledger.count_forward(forward(), message_id=message_id)
    assert ledger.duplicates == 0


def test_an_attempt_is_no_forward() -> None:
    ledger = Ledger()
    ledger.count_attempt(attempt())
    [(_, _, forwards)] = ledger.forwarders()
    assert (forwards.attempts, forwards.total, forwards.auto_share()) == (1, 0, None)


def test_destinations_are_bounded_and_the_rest_counted() -> None:
    ledger = Ledger(limits={"ledger_destinations": 2})
    ledger.count_forward(forward(to=("a@d.example", "b@d.example", "c@d.example")), message_id=None)
    [(_, _, forwards)] = ledger.forwarders()
    assert (sorted(forwards.destinations), forwards.other_destinations) == (["a@d.example", "b@d.example"], 1)


def test_levels_that_disagree_are_either() -> None:
    def level_of(*levels: Level) -> Level:
        ledger = Ledger()
        for level in levels:
            ledger.count_forward(forward(level=level), message_id=None)
        [(_, _, forwards)] = ledger.forwarders()
        return forwards.level

    assert level_of("user", "either") == "user"
    assert level_of("user", "either", "admin") == "either"
    assert level_of("either") == "either"


def test_only_watched_mailboxes_have_accounts() -> None:
    ledger = Ledger(watches=lambda address: address.endswith("@corp.example"))
    ledger.count_mail("x@dst.example", ["ann@corp.example", "y@dst.example"], 1)
    assert len(ledger) == 1
    assert (account := ledger.account("ann@corp.example")) is not None
    assert (account.sent, account.received) == (0, 1)


def test_a_mail_seen_on_two_hops_counts_once_for_each_side_however_hops_split_it() -> None:
    ledger = Ledger()
    to = ["ann@corp.example", "bob@corp.example", "bill@shop.example"]
    ledger.count_mail("bill@shop.example", to, NOW, 10, message=7)
    for address in to:
        ledger.count_mail("bill@shop.example", [address, "carl@corp.example"], NOW + 1_000, 10, message=7)
    accounts = [ledger.account(name) for name in (*to, "carl@corp.example")]
    assert [(each.sent, each.received) for each in accounts if each] == [(0, 1), (0, 1), (1, 1), (0, 1)]


def test_another_message_or_none_or_the_same_hours_later_is_another_mail() -> None:
    ledger = Ledger()
    for at_ms, message in ((NOW, 7), (NOW, 8), (NOW, 0), (NOW, 0), (NOW + 3 * HOUR_MS, 7), (NOW, 7)):
        ledger.count_mail(None, ["ann@corp.example"], at_ms, message=message)
    assert (account := ledger.account("ann@corp.example")) is not None
    assert account.received == 6


def test_mails_remembered_are_bounded() -> None:
    ledger = Ledger(limits={"ledger_recent_mails": 4})
    for message in (1, 2, 3, 4, 5, 1):
        ledger.count_mail(None, ["ann@corp.example"], NOW, message=message)
    assert (account := ledger.account("ann@corp.example")) is not None
    assert account.received == 6


def test_mail_from_nobody_is_sent_by_nobody() -> None:
    ledger = Ledger()
    ledger.count_mail(None, ["ann@corp.example"], 1)
    ledger.count_mail("", ["ann@corp.example"], 1)
    assert len(ledger) == 1


def test_mailboxes_are_bounded_and_those_not_seen_longest_go_first() -> None:
    ledger = Ledger(limits={"ledger_mailboxes": 100})
    for number in range(1_000):
        ledger.count_mail("steady@corp.example", [f"u{number}@corp.example"], 1)
    assert len(ledger) <= 100
    assert ledger.mailboxes_evicted >= 900
    steady = ledger.account("steady@corp.example")
    assert steady is not None
    assert steady.sent == 1_000


def test_a_mailbox_that_forwards_outlives_the_flood() -> None:
    ledger = Ledger(limits={"ledger_mailboxes": 10})
    ledger.count_mail("ann@corp.example", [], 1)
    ledger.count_forward(forward(), message_id=None)
    ledger.count_mail(None, [f"u{number}@corp.example" for number in range(1_000)], 1)
    ledger.count_mail("ann@corp.example", [], 1)
    [(_, account, forwards)] = ledger.forwarders()
    assert (account.sent, forwards.auto_only) == (2, 1)


def test_forwarders_are_bounded_and_the_smallest_go_first() -> None:
    ledger = Ledger(limits={"ledger_forwarders": 16})
    for _ in range(3):
        ledger.count_forward(forward("big@corp.example"), message_id=None)
    for number in range(100):
        ledger.count_forward(forward(f"u{number}@corp.example"), message_id=None)
    names = [mailbox for mailbox, _, _ in ledger.forwarders()]
    assert len(names) <= 16
    assert names[0] == "big@corp.example"
    assert ledger.forwarders_evicted + len(names) == 101


def test_a_copy_to_several_destinations_is_known_again_when_hops_split_it() -> None:
    ledger = Ledger()
    assert ledger.count_forward(forward(to=("x@dst.example", "y@other.example")), message_id="m")
    assert not ledger.count_forward(forward(to=("y@other.example",)), message_id="m")
    assert not ledger.count_forward(forward(to=("y@other.example", "x@dst.example")), message_id="m")
    [(_, _, forwards)] = ledger.forwarders()
    assert (forwards.total, ledger.duplicates) == (1, 2)
    assert {name: each.count for name, each in forwards.destinations.items()} == {
        "x@dst.example": 1,
        "y@other.example": 1,
    }


def test_marks_win_over_pairing_in_either_order() -> None:
    orders: tuple[tuple[Cell, Cell], ...] = (("paired", "auto_only"), ("auto_only", "paired"))
    for cells in orders:
        ledger = Ledger()
        counted = [
            ledger.count_forward(forward(cell=cell, at_ms=NOW + number), message_id="m", slugs=("google_caf",))
            for number, cell in enumerate(cells)
        ]
        [(_, _, forwards)] = ledger.forwarders()
        assert counted == [True, False]
        assert (forwards.auto_only, forwards.paired, forwards.level) == (1, 0, "user")
        assert forwards.within(HOUR, NOW, ("auto_only",)) == Count(1, 1_000)
        assert forwards.within(HOUR, NOW, ("paired",)).mails == 0
        assert [tuple(bucket)[1:] for bucket in forwards.timeline] == [(1, 0, 0, 0)]
        assert ledger.population(NOW).forwarders == 1


def test_a_paired_forward_whose_marks_show_at_two_more_hops_moves_once() -> None:
    ledger = Ledger()
    cells: tuple[Cell, ...] = ("paired", "auto_visible", "auto_only")
    for cell in cells:
        ledger.count_forward(forward(cell=cell, at_ms=NOW), message_id="m")
    [(_, _, forwards)] = ledger.forwarders()
    assert [getattr(forwards, cell) for cell in CELLS] == [0, 1, 0, 0]


def test_marks_of_a_forward_that_was_forgotten_meanwhile_open_nothing() -> None:
    ledger = Ledger(limits={"ledger_forwarders": 1})
    ledger.count_forward(forward(cell="paired"), message_id="m")
    ledger.count_forward(forward("bob@corp.example"), message_id="n")
    assert not ledger.count_forward(forward(), message_id="m")
    assert [name for name, _, _ in ledger.forwarders()] == ["bob@corp.example"]


def test_a_further_try_of_the_same_copy_is_one_attempt() -> None:
    ledger = Ledger()
    assert ledger.count_attempt(attempt(), message_id="m")
    assert not ledger.count_attempt(attempt(), message_id="m")
    assert ledger.count_attempt(attempt(), message_id=None)
    assert ledger.count_forward(forward(), message_id="m")
    [(_, _, forwards)] = ledger.forwarders()
    assert (forwards.attempts, forwards.total) == (2, 1)


def test_scopes_tell_where_forwards_go_and_one_to_both_sides_is_in_both() -> None:
    ledger = Ledger()
    for to in (("x@dst.example",), ("bob@corp.example",), ("x@dst.example", "bob@corp.example"), ()):
        ledger.count_forward(forward(to=to, at_ms=NOW), message_id=None)
    [(_, _, forwards)] = ledger.forwarders()
    assert forwards.within(DAY, NOW, scope="external") == Count(2, 2_000)
    assert forwards.within(DAY, NOW, scope="internal") == Count(2, 2_000)
    assert forwards.within(DAY, NOW) == forwards.counted() == Count(4, 4_000)
    assert {name: (each.count, each.is_outside) for name, each in forwards.domains.items()} == {
        "dst.example": (2, True),
        "corp.example": (2, False),
    }


def test_a_domain_counts_a_forward_to_two_of_its_addresses_once() -> None:
    ledger = Ledger()
    ledger.count_forward(forward(to=("x@dst.example", "y@dst.example")), message_id=None)
    [(_, _, forwards)] = ledger.forwarders()
    assert (forwards.domains["dst.example"].count, len(forwards.destinations)) == (1, 2)


def test_a_level_that_no_mail_tells_is_unknown() -> None:
    def level_of(*levels: Level) -> Level:
        ledger = Ledger()
        for level in levels:
            ledger.count_forward(forward(level=level), message_id=None)
        [(_, _, forwards)] = ledger.forwarders()
        return forwards.level

    assert level_of("unknown") == "unknown"
    assert level_of("unknown", "admin") == "admin"


def test_a_forward_by_hand_has_no_level() -> None:
    ledger = Ledger()
    ledger.count_forward(forward(cell="visible_only", level="user"), message_id=None)
    [(_, _, forwards)] = ledger.forwarders()
    assert forwards.level == "unknown"


def test_activity_is_what_was_sent_and_received_in_the_windows() -> None:
    ledger = Ledger()
    for age_hours in (0, 2, 30, 400):
        at_ms = NOW - age_hours * HOUR_MS
        ledger.count_mail("ann@corp.example", ["ann@corp.example", "ann@corp.example"], at_ms, 50)
    assert ledger.activity("ann@corp.example", NOW) == Activity(2, 4, 6, 2, 3, NOW - 400 * HOUR_MS)
    assert ledger.activity("nobody@corp.example", NOW) == Activity()
    account = ledger.account("ann@corp.example")
    assert account is not None
    assert (account.received, account.received_octets, account.sent_octets) == (8, 400, 200)


def test_population_counts_each_mailbox_once_and_for_seven_days() -> None:
    ledger = Ledger()
    for number in range(50):
        at_ms = NOW + number * HOUR_MS
        ledger.count_mail("ann@corp.example", ["bob@corp.example", f"u{number % 5}@corp.example"], at_ms)
    ledger.count_forward(forward(at_ms=NOW), message_id=None)
    ledger.count_forward(forward("bob@corp.example", "visible_only", at_ms=NOW), message_id=None)
    ledger.count_forward(forward("u1@corp.example", to=("bob@corp.example",), at_ms=NOW), message_id=None)
    assert ledger.population(NOW + 50 * HOUR_MS) == (7, 1)
    assert ledger.population(NOW + 50 * HOUR_MS + 8 * 24 * HOUR_MS) == (0, 0)


def test_population_follows_those_that_are_dropped() -> None:
    ledger = Ledger(limits={"ledger_mailboxes": 10, "ledger_forwarders": 1})
    for number in range(200):
        ledger.count_mail(None, [f"u{number}@corp.example"], NOW)
        ledger.count_forward(forward(f"u{number}@corp.example", at_ms=NOW), message_id=None)
    assert ledger.population(NOW) == (len(ledger), len(ledger.forwarders()))


def test_addresses_that_are_too_long_have_no_account() -> None:
    ledger = Ledger()
    long = "a" * 400 + "@corp.example"
    ledger.count_mail(long, [long], 1)
    ledger.count_forward(forward(long), message_id=None)
    ledger.count_forward(forward(to=("b" * 400 + "@dst.example", "x@dst.example")), message_id=None)
    [(name, _, forwards)] = ledger.forwarders()
    assert (len(ledger), ledger.population(1).mailboxes, name) == (1, 0, "ann@corp.example")
    assert ledger.addresses_too_long == 3
    assert (list(forwards.destinations), forwards.other_destinations) == (["x@dst.example"], 1)


def test_destinations_of_all_are_bounded_and_places_come_back() -> None:
    ledger = Ledger(limits={"ledger_all_destinations": 4, "ledger_forwarders": 2})
    kept = 0
    for number in range(20):
        ledger.count_forward(forward(f"u{number}@corp.example"), message_id=None)
        kept = sum(len(each.destinations) + len(each.domains) for _, _, each in ledger.forwarders())
        assert kept <= 4
    assert kept == 4


def test_the_widest_windows_hold_the_narrower_ones() -> None:
    ledger = Ledger()
    for number in range(100):
        cell = CELLS[number % 4]
        ledger.count_forward(forward(cell=cell, at_ms=NOW + number * HOUR_MS // 3), message_id=None)
    [(_, _, forwards)] = ledger.forwarders()
    at_ms = NOW + 99 * HOUR_MS // 3
    for scope in ("external", "internal", "all"):
        hour, day, week = (forwards.within(window, at_ms, scope=scope).mails for window in (HOUR, DAY, WEEK))
        assert hour <= day <= week <= forwards.counted(scope=scope).mails
    assert sum(forwards.counted((cell,)).mails for cell in CELLS) == forwards.total + forwards.paired == 100
