"""What the span port does to segments must not change what is told; what it loses must be owned up to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import CLIENT6, SERVER6, Capture, Dialogue, capture
from tests.oracle import read_capture
from tests.sensing import Record, Told, told_of
from tests.span_strategies import harmless, lossy
from tests.strategies import Scripted, dialogues
from tests.test_pcaps import SCHEMA
from tests.truth import differences, is_incomplete

# Times and places in a record that depend on which segment carried what.
UNSTABLE = ("started_at", "ended_at", "id")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("captures")


def tell(made: Capture, here: Path) -> Told:
    path = here / f"input{made.suffix}"
    path.write_bytes(made.octets)
    told = told_of(path)
    for record in told.records:
        SCHEMA.validate(record)
    return told


def facts(told: Told) -> list[Record]:
    """The records without what depends on segments."""
    return [{key: value for key, value in record.items() if key not in UNSTABLE} for record in told.records]


def untrue(told: Told, truth: list[dict[str, object]]) -> Iterator[str]:
    if len(told.transactions) != len(truth):
        yield f"{len(told.transactions)} records, not {len(truth)}"
    for number, (expected, record) in enumerate(zip(truth, told.transactions, strict=False)):
        yield from (f"{number}: {difference}" for difference in differences(expected, record))


@given(scripted=dialogues())
@settings(deadline=None, max_examples=150)
def test_random_dialogues_are_told_as_they_were_meant(here: Path, scripted: Scripted) -> None:
    """Truth in, truth out; and no planted secret."""
    told = tell(capture(scripted.dialogue.flow()), here)
    assert list(untrue(told, scripted.truth)) == []
    assert not any(secret.encode() in told.lines for secret in scripted.secrets)
    assert not any(is_incomplete(record) for record in told.transactions if record["outcome"] == "delivered")


@given(scripted=dialogues())
@settings(deadline=None, max_examples=100)
def test_the_second_opinion_agrees(here: Path, scripted: Scripted) -> None:
    """dpkt, a plain reader and the standard email package tell the same of the same octets."""
    made = capture(scripted.dialogue.flow())
    assert list(untrue(tell(made, here), _comparable(read_capture(made.octets)))) == []


def _comparable(records: list[dict[str, object]]) -> list[dict[str, Any]]:
    """What both tell of a transaction whose content was transferred, or of its envelope alone."""
    envelope = ("reverse_path", "recipients", "outcome", "reply_code", "helo", "protocol", "auth_user")
    content = ("subject", "message_id", "size_octets")
    keys = (*envelope, *content)
    return [{key: record[key] for key in keys if record.get(key) is not None} for record in records]


@given(data=st.data())
@settings(deadline=None, max_examples=150)
def test_harmless_faults_change_nothing(here: Path, data: st.DataObject) -> None:
    """Cut, moved, repeated, overlapped: the records are the same, and whole."""
    flow = data.draw(dialogues(most_mails=2)).dialogue.flow()
    untouched = facts(tell(capture(flow), here))
    assert facts(tell(capture(data.draw(harmless(flow))), here)) == untouched


@given(data=st.data())
@settings(deadline=None, max_examples=50)
def test_addresses_and_sequence_numbers_do_not_matter(here: Path, data: st.DataObject) -> None:
    """IPv6, numbers that wrap, one octet a segment."""
    scripted = data.draw(dialogues(most_mails=2))
    flow = scripted.dialogue.flow(client=CLIENT6, server=SERVER6, isn=(2**32 - 50, 2**32 - 9)).cut_all(5)
    assert list(untrue(tell(capture(flow), here), scripted.truth)) == []


@given(data=st.data())
@settings(deadline=None, max_examples=150)
def test_what_was_lost_is_owned_up_to(here: Path, data: st.DataObject) -> None:
    """A record that claims to be complete is true; one that is not says so; none is made up."""
    scripted = data.draw(dialogues(most_mails=3))
    left, lost = data.draw(lossy(scripted.dialogue.flow(), most=1))
    told = tell(capture(left), here)
    complete = [record for record in told.transactions if not is_incomplete(record)]
    rest = iter(scripted.truth)
    for record in complete:
        assert any(not list(differences(truth, record)) for truth in rest), _nearest(scripted, record)
    assert len(told.transactions) <= len(scripted.truth) + len(lost)


@given(data=st.data())
@settings(deadline=None, max_examples=100)
def test_many_losses_are_survived(here: Path, data: st.DataObject) -> None:
    """Whatever goes missing: no more records than mails and losses can make, and octets that are missing are told."""
    scripted = data.draw(dialogues(most_mails=3))
    left, lost = data.draw(lossy(scripted.dialogue.flow(), most=12))
    told = tell(capture(left), here)
    assert len(told.transactions) <= len(scripted.truth) + len(lost)
    assert not any(secret.encode() in told.lines for secret in scripted.secrets)


def _nearest(scripted: Scripted, record: Record) -> list[str]:
    """What the record says otherwise than the truth it is nearest to."""
    return min((list(differences(truth, record)) for truth in scripted.truth), key=len)


@pytest.mark.parametrize("lost", range(29))
def test_each_lost_segment_of_three_mails_leaves_the_other_mails_whole(here: Path, lost: int) -> None:
    """A session of three mails in lockstep: one lost segment touches one mail."""
    flow = Dialogue.three().flow()
    truth = tell(capture(flow), here).transactions
    with_payload = [place for place, segment in enumerate(flow.segments) if segment.payload]
    if lost >= len(with_payload):
        pytest.fail(f"the dialogue has only {len(with_payload)} segments with payload: mend the range")
    del flow.segments[with_payload[lost]]
    told = tell(capture(flow), here).transactions
    subjects = [(record["header"] or {}).get("subject") for record in told]
    # Without the client's greeting, what is known of the session is not whole, and each of its mails says so.
    greeting = lost == 1
    whole = [record for record in told if (greeting or not is_incomplete(record)) and record["outcome"] == "delivered"]
    assert len(whole) >= len(truth) - 1, subjects
    assert len(told) <= len(truth)
