"""Whatever both sides say, in any order and however it is cut: the splice answers, and says no more than is true."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.taps.relay.port import PASS, Conduct, Ruling
from sensor.taps.relay.state import State
from tests.taps.relay.playing import BANNER, EHLO, ENVELOPE, GO_ON, OFFERS, Play

CLIENT = st.sampled_from(
    [
        EHLO,
        b"LHLO x\r\n",
        b"HELO x\r\n",
        b"MAIL FROM:<a@b>\r\n",
        b"RCPT TO:<c@d>\r\n",
        b"DATA\r\n",
        b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n",
        b"Subject: a\r\n\r\n",
        b"X-Tag: b\r\n",
        b"body\n.\r\n",
        b"\r\n.\r\n",
        b".\r\n",
        b"body\r\n.\r\nQUIT\r\n",
        b"AUTH LOGIN\r\n",
        b"RSET\r\n",
        b"QUIT\r\n",
        b"BDAT 3\r\nabc",
        b"XCLIENT ADDR=192.0.2.1\r\n",
        b"NOOP",
        b"\n",
        b"\0\r\n",
    ]
)
SERVER = st.sampled_from(
    [
        BANNER,
        OFFERS,
        GO_ON,
        b"250 Ok\r\n",
        b"334 \r\n",
        b"421 Bye\r\n",
        b"451 Later\r\n",
        b"554-No\r\n554 No\r\n",
        b"250-",
        b"x",
        b"\r\n",
    ]
)
HAPPENINGS = ("next_hop_lost", "next_hop_silent", "client_done", "client_lost", "client_silent", "stop")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("client"), CLIENT),
        st.tuples(st.just("server"), SERVER),
        st.just(("envelope", b"")),
        st.tuples(st.sampled_from(HAPPENINGS), st.just(b"")),
    ),
    max_size=25,
)
CONDUCT = st.builds(
    lambda judged, refuses, trusted: Conduct(
        judges=judged[0], tag_name=judged[1], refuses_smuggling=refuses, is_trusted=trusted
    ),
    st.sampled_from([(False, None), (True, None), (True, b"X-Tag")]),
    st.booleans(),
    st.booleans(),
)
RULING = st.sampled_from([PASS, Ruling(), Ruling(tag=b"X-Tag: a\r\n"), Ruling(refusal=b"550 5.7.1 No\r\n")])


# A dialogue that goes well, so that the road is long.
WELL = [*zip(ENVELOPE.splitlines(keepends=True), (b"250 Ok\r\n", b"250 Ok\r\n", GO_ON), strict=True)]


def play(
    steps: list[tuple[str, bytes]], conduct: Conduct, ruling: Ruling, *, by_octets: bool, has_shortcut: bool = True
) -> Play:
    session = (
        Play(conduct, ruling=ruling, by_octets=by_octets, has_shortcut=has_shortcut)
        .server(BANNER)
        .client(EHLO)
        .server(OFFERS)
    )
    for name, octets in steps:
        if name == "envelope":
            for command, reply in WELL:
                take(session, "client", command)
                take(session, "server", reply)
        else:
            take(session, name, octets)
    return session


def take(session: Play, name: str, octets: bytes) -> None:
    """One step. What a connection would say after it has closed never arrives."""
    if name == "server":
        if not session.port.next_hop_is_closed:
            session.server(octets)
    elif session.splice.state is State.OVER:
        return
    elif name == "client":
        session.client(octets)
    else:
        getattr(session.splice, name)()


# Whether a stop finds a mail on its way is a question of time, and so of cuts.
@settings(deadline=None)
@given(STEPS.map(lambda steps: [each for each in steps if each[0] != "stop"]), CONDUCT, RULING)
def test_the_answers_do_not_depend_on_how_octets_are_cut(
    steps: list[tuple[str, bytes]], conduct: Conduct, ruling: Ruling
) -> None:
    whole, cut = (play(steps, conduct, ruling, by_octets=each) for each in (False, True))
    assert cut.port.client == whole.port.client
    assert cut.splice.state is whole.splice.state
    assert cut.port.done == whole.port.done
    assert cut.port.saw(from_client=False) == whole.port.saw(from_client=False)
    # An abort takes back what is not sent yet: of octets together that is more.
    longer, shorter = cut.port.next_hop, whole.port.next_hop
    assert longer == shorter or ("abort_next_hop" in cut.port.done and longer.startswith(shorter))


@settings(deadline=None)
@given(STEPS, CONDUCT, RULING)
def test_the_shortcut_changes_nothing(steps: list[tuple[str, bytes]], conduct: Conduct, ruling: Ruling) -> None:
    short, long = (play(steps, conduct, ruling, by_octets=False, has_shortcut=each) for each in (True, False))
    assert (short.port.client, short.port.next_hop) == (long.port.client, long.port.next_hop)
    assert short.port.done == long.port.done
    for from_client in (True, False):
        assert short.port.saw(from_client=from_client) == long.port.saw(from_client=from_client)
    assert short.port.judged_on == long.port.judged_on
    assert short.counts.all() == long.counts.all()
    assert short.splice.waits_for_next_hop == long.splice.waits_for_next_hop
    # Both stand in the same place, too: what comes next is heard alike.
    for session in (short, long):
        take(session, "server", b"250 Ok\r\n")
        take(session, "client", b"x\r\n.\r\nNOOP\r\n")
    assert (short.port.client, short.port.next_hop) == (long.port.client, long.port.next_hop)


def test_plain_mail_takes_the_shortcut_all_the_way() -> None:
    session = play([], Conduct(judges=True), PASS, by_octets=False)
    for number in (1, 2):
        for command, reply in WELL:
            session.client(command).server(reply)
        session.client(b"Subject: a\r\n\r\n").client(b"..body\r\n.\r\n").server(b"250 2.0.0 Taken\r\n")
        # Five pieces of the client's, a dot for itself after the verdict, and four replies.
        assert session.port.passed_short == 10 * number
    assert session.counts["mails_taken"] == 2


@settings(deadline=None)
@given(STEPS, CONDUCT, RULING)
def test_no_mail_is_taken_whose_dot_did_not_pass(
    steps: list[tuple[str, bytes]], conduct: Conduct, ruling: Ruling
) -> None:
    session = play(steps, conduct, ruling, by_octets=False)
    if ruling.refusal is not None and conduct.judges:
        assert session.counts["mails_passed"] == 0
    if session.counts["mails_passed"] == 0:
        assert session.counts["mails_taken"] == 0
    # All that is over is closed, both ways.
    if session.splice.state is State.OVER:
        assert "close_client" in session.port.done
        assert session.port.next_hop_is_closed or any(name == "next_hop_lost" for name, _ in steps)
