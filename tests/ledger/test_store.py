"""The ledger: cells, destinations, bounds, and hops of one copy."""

import pytest

from sensor.detect.events import ForwardRefused, ForwardSeen
from sensor.ledger import CELLS, Cell, Ledger
from sensor.model import Level


def forward(
    mailbox: str = "ann@corp.example",
    cell: Cell = "auto_only",
    to: tuple[str, ...] = ("x@dst.example",),
    level: Level = "user",
    at_ms: int = 1,
) -> ForwardSeen:
    return ForwardSeen(
        id="f",
        at_ms=at_ms,
        transaction_id="t",
        mailbox=mailbox,
        cell=cell,
        destinations=to,
        outside=tuple(each for each in to if not each.endswith("@corp.example")),
        level=level,
        octets=1_000,
    )


def attempt(mailbox: str = "ann@corp.example") -> ForwardRefused:
    return ForwardRefused(
        id="r", at_ms=1, transaction_id="t", mailbox=mailbox, destinations=("x@dst.example",), is_policy=True
    )


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
