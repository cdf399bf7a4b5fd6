"""Findings: stable ids, bounds on everything that comes from mail, and what was not seen is said."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.detect.base import DAY_MS, HOUR_MS
from sensor.detect.claim import MAX_LINES_OCTETS, Exhibits, claim, cut
from sensor.detect.events import Context, stable_id
from sensor.model import Artifact, Confidence, Exhibit, Finding


def made(**changes: Any) -> Finding:
    facts: dict[str, Any] = {
        "detector": "d",
        "key": "ann@corp.example",
        "episode": "e1",
        "summary": "ann@corp.example forwards",
        "first_seen_ms": 10 * DAY_MS,
        "last_seen_ms": 20 * DAY_MS,
        "context": Context(clear_share=1.0, sensor_since_ms=0),
    }
    return claim(**(facts | changes))


def test_id_follows_from_detector_key_and_episode_alone() -> None:
    assert made().id == stable_id("d", "ann@corp.example", "e1")
    assert made(summary="other", last_seen_ms=30 * DAY_MS, counts={"forwards": 9}).id == made().id
    assert len({made().id, made(detector="x").id, made(key="bob@corp.example").id, made(episode="e2").id}) == 4


@pytest.mark.parametrize(
    ("share", "confidence", "expected", "gap"),
    [
        (1.0, "high", "high", None),
        (0.95, "high", "high", None),
        (0.7, "high", "high", "30% of mail sessions in the last 24 hours were hidden in TLS."),
        (0.49, "high", "medium", "51% of mail sessions in the last 24 hours were hidden in TLS."),
        (0.1, "medium", "low", "90% of mail sessions in the last 24 hours were hidden in TLS."),
        (0.0, "low", "low", "100% of mail sessions in the last 24 hours were hidden in TLS."),
        (None, "high", "high", "How much mail passed unseen in TLS is not known."),
    ],
)
def test_what_was_hidden_is_told_and_lowers_confidence(
    share: float | None, confidence: Confidence, expected: Confidence, gap: str | None
) -> None:
    finding = made(context=Context(clear_share=share, sensor_since_ms=0), confidence=confidence)
    assert finding.confidence == expected
    assert finding.gaps == (() if gap is None else (gap,))
    assert finding.coverage.clear_share == share


@pytest.mark.parametrize(
    ("unseen", "of_mailbox", "gap"),
    [
        (1, 0, "In the last 24 hours 1 mail passed the sensor unseen."),
        (1_200, 0, "In the last 24 hours 1,200 mails passed the sensor unseen."),
        (3, 1, "In the last 24 hours 3 mails passed the sensor unseen, 1 of them known to be of this mailbox."),
        (3, 9, "In the last 24 hours 3 mails passed the sensor unseen, 3 of them known to be of this mailbox."),
    ],
)
def test_mail_that_passed_unseen_is_told_however_little_it_was(unseen: int, of_mailbox: int, gap: str) -> None:
    context = Context(clear_share=0.999, sensor_since_ms=0, unseen_24h=unseen, mailbox_unseen_24h=of_mailbox)
    finding = made(mailbox="ann@corp.example", context=context)
    assert finding.gaps == (gap,)
    assert (finding.coverage.unseen_mails, finding.coverage.unseen_of_mailbox) == (unseen, of_mailbox)


def test_where_much_passed_unseen_the_share_does_not_blame_tls_alone() -> None:
    context = Context(clear_share=0.4, sensor_since_ms=0, unseen_24h=6)
    finding = made(context=context, confidence="high")
    assert finding.confidence == "medium"
    share = "60% of mail sessions in the last 24 hours were hidden in TLS, or passed the sensor unseen."
    assert finding.gaps == (share, "In the last 24 hours 6 mails passed the sensor unseen.")


@pytest.mark.parametrize(("seen", "expected"), [(4, "high"), (3, "high"), (2, "medium"), (0, "medium")])
def test_a_mailbox_of_which_more_passed_than_was_seen_is_told_with_less_confidence(
    seen: int, expected: Confidence
) -> None:
    context = Context(
        clear_share=0.99, sensor_since_ms=0, unseen_24h=3, mailbox_unseen_24h=3, received_24h=seen // 2,
        sent_24h=seen - seen // 2,
    )  # fmt: skip
    finding = made(mailbox="ann@corp.example", context=context, confidence="high")
    assert finding.confidence == expected
    assert ("More of this mailbox's mail passed unseen" in finding.confidence_reason) == (expected == "medium")


@pytest.mark.parametrize(
    ("watched_ms", "words"),
    [(0, "less than an hour"), (HOUR_MS, "1 hour only"), (30 * HOUR_MS, "30 hours"), (3 * DAY_MS, "3 days")],
)
def test_a_young_sensor_says_so(watched_ms: int, words: str) -> None:
    context = Context(clear_share=1.0, sensor_since_ms=20 * DAY_MS - watched_ms)
    [gap] = made(context=context).gaps
    assert words in gap


def test_lost_octets_are_told() -> None:
    finding = made(missing_octets=12_345)
    assert finding.coverage.missing_octets == 12_345
    assert finding.gaps == ("12,345 octets of the mails in question were lost on the way to the sensor.",)


def test_addresses_are_each_named_once_and_the_rest_is_counted() -> None:
    destinations = [f"d{i}@dst.example" for i in range(40)]
    finding = made(
        mailbox="ann@corp.example", mailboxes=["ann@corp.example", "bob@corp.example"], destinations=destinations * 2
    )
    assert finding.mailboxes == ("ann@corp.example", "bob@corp.example")
    assert finding.destinations == tuple(destinations[:32])
    assert finding.gaps == ("8 more destinations are not named here.",)


def test_exhibits_are_the_first_and_the_latest() -> None:
    exhibits = Exhibits()
    for i in range(100):
        exhibits.add(f"t{i}", i)
    names = [exhibit.transaction_id for exhibit in made(exhibits=exhibits.all()).exhibits]
    assert names == [f"t{i}" for i in (*range(8), *range(92, 100))]


def test_lines_of_one_mail_share_a_bound() -> None:
    exhibits = Exhibits()
    exhibits.add("t", 1, [Artifact(slug="s", field="F", value="v" * 5_000)] * 50)
    [exhibit] = exhibits.all()
    assert 0 < len(exhibit.lines) <= 8
    assert sum(len(line.value.encode()) for line in exhibit.lines) <= MAX_LINES_OCTETS


@pytest.mark.parametrize(
    ("text", "octets", "expected"),
    [
        ("plain", 5, "plain"),
        ("plainer", 5, "pl…"),
        ("üüü", 5, "ü…"),
        ("a\r\nb", 20, "a\\r\\nb"),
        ("\x1b[2J", 20, "\\x1b[2J"),
        ("right\u202eleft", 20, "right\\u202eleft"),
        ("\ud800", 20, "\\ud800"),
        ("über", 20, "über"),
    ],
)
def test_text_from_mail_becomes_one_printable_line(text: str, octets: int, expected: str) -> None:
    assert cut(text, octets) == expected


@given(st.text(st.characters(), max_size=400), st.lists(st.text(st.characters(), max_size=400), max_size=50))
def test_a_finding_is_printable_and_bounded_whatever_mail_holds(text: str, many: list[str]) -> None:
    lines = tuple(Artifact(slug=each, field=each, value=each) for each in many)
    finding = made(
        summary=text,
        level_reason=text,
        destinations=many,
        mailboxes=many,
        assumptions=[text],
        exhibits=[Exhibit(transaction_id="t", at_ms=1, lines=lines)] * 20,
    )
    texts = [finding.summary, finding.level_reason, *finding.destinations, *finding.mailboxes, *finding.assumptions]
    texts += [part for each in finding.exhibits for line in each.lines for part in (line.slug, line.field, line.value)]
    assert all(each.isprintable() and len(each.encode()) <= 1_024 for each in texts)
    assert all(len(each.encode()) <= 320 for each in (*finding.destinations, *finding.mailboxes))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(finding), type=Finding) == finding
