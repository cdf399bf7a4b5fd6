"""What could not be seen: sessions in TLS and mail that passed unseen, by hour, by mailbox, across a restart."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.coverage import HOUR_MS, HOURS_KEPT, ClearSessions, UnseenByMailbox

HOURS = st.integers(0, 60)


@pytest.mark.parametrize(
    ("clear", "tls", "unseen", "share"),
    [(0, 0, 0, None), (4, 0, 0, 1.0), (1, 3, 0, 0.25), (1, 0, 3, 0.25), (2, 1, 1, 0.5), (0, 0, 1, 0.0)],
)
def test_mail_that_passed_unseen_counts_against_the_share_like_a_session_in_tls(
    clear: int, tls: int, unseen: int, share: float | None
) -> None:
    sessions = ClearSessions()
    if clear or tls:
        sessions.add([(100, clear, tls)])
    if unseen:
        sessions.miss(100 * HOUR_MS, unseen)
    assert sessions.lately(100 * HOUR_MS) == (share, unseen)


@given(st.lists(st.tuples(HOURS, st.integers(0, 5), st.integers(0, 5), st.integers(0, 5)), max_size=30), HOURS)
def test_counts_are_those_of_the_last_24_hours(seen: list[tuple[int, int, int, int]], now: int) -> None:
    """Against the definition, as long as no more hours are seen than are kept."""
    seen = [each for each in seen if each[0] < HOURS_KEPT]
    sessions = ClearSessions()
    for hour, clear, tls, unseen in seen:
        sessions.add([(hour, clear, tls)])
        sessions.miss(hour * HOUR_MS + 1, unseen)
    lately = [each for each in seen if now - 24 < each[0] <= now]
    clear, tls, unseen = (sum(each[part] for each in lately) for part in (1, 2, 3))
    share = clear / (clear + tls + unseen) if clear + tls + unseen else None
    assert sessions.lately(now * HOUR_MS) == (share, unseen)


@given(st.lists(st.tuples(st.integers(), st.integers(0, 5), st.integers(0, 5)), max_size=80))
def test_hours_go_on_behind_a_restart_and_are_bounded(seen: list[tuple[int, int, int]]) -> None:
    before, after = ClearSessions(), ClearSessions()
    before.add(seen)
    after.restore(before.encode())
    assert after.encode() == before.encode()
    assert len(msgspec.json.decode(after.encode())) <= HOURS_KEPT


def test_mailboxes_are_counted_by_the_hour() -> None:
    unseen = UnseenByMailbox()
    for hour in (1, 1, 2, 30):
        unseen.add("ann@corp.example", hour * HOUR_MS)
    assert [unseen.lately("ann@corp.example", hour * HOUR_MS) for hour in (0, 1, 2, 25, 26, 30)] == [0, 2, 3, 1, 0, 1]
    assert unseen.lately("bob@corp.example", HOUR_MS) == 0


def test_mailboxes_are_bounded_and_those_told_of_longest_ago_go_first() -> None:
    unseen = UnseenByMailbox({"unseen_mailboxes": 2})
    for mailbox in ("a@x", "b@x", "a@x", "c@x"):
        unseen.add(mailbox, HOUR_MS)
    assert Counter({each: unseen.lately(each, HOUR_MS) for each in ("a@x", "b@x", "c@x")}) == Counter(
        {"a@x": 2, "b@x": 0, "c@x": 1}
    )
    assert unseen.forgotten == 1


@given(st.lists(st.integers(), max_size=60))
def test_a_mailbox_keeps_no_more_hours_than_a_day_has(hours: list[int]) -> None:
    unseen = UnseenByMailbox()
    for hour in hours:
        unseen.add("a@x", hour * HOUR_MS)
    assert sum(unseen.lately("a@x", hour * HOUR_MS) > 0 for hour in set(hours)) <= max(24, len(hours))
