"""Accounts as blobs: what comes back is what was kept, and nothing that is read back can do harm."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.ledger import CELLS, WEEK, Ledger
from sensor.ledger.blob import MAX_BLOB_OCTETS, VERSION
from tests.ledger.forwards import attempt, forward

NOW = 1_700_000_000_000
MAILBOXES = ("ann@corp.example", "bob@corp.example", "x@dst.example")

OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("mail"), st.sampled_from(MAILBOXES), st.integers(), st.integers(0)),
        st.tuples(st.just("forward"), st.sampled_from(MAILBOXES), st.integers(0, 10**10), st.sampled_from(CELLS)),
        st.tuples(st.just("attempt"), st.sampled_from(MAILBOXES), st.none(), st.none()),
    ),
    max_size=40,
)


def do(ledger: Ledger, operations: list[tuple[str, str, int, object]]) -> None:
    for number, (what, mailbox, at, detail) in enumerate(operations):
        if what == "mail":
            assert isinstance(detail, int)
            ledger.count_mail(mailbox, MAILBOXES[:2], at, detail)
        elif what == "forward":
            to = ("x@dst.example", f"u{number}@corp.example")[: 1 + number % 2]
            seen = forward(mailbox, detail, to, at_ms=NOW + at)  # type: ignore[arg-type]  # one of CELLS
            ledger.count_forward(seen, message_id=f"m{number % 7}", slugs=("a", f"s{number % 3}"))
        else:
            ledger.count_attempt(attempt(mailbox), evidence="conclusive")


def kept(ledger: Ledger) -> dict[str, bytes]:
    """Every account's blob."""
    return dict(ledger.changed(everything=True))


@given(OPERATIONS)
def test_what_is_restored_is_what_was_kept(operations: list[tuple[str, str, int, object]]) -> None:
    ledger, again = Ledger(), Ledger()
    do(ledger, operations)
    blobs = dict(ledger.changed())
    assert set(blobs) == {name for name in MAILBOXES if ledger.account(name) is not None}
    for name, blob in blobs.items():
        assert again.restore(name, blob) is None
    assert kept(again) == blobs
    assert again.population(NOW) == ledger.population(NOW)
    assert [name for name, _, _ in again.forwarders()] == [name for name, _, _ in ledger.forwarders()]
    for name in MAILBOXES:
        assert again.activity(name, NOW) == ledger.activity(name, NOW)


@given(OPERATIONS, OPERATIONS)
def test_what_changed_since_brings_a_copy_up_to_date(
    first: list[tuple[str, str, int, object]], then: list[tuple[str, str, int, object]]
) -> None:
    ledger, copy = Ledger(), Ledger()
    for operations in (first, then):
        do(ledger, operations)
        for name, blob in ledger.changed():
            assert copy.restore(name, blob) is None
    assert list(ledger.changed()) == []
    assert kept(copy) == kept(ledger)
    assert copy.population(NOW) == ledger.population(NOW)


def test_only_what_changed_is_given_and_what_was_forgotten_has_an_empty_blob() -> None:
    ledger = Ledger(limits={"ledger_mailboxes": 4})
    ledger.count_mail(None, ["a@corp.example", "b@corp.example"], NOW)
    assert {name for name, _ in ledger.changed()} == {"a@corp.example", "b@corp.example"}
    ledger.count_mail("b@corp.example", [], NOW)
    assert [name for name, _ in ledger.changed()] == ["b@corp.example"]
    ledger.count_mail(None, [f"u{number}@corp.example" for number in range(4)], NOW)
    blobs = dict(ledger.changed())
    assert blobs["a@corp.example"] == b""
    assert all(bool(blob) == (ledger.account(name) is not None) for name, blob in blobs.items())


def test_where_more_changed_than_can_be_named_all_is_given() -> None:
    ledger = Ledger(limits={"ledger_mailboxes": 10, "ledger_forwarders": 1})
    assert list(ledger.changed()) == []
    ledger.count_mail(None, [f"u{number}@corp.example" for number in range(100)], NOW)
    assert len(list(ledger.changed())) == len(ledger)


def test_what_a_reader_did_not_come_to_is_given_again() -> None:
    ledger = Ledger()
    names = {f"u{number}@corp.example" for number in range(5)}
    assert list(ledger.changed()) == []
    ledger.count_mail(None, names, NOW)
    reading = ledger.changed()
    taken = {next(reading)[0] for _ in range(3)}
    reading.close()
    again = {name for name, _ in ledger.changed()}
    assert len(again) == 3
    assert taken | again == names


def a_blob() -> bytes:
    ledger = Ledger()
    for number in range(60):
        at_ms = NOW + number * 3_600_000
        ledger.count_mail("ann@corp.example", ["ann@corp.example"], at_ms, 4_000)
        ledger.count_forward(
            forward(to=(f"x{number % 9}@dst.example",), at_ms=at_ms), message_id=None, slugs=("google_caf",)
        )
    return dict(ledger.changed())["ann@corp.example"]


BLOB = a_blob()


@given(st.binary(max_size=300))
def test_foreign_octets_are_named_and_open_nothing(octets: bytes) -> None:
    for blob in (octets, bytes((VERSION,)) + octets):
        ledger = Ledger()
        fault = ledger.restore("ann@corp.example", blob)
        assert (fault is None) == (len(ledger) == 1)


@given(st.integers(0, len(BLOB) - 1), st.binary(min_size=1, max_size=3), st.integers(0, 2))
def test_a_damaged_blob_is_refused_or_counts_on(at: int, octets: bytes, keep: int) -> None:
    ledger = Ledger()
    if ledger.restore("ann@corp.example", BLOB[:at] + octets + BLOB[at + keep :]) is not None:
        assert len(ledger) == 0
        return
    for number in range(100):
        at_ms = NOW + number * 3_600_000
        ledger.count_mail("ann@corp.example", ["ann@corp.example"], at_ms, 4_000)
        ledger.count_forward(forward(at_ms=at_ms), message_id=None)
    ledger.population(NOW)
    ledger.activity("ann@corp.example", NOW)
    assert ledger.forwarders()
    assert dict(ledger.changed())


@given(st.integers(0, len(BLOB) - 1))
def test_a_torn_blob_is_damaged(length: int) -> None:
    assert Ledger().restore("ann@corp.example", BLOB[:length]) == ("damaged" if length else "empty")


@pytest.mark.parametrize(
    ("blob", "fault"),
    [
        (b"", "empty"),
        (b"\0" + BLOB[1:], "damaged"),
        (bytes((VERSION + 1,)) + BLOB[1:], "of_a_later_version"),
        (BLOB + b"\0", "damaged"),
        (BLOB + bytes(MAX_BLOB_OCTETS), "too_large"),
    ],
)
def test_faults_have_names(blob: bytes, fault: str) -> None:
    assert Ledger().restore("ann@corp.example", blob) == fault


def test_a_mailbox_whose_name_is_too_long_is_not_restored() -> None:
    assert Ledger().restore("a" * 400, BLOB) == "too_large"


# A blob as version 1 wrote it: ann received three mails and sent one, which a rule had forwarded.
VERSION_1 = bytes.fromhex(
    "0194cf0000018bcfe56800c4286a7756000000000000000000000000000000000000000000030000006a775600b80b00"
    "0000000000c4286a7756000000000000000000000000000000000000000000010000006a775600e8030000000000009e"
    "94010000008101c4286a7756000000000000000000000000000000000000000000010000006a775600e8030000000000"
    "0000cf0000018bcfe56805cf0000018bcfe568059196ad78406473742e6578616d706c6501cd03e8cf0000018bcfe568"
    "05cf0000018bcfe56805c39196ab6473742e6578616d706c6501cd03e8cf0000018bcfe56805cf0000018bcfe56805c3"
    "0000010181aa676f6f676c655f63616601ce0036ee809195cf0000018bcfd9330001000000"
)


def test_a_blob_of_version_1_is_read() -> None:
    ledger = Ledger()
    assert ledger.restore("ann@corp.example", VERSION_1) is None
    [(_, account, forwards)] = ledger.forwarders()
    assert (account.received, account.received_octets, account.sent, account.since_ms) == (3, 3_000, 1, NOW)
    assert (forwards.auto_only, forwards.level, forwards.evidence) == (1, "user", "strong")
    assert forwards.within(WEEK, NOW + 1_000, scope="external") == (1, 1_000)
    assert (list(forwards.destinations), list(forwards.domains)) == (["x@dst.example"], ["dst.example"])
    assert list(forwards.timeline) == [(NOW - NOW % 3_600_000, 1, 0, 0, 0)]


def test_a_ledger_with_less_room_keeps_the_destinations_with_most_forwards() -> None:
    small = Ledger(limits={"ledger_destinations": 2})
    whole = Ledger()
    assert small.restore("ann@corp.example", BLOB) is None
    assert whole.restore("ann@corp.example", BLOB) is None
    [(_, _, few)], [(_, _, all_)] = small.forwarders(), whole.forwarders()
    assert set(few.destinations) < set(all_.destinations)
    assert few.other_destinations == 60 - sum(each.count for each in few.destinations.values())


def test_the_largest_account_fits_a_blob() -> None:
    ledger = Ledger()
    for number in range(3_000):
        ledger.count_mail("ann@corp.example", ["ann@corp.example"], NOW + number * 300_000, 1 << 40)
        to = (f"{'x' * 60}{number}@{'d' * 240}{number}.example", f"u{number}@corp.example")[number % 2 :]
        seen = forward(cell=CELLS[number % 4], to=to, at_ms=NOW + number * 300_000)
        ledger.count_forward(seen, message_id=None)
    [(name, blob)] = ledger.changed()
    assert len(blob) < MAX_BLOB_OCTETS
    assert Ledger().restore(name, blob) is None
