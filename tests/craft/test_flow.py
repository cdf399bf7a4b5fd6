"""The segments of a dialogue are those of two honest stacks, and what the span does to them is what was asked for."""

import pytest

from tests.builders import ACK, FIN, MODULUS, RST, SYN, Dialogue, Flow, message, stuffed


def short() -> Dialogue:
    return Dialogue().greet("HELO a.example").quit()


def streams(flow: Flow) -> dict[str, bytes]:
    """Both streams put together by sequence number, the slow way."""
    told: dict[str, dict[int, int]] = {"c": {}, "s": {}}
    starts = {segment.side: segment.seq for segment in flow.segments if segment.flags & SYN}
    for segment in flow.segments:
        for place, octet in enumerate(segment.payload):
            told[segment.side].setdefault((segment.seq - starts[segment.side] - 1 + place) % MODULUS, octet)
    return {side: bytes(octets[at] for at in sorted(octets)) for side, octets in told.items()}


def test_lockstep_dialogue_has_handshake_piggybacked_acks_and_fins() -> None:
    """Commands and replies acknowledge each other; only the handshake and the end carry pure ACKs."""
    names = [segment.name for segment in short().flow().segments]
    assert names == ["c.syn", "s.syn", "c.ack", "s1", "c1", "s2", "c2", "s3", "c.ack", "c.fin", "s.fin", "c.ack"]


def test_every_ack_is_what_was_received() -> None:
    """No side acknowledges what the other has not sent, and every segment with payload acknowledges all before it."""
    flow = Dialogue().greet().envelope().data(message(body="x" * 9000 + "\r\n")).quit().flow(mss=536)
    sent = {"c": 0, "s": 0}
    for segment in flow.segments:
        other = "s" if segment.side == "c" else "c"
        if segment.payload or segment.flags & FIN:
            assert segment.ack == sent[other]
        sent[segment.side] = (segment.seq + len(segment.payload) + bool(segment.flags & (SYN | FIN))) % MODULUS


@pytest.mark.parametrize("isn", [(0, 0), (MODULUS - 1, MODULUS - 20), (MODULUS - 300, 5)])
def test_streams_survive_any_initial_sequence_number(isn: tuple[int, int]) -> None:
    """Numbers wrap, octets do not."""
    dialogue = Dialogue().greet().envelope().data().quit()
    written = {side: b"".join(turn.octets for turn in dialogue.turns if turn.side == side) for side in "cs"}
    assert streams(dialogue.flow(isn=isn, mss=100)) == written


def test_cuts_and_order_change_no_octet() -> None:
    """Cut, swapped, repeated and delayed segments still spell the same streams."""
    flow = Dialogue().greet().envelope().data().quit().flow()
    whole = streams(flow)
    flow.cut(b"MAIL FROM", 4, 9).cut_all(7).swap("c1.0", "s2.4").repeat("c1.1", times=3)
    flow.delay("s1.0", 50).move("c.fin", before="c.syn")
    assert streams(flow) == whole
    assert [segment.at_ns for segment in flow.segments] == sorted(segment.at_ns for segment in flow.segments)


def test_loss_takes_away_only_what_was_named() -> None:
    """A lost segment is gone, its neighbours and the ACKs stay, and the story tells of it."""
    flow = Dialogue().greet().envelope().quit().flow()
    count = len(flow.segments)
    flow.lose(b"MAIL FROM")
    assert len(flow.segments) == count - 1
    assert b"MAIL FROM" not in streams(flow)["c"]
    assert "lost" in flow.story()


def test_naming_a_segment_that_is_not_there_is_an_error() -> None:
    """A fault that hits nothing must not pass for a test."""
    with pytest.raises(LookupError):
        short().flow().lose(b"no such text")


def test_half_close_and_reset_end_the_dialogue_themselves() -> None:
    """After `fin` or `rst` no further close is made up."""
    half = Dialogue().s("220 mx").fin("c").s("421 bye").flow().segments
    assert [segment.side for segment in half if segment.flags & FIN] == ["c"]
    assert short().rst("s").flow().segments[-1].flags & RST
    assert not short().flow(close=None).segments[-1].flags & FIN


def test_keepalive_repeats_the_octet_before_the_next() -> None:
    """A probe lies one below the next sequence number and is answered by a pure ACK."""
    flow = Dialogue().s("220 mx").keepalive("s").c("QUIT").flow()
    probe, answer = flow["s.keepalive"], flow.segments[flow.index("s.keepalive") + 1]
    assert probe.seq == (flow["s1"].seq + len(flow["s1"].payload) - 1) % MODULUS
    assert answer.flags == ACK


def test_one_direction_and_midstream() -> None:
    """`only` and `since` leave nothing of the other side, nothing of before."""
    flow = Dialogue().greet().envelope().quit().flow()
    assert {segment.side for segment in flow.only("c").segments} == {"c"}
    assert flow.since(b"MAIL").segments[0].payload.startswith(b"MAIL")


def test_stuffing_doubles_leading_dots_and_ends_with_a_lone_one() -> None:
    """RFC 5321 4.5.2, on the first line and on others, with and without a last line end."""
    assert stuffed(b".a\r\nb\r\n..c") == b"..a\r\nb\r\n...c\r\n.\r\n"
    assert stuffed(b"") == b".\r\n"
