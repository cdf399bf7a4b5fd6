"""User or administrator: marks decide, the share is only a hint, and a conflict is told as one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.classify.artifacts import load_table
from sensor.detect.level import MARKS, MAX_NAMED, Marks, argue
from sensor.model import Artifact, Level


def marks(*forwards: tuple[Level, str | None, int]) -> Marks:
    counted = Marks()
    for level, slug, times in forwards:
        for _ in range(times):
            counted.add(level, () if slug is None else (Artifact(slug=slug, field="F", value="v"),))
    return counted


@pytest.mark.parametrize(
    ("counted", "level", "words"),
    [
        (
            marks(("user", "exchange_inbox_rules_loop", 9)),
            "user",
            "9 forwards carry what a user's own rule writes (X-MS-Exchange-Inbox-Rules-Loop, written by the mailbox's",
        ),
        (
            marks(("user", "google_caf", 1), ("either", "exchange_srs", 3)),
            "user",
            "1 of 4 forwards carries what a user's",
        ),
        (
            marks(("admin", "exchange_transport_rules_loop", 4)),
            "admin",
            "4 forwards carry what only an administrator sets up (X-MS-Exchange-Transport-Rules-Loop",
        ),
        (marks(("either", "exchange_forwarding_loop", 2)), "either", "(X-MS-Exchange-ForwardingLoop"),
        (marks(("either", "my_own_mark", 1)), "either", "1 forward carries marks that a user's and an administrator's"),
        (marks(("unknown", None, 3)), "unknown", "No mark tells who set this up."),
        (marks(), "unknown", "No mark tells who set this up."),
        (
            marks(("user", "google_caf", 3), ("admin", "google_original_to", 1)),
            "either",
            "3 forwards carry a user's mark",
        ),
        (
            marks(("user", "google_caf", 30), ("admin", None, 1)),
            "user",
            "1 an administrator's: the two disagree, and most",
        ),
        (marks(("user", None, 1), ("admin", None, 30)), "admin", "and most speak for an administrator."),
    ],
)
def test_marks_decide(counted: Marks, level: Level, words: str) -> None:
    argued, reason = argue(counted)
    assert argued == level
    assert words in reason


@pytest.mark.parametrize(
    ("level", "unforwarded", "looking", "hinted"),
    [
        ("either", 60, 0, True),
        ("unknown", 60, 0, True),
        ("either", 60, 20, False),
        ("either", 3, 0, False),
        ("user", 60, 0, False),
        ("admin", 60, 0, False),
    ],
)
def test_the_share_is_told_as_a_hint_where_no_mark_decides(
    level: Level, unforwarded: int, looking: int, *, hinted: bool
) -> None:
    argued, reason = argue(marks((level, None, 5)), unforwarded=unforwarded, looking_forwarded=looking)
    assert argued == level
    assert ("ATT&CK" in reason) is hinted
    assert ("redirect rule looks the same" in reason) is hinted


def test_marks_that_are_explained_are_in_the_table_and_of_its_level() -> None:
    of_table = {row.slug: row.level for row in load_table().rows}
    assert {slug: level for slug, (level, _) in MARKS.items()} == {slug: of_table[slug] for slug in MARKS}


@given(st.lists(st.tuples(st.sampled_from(["user", "admin", "either", "unknown"]), st.text(max_size=100)), max_size=60))
def test_any_marks_give_a_level_and_a_reason_in_bounds(forwards: list[tuple[Level, str]]) -> None:
    counted = marks(*((level, slug, 1) for level, slug in forwards))
    assert counted.total == len(forwards)
    assert len(counted.named) <= MAX_NAMED
    level, reason = argue(counted, unforwarded=len(forwards))
    assert level in {"user", "admin", "either", "unknown"}
    assert 0 < len(reason) < 600
