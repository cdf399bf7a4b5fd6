"""The oracle reads dialogues as their makers meant them."""

from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import CLIENT6, SERVER6, Capture, Dialogue, capture, message
from tests.oracle import read_capture, streams_of
from tests.span_strategies import harmless, lossy
from tests.strategies import Scripted, dialogues


def same(read: list[dict[str, object]], truth: list[dict[str, object]]) -> None:
    """Every key that the truth determines is read alike."""
    assert [{key: record.get(key) for key in told} for record, told in zip(read, truth, strict=False)] == truth
    assert len(read) == len(truth)


@given(dialogues())
@settings(deadline=None)
def test_random_dialogues_read_as_they_were_meant(scripted: Scripted) -> None:
    """Truth in, truth out, through the whole capture."""
    same(read_capture(capture(scripted.dialogue.flow()).octets), scripted.truth)


@given(dialogues(most_mails=2))
@settings(deadline=None, max_examples=50)
def test_segmentation_does_not_matter(scripted: Scripted) -> None:
    """Small segments over IPv6, shown back to front, from numbers that wrap."""
    flow = scripted.dialogue.flow(client=CLIENT6, server=SERVER6, isn=(2**32 - 50, 2**32 - 9)).cut_all(11)
    same(read_capture(capture(flow.arrange(flow.segments[::-1])).octets), scripted.truth)


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_harmless_faults_change_nothing(data: st.DataObject) -> None:
    """Whatever the span does to order and shape, the dialogue stays the same."""
    scripted = data.draw(dialogues(most_mails=2))
    flow = data.draw(harmless(scripted.dialogue.flow()))
    same(read_capture(capture(flow).octets), scripted.truth)


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_lossy_faults_take_only_what_they_name(data: st.DataObject) -> None:
    """What is left and what was lost are the whole flow's octets."""
    flow = data.draw(dialogues(most_mails=2)).dialogue.flow()
    left, lost = data.draw(lossy(flow))
    octets = sum(len(segment.payload) for segment in [*left.segments, *lost])
    assert lost
    assert octets == sum(len(segment.payload) for segment in flow.segments)


def test_a_session_goes_dark_at_tls() -> None:
    """What follows STARTTLS is not read as commands; a refused STARTTLS is."""
    dark = Dialogue().greet().c("STARTTLS").s("220 Go ahead").c_raw(b"\x16\x03\x01MAIL FROM:<a@b.example>\r\n")
    clear = Dialogue().greet().c("STARTTLS").s("454 Not now").envelope().data().quit()
    assert read_capture(capture(dark.flow()).octets) == []
    assert [record["outcome"] for record in read_capture(capture(clear.flow()).octets)] == ["delivered"]


@pytest.mark.parametrize("reply", ["554 5.7.1 No", "451 4.3.0 Later", "250 Ok"])
def test_the_reply_after_the_dot_decides(reply: str) -> None:
    """A mail refused after its content is not delivered mail."""
    (record,) = read_capture(capture(Dialogue().greet().envelope().data(reply=reply).quit().flow()).octets)
    assert record["outcome"] == {"5": "rejected", "4": "deferred", "2": "delivered"}[reply[0]]
    assert record["reply_code"] == int(reply[:3])


def test_inner_messages_keep_their_headers_to_themselves() -> None:
    """An attached message is one attachment, and its subject is not the mail's."""
    inner = message("inner", message_id="inner@x.example")
    body = b"--b\r\nContent-Type: message/rfc822\r\n\r\n" + inner + b"\r\n--b--\r\n"
    content = message("outer", fields=('Content-Type: multipart/mixed; boundary="b"',), body=body)
    (record,) = read_capture(capture(Dialogue().greet().envelope().data(content).quit().flow()).octets)
    attached = cast("list[dict[str, object]]", record["attachments"])
    assert record["subject"] == "outer"
    assert attached == [{"filename": None, "content_type": "message/rfc822", "size_octets": len(inner)}]


def test_a_hole_or_a_second_use_is_refused() -> None:
    """It reads whole captures only, and says so rather than guess."""
    with pytest.raises(ValueError, match="whole"):
        streams_of(capture(Dialogue().greet().quit().flow().lose(b"EHLO")).octets)
    twice: Capture = capture(Dialogue().greet().quit().flow().then(Dialogue().greet().quit().flow(isn=(5, 6))))
    with pytest.raises(ValueError, match="again"):
        streams_of(twice.octets)
