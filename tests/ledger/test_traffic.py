"""The core's counting of ordinary mail against the plain one."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from sensor import _core
from sensor.ledger.traffic import PlainTraffic, Traffic

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
NOW = 1_700_000_000_000

MAILBOXES = st.sampled_from([*(f"u{number}@corp.example" for number in range(9)), "ä" * 30, "x" * 31])
TIMES = st.one_of(
    st.integers(0, 2 * HOUR_MS), st.integers(0, 30 * DAY_MS), st.integers(-DAY_MS, DAY_MS), st.just(-(10**14))
).map(lambda offset: NOW + offset)
MESSAGES = st.one_of(st.just(0), st.integers(1, 5), st.integers(1, 2**64 - 1))

Act = Callable[[Traffic], object]
COUNTS = st.builds(
    lambda sender, recipients, at_ms, octets, message: (
        lambda traffic: traffic.count(sender, recipients, at_ms, octets, message)
    ),
    st.none() | MAILBOXES,
    st.lists(MAILBOXES, max_size=3),
    TIMES,
    st.integers(0, 1 << 40),
    MESSAGES,
)
KEPT = MAILBOXES.filter(str.isascii)
ACTS = st.one_of(
    COUNTS,
    COUNTS,
    COUNTS,
    st.builds(lambda name, at_ms: lambda traffic: traffic.open(name, at_ms) and traffic.hold(name), KEPT, TIMES),
    st.builds(lambda name: lambda traffic: traffic.let_go(name), KEPT),
    st.builds(lambda name: lambda traffic: traffic.forget(name), KEPT),
    st.builds(lambda name: lambda traffic: traffic.note(name), KEPT),
    st.builds(lambda name, to: lambda traffic: _copy(traffic, name, to), KEPT, KEPT),
    st.builds(lambda: lambda traffic: _set(traffic.take_changed())),
)


def _set(names: list[str] | None) -> set[str] | None:
    return None if names is None else set(names)


def _copy(traffic: Traffic, name: str, to: str) -> None:
    account = traffic.account(name)
    if account is not None:
        traffic.put(to, *account)


def _shown(traffic: Traffic) -> object:
    """All that can be asked of it."""
    accounts = {name: traffic.account(name) for name in traffic.names()}
    active = [traffic.active(NOW + days * DAY_MS) for days in (-8, 0, 3, 7, 20, 40)]
    return accounts, active, len(traffic), traffic.evicted, traffic.addresses_too_long


@given(st.lists(ACTS, max_size=120), st.integers(2, 12), st.integers(2, 12), st.integers(1, 8))
@settings(max_examples=150, deadline=None)
def test_the_core_counts_as_the_plain_one_does(acts: list[Act], mailboxes: int, mails: int, changed: int) -> None:
    plain, core = (
        make(mailboxes=mailboxes, recent_mails=mails, address_characters=30, changed=changed)
        for make in (PlainTraffic, _core.Traffic)
    )
    for act in acts:
        assert act(plain) == act(core)
    assert _shown(plain) == _shown(core)


@given(st.lists(st.tuples(TIMES, st.integers(0, 1 << 40)), min_size=1, max_size=600))
@settings(max_examples=30, deadline=None)
def test_a_busy_mailbox_has_the_same_slots(mails: list[tuple[int, int]]) -> None:
    plain, core = (
        make(mailboxes=10, recent_mails=10, address_characters=320, changed=10)
        for make in (PlainTraffic, _core.Traffic)
    )
    for number, (at_ms, octets) in enumerate(mails):
        for traffic in (plain, core):
            traffic.count("ann@corp.example", ["bob@corp.example"], at_ms + number * 300_000, octets, 0)
    assert _shown(plain) == _shown(core)
