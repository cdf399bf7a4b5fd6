"""The allow-list: it covers pairs of mailbox and destination, exactly, until its day, and never in silence."""

from datetime import UTC, date, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.alert.allow import LISTED, AllowList
from sensor.alert.policy import Policy
from sensor.model import Finding
from sensor.settings import AllowEntry
from tests.alert.findings import NOW_MS, allowed, finding, settings

ANN, BOB = "ann@corp.example", "bob@corp.example"


def apply(found: Finding, *entries: AllowEntry, now_ms: int = NOW_MS) -> Finding | None:
    return AllowList(entries).apply(found, now_ms).finding


@pytest.mark.parametrize(
    ("entry", "destination", "covered"),
    [
        (allowed(destination="a@dst.example"), "a@dst.example", True),
        (allowed(destination="A@DST.example"), "a@dst.example", True),
        (allowed(destination="a@dst.example"), "aa@dst.example", False),
        (allowed(destination="a@dst.example"), "a@dst.example.evil.example", False),
        (allowed(domain="dst.example"), "a@dst.example", True),
        (allowed(domain="DST.example"), "a@dst.example", True),
        (allowed(domain="dst.example"), "a@sub.dst.example", False),
        (allowed(domain="dst.example"), "a@evildst.example", False),
        (allowed(domain=".dst.example"), "a@dst.example", True),
        (allowed(domain=".dst.example"), "a@sub.sub.dst.example", True),
        (allowed(domain=".dst.example"), "a@evildst.example", False),
        (allowed(domain=".example"), "a@dst.example", True),
        (allowed(domain="dst.example"), "dst.example@evil.example", False),
        (allowed(destination="strasse@dst.example"), "straße@dst.example", False),
        (allowed(domain="bücher.example"), "a@xn--bcher-kva.example", True),
        (allowed(domain=".XN--bcher-kva.example"), "a@eu.Bücher.example.", True),
        (allowed(destination="a@bücher.example"), "a@XN--BCHER-KVA.example", True),
        (allowed(domain="strasse.example"), "a@xn--strae-oqa.example", False),
        (allowed(domain="bucher.example"), "a@xn--bucher-.example", False),
        (allowed(domain="bücher.example"), "a@xn--Bcher-KVA8.example", False),
        (allowed(mailbox=ANN), "a@dst.example", True),
        (allowed(mailbox=BOB), "a@dst.example", False),
        (allowed(mailbox=ANN, destination="a@dst.example"), "a@dst.example", True),
        (allowed(mailbox=ANN, destination="a@dst.example"), "b@dst.example", False),
        (allowed(mailbox=BOB, destination="a@dst.example"), "a@dst.example", False),
        (allowed(mailbox=ANN, domain=".example"), "b@dst.example", True),
        (allowed(detector="new_forwarder"), "a@dst.example", True),
        (allowed(detector="silent_copy"), "a@dst.example", False),
        (allowed(detector="silent_copy", mailbox=ANN), "a@dst.example", False),
        (allowed(detector="new_forwarder", destination="a@dst.example"), "a@dst.example", True),
    ],
)
def test_what_an_entry_covers(entry: AllowEntry, destination: str, covered: bool) -> None:
    found = apply(finding(mailbox=ANN, destinations=(destination,)), entry)
    assert (found is None) is covered


def test_an_allowed_destination_hides_no_other() -> None:
    found = apply(
        finding(mailbox=ANN, destinations=("a@dst.example", "drop@evil.example")), allowed(destination="a@dst.example")
    )
    assert found is not None
    assert found.destinations == ("drop@evil.example",)
    assert "include what the allow-list left out" in found.assumptions[-1]


def test_destinations_that_are_counted_and_not_named_are_not_allowed_by_name() -> None:
    many = finding(mailbox=ANN, destinations=("a@dst.example",), counts={"destinations": 3})
    assert apply(many, allowed(destination="a@dst.example")) is not None
    assert apply(many, allowed(mailbox=ANN)) is None


def test_of_several_mailboxes_the_allowed_one_is_cut() -> None:
    shared = finding(detector="shared_destination", mailbox=None, mailboxes=(ANN, BOB), destinations=("a@dst.example",))
    found = apply(shared, allowed(mailbox=ANN))
    assert found is not None
    assert found.mailboxes == (BOB,)
    assert apply(shared, allowed(mailbox=ANN), allowed(mailbox=BOB)) is None
    assert apply(shared, allowed(destination="a@dst.example")) is None


def test_a_pair_that_is_allowed_leaves_other_pairs_of_the_same_names() -> None:
    shared = finding(mailbox=None, mailboxes=(ANN, BOB), destinations=("a@dst.example", "b@dst.example"))
    found = apply(shared, allowed(mailbox=ANN, destination="a@dst.example"))
    assert found is not None
    assert (found.mailboxes, found.destinations) == (shared.mailboxes, shared.destinations)


def test_a_finding_that_tells_its_pairs_is_cut_by_those_alone() -> None:
    ann, bob = ("ann@corp.example", "a@mail.example"), ("bob@corp.example", "b@mail.example")
    found = finding(
        detector="new_destination",
        mailbox=None,
        mailboxes=(ann[0], bob[0]),
        destinations=(ann[1], bob[1]),
        pairs=(ann, bob),
        counts={"mailboxes": 2},
    )
    entries = allowed(mailbox=ann[0]), allowed(destination=bob[1])
    assert apply(found, *entries) is None
    assert apply(msgspec.structs.replace(found, pairs=()), *entries) is not None
    left = apply(found, entries[0])
    assert left is not None
    assert (left.mailboxes, left.destinations, left.pairs) == ((bob[0],), (bob[1],), (bob,))


def test_a_finding_about_nobody_is_covered_by_its_detector_alone() -> None:
    nobody = finding(mailbox=None, destinations=())
    assert apply(nobody, allowed(mailbox=ANN), allowed(domain=".example")) is not None
    assert apply(nobody, allowed(detector="new_forwarder")) is None


def test_an_entry_holds_through_its_last_day() -> None:
    entry = allowed(expires=date(2026, 11, 22), mailbox=ANN)
    end = int(datetime(2026, 11, 23, tzinfo=UTC).timestamp() * 1000)
    assert apply(finding(mailbox=ANN), entry, now_ms=end - 1) is None
    assert apply(finding(mailbox=ANN), entry, now_ms=end) is not None
    assert AllowList([entry]).expired(end) == (entry,)
    assert AllowList([entry]).expired(end - 1) == ()


def test_an_expired_entry_leaves_the_place_to_one_that_holds() -> None:
    entries = (allowed(expires=date(2020, 1, 1), mailbox=ANN), allowed(mailbox=ANN, reason="renewed"))
    assert apply(finding(mailbox=ANN), *entries) is None


@pytest.mark.parametrize(("day", "holds"), [(date(1970, 1, 1), False), (date(9999, 12, 31), True)])
def test_any_day_can_be_the_last(day: date, holds: bool) -> None:
    assert (apply(finding(mailbox=ANN), allowed(expires=day, mailbox=ANN)) is None) is holds


def test_what_was_held_back_is_counted_and_listed() -> None:
    policy = Policy(settings(allow=(allowed(mailbox=ANN, reason="HR case 12"), allowed(mailbox=BOB))))
    assert policy.take([finding(mailbox=ANN), finding(mailbox=ANN, forwards=9)], NOW_MS) == []
    assert policy.counters.suppressed == 2
    (suppressed,) = policy.suppressed()
    assert (suppressed.entry.reason, suppressed.tellings) == ("HR case 12", 2)
    ((found_id, covered),) = suppressed.findings.items()
    assert (found_id, covered.whole, covered.summary) == (finding(mailbox=ANN).id, True, finding(mailbox=ANN).summary)


def test_of_many_that_were_held_back_the_latest_are_listed() -> None:
    policy = Policy(settings(allow=(allowed(domain=".example"),)))
    for number in range(3 * LISTED):
        policy.take([finding(mailbox=f"m{number}@corp.example")], NOW_MS)
    (suppressed,) = policy.suppressed()
    assert (suppressed.tellings, len(suppressed.findings)) == (3 * LISTED, LISTED)


def test_what_was_cut_stands_in_the_alert() -> None:
    policy = Policy(settings(allow=(allowed(destination="a@dst.example", reason="partner"),)))
    (alert,) = policy.take([finding(mailbox=ANN, destinations=("a@dst.example", "b@dst.example"))], NOW_MS)
    (cut,) = alert.cuts
    assert (cut.mailbox, cut.destination, cut.entry, cut.reason) == (
        ANN, "a@dst.example", "destination a@dst.example", "partner",
    )  # fmt: skip
    assert policy.counters.cut == 1


NAMES = st.sampled_from(["a@x.example", "b@x.example", "a@y.x.example", "c@z.example"])
ENTRIES = st.lists(
    st.builds(
        lambda mailbox, place: allowed(**({"mailbox": mailbox} if mailbox else {}), **place),
        st.one_of(st.none(), NAMES),
        st.one_of(
            NAMES.map(lambda name: {"destination": name}),
            st.sampled_from(["x.example", ".x.example", "z.example"]).map(lambda name: {"domain": name}),
        ),
    ),
    max_size=6,
)


def plainly_covers(entry: AllowEntry, mailbox: str, destination: str) -> bool:
    """The slow model: every part that is given holds."""
    domain = destination.partition("@")[2]
    return (
        (entry.mailbox is None or entry.mailbox == mailbox)
        and (entry.destination is None or entry.destination == destination)
        and (
            entry.domain is None
            or domain == entry.domain.lstrip(".")
            or (entry.domain.startswith(".") and domain.endswith(entry.domain))
        )
    )


@given(ENTRIES, st.sets(NAMES, min_size=1), st.sets(NAMES, min_size=1))
def test_what_passes_is_exactly_what_no_entry_covers(
    entries: list[AllowEntry], mailboxes: set[str], destinations: set[str]
) -> None:
    found = apply(
        finding(mailbox=None, mailboxes=tuple(sorted(mailboxes)), destinations=tuple(sorted(destinations))), *entries
    )
    pairs = [
        (mailbox, destination)
        for mailbox in mailboxes
        for destination in destinations
        if not any(plainly_covers(entry, mailbox, destination) for entry in entries)
    ]
    if not pairs:
        assert found is None
        return
    assert found is not None
    assert set(found.mailboxes) == {mailbox for mailbox, _ in pairs}
    assert set(found.destinations) == {destination for _, destination in pairs}
