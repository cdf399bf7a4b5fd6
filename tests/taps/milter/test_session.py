"""One MTA connection: what the sensor makes of it, and what the MTA is answered."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.taps.milter.limits import Bounds
from sensor.taps.milter.message import Conduct
from sensor.taps.milter.negotiation import MACROS, Step
from sensor.taps.milter.protocol import ViolationError
from tests.taps.milter.packets import (
    ABORT,
    ALL_STEPS,
    END_OF_HEADER,
    QUIT,
    QUIT_FOR_NEXT,
    V2_ACTIONS,
    V2_STEPS,
    a_mail,
    answers_in,
    body,
    connect,
    end_of_message,
    header,
    helo,
    macros,
    mail,
    offer,
    packet,
    rcpt,
)
from tests.taps.milter.watching import Saying, Seen, Talk, Verdict, Watcher

GREETED = offer() + connect() + helo()
CONTINUE = packet(b"c")


def greeted(**parts: object) -> Talk:
    """A talk past its greeting, the answer to the offer passed over."""
    talk = Talk(**parts)  # type: ignore[arg-type]
    talk.say(GREETED)
    return talk


def terms_in(answer: bytes) -> tuple[int, int, int, bytes]:
    ((command, data),) = answers_in(answer)
    assert command == b"O"
    version, actions, steps = struct.unpack_from(">III", data)
    return version, actions, steps, data[12:]


# ---- the offer


def test_of_a_full_offer_all_that_serves_is_taken_and_steps_without_use_are_passed_over() -> None:
    version, actions, steps, _ = terms_in(Talk().say(offer()))
    assert version == 6
    assert actions == 0x01 | 0x10 | 0x20 | 0x100
    # Connection, HELO, MAIL, RCPT, header and body are shown; nothing before the end of message is answered.
    assert steps == ALL_STEPS & ~0x3F & ~Step.SKIP_BODY


@given(st.integers(2, 100), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.sampled_from(["all", "window"]))
def test_nothing_is_asked_for_that_was_not_offered(version: int, actions: int, steps: int, how: str) -> None:
    talk = Talk(conduct=Conduct(body="all" if how == "all" else "window"))
    agreed = terms_in(talk.say(offer(version, actions, steps)))
    assert agreed[0] == min(version, 6)
    assert agreed[1] & ~actions == 0
    assert agreed[2] & ~steps == 0
    assert bool(agreed[3]) == bool(actions & 0x100)


def test_macros_are_chosen_where_that_is_offered() -> None:
    told = terms_in(Talk().say(offer()))[3]
    for stage, names in MACROS.items():
        assert stage.to_bytes(4) + names + b"\0" in told


@pytest.mark.parametrize("version", [0, 1])
def test_a_version_nobody_speaks_any_more_is_a_violation(version: int) -> None:
    with pytest.raises(ViolationError, match="version"):
        Talk().say(offer(version))


@pytest.mark.parametrize("first", [connect(), mail(), end_of_message(), packet(b"K"), macros(b"C", j="mx")])
def test_what_begins_without_an_offer_is_a_violation(first: bytes) -> None:
    with pytest.raises(ViolationError, match="not with an offer"):
        Talk().say(first)


# ---- who answers when


def test_an_mta_that_needs_no_answers_gets_one_at_the_end_of_each_message() -> None:
    talk = greeted()
    assert talk.say(mail(), rcpt(), header("Subject", " x"), END_OF_HEADER, body(b"Hello")) == b""
    assert talk.say(end_of_message()) == CONTINUE


def test_an_mta_of_version_2_is_answered_at_each_step() -> None:
    talk = Talk()
    assert terms_in(talk.say(offer(2, V2_ACTIONS, V2_STEPS)))[:3] == (2, 0x31, 0x40)
    for step in (connect(), helo(), mail(), rcpt(), header("Subject", "x"), body(b"Hello\r\n"), end_of_message()):
        assert talk.say(step) == CONTINUE
    for unanswered in (macros(b"M", i="1"), ABORT, QUIT):
        assert talk.say(unanswered) == b""


def test_an_mta_that_shows_every_step_gets_its_answers() -> None:
    """Nothing can be passed over: end of header, DATA and unknown commands come, and are answered."""
    talk = Talk()
    talk.say(offer(6, 0, 0))
    steps = (connect(), helo(), packet(b"U", b"HOWDY\0"), mail(), rcpt(), packet(b"T"), header("A", "b"), END_OF_HEADER)
    for step in (*steps, body(b"x"), end_of_message()):
        assert talk.say(step) == CONTINUE
    assert talk.mails[0].content == b"A: b\r\n\r\nx"


# ---- the record


def test_a_mail_is_handed_on_as_it_was_on_the_wire() -> None:
    talk = greeted()
    talk.say(
        mail("<ann@corp.example>", "SIZE=100", "BODY=8BITMIME"),
        rcpt("<bob@partner.example>", "ORCPT=rfc822;bob@partner.example"),
        header("Received", " from a\n\tby b"),
        header("X-Odd", "no blank "),
        header("Subject", "  two"),
        END_OF_HEADER,
        body(b"Hello\r\n"),
        body(b".\r\n"),
    )
    talk.say(end_of_message(b"end\r\n"))
    (seen,) = talk.mails
    assert seen.content == (
        b"Received: from a\r\n\tby b\r\nX-Odd:no blank \r\nSubject:  two\r\n\r\nHello\r\n.\r\nend\r\n"
    )
    assert seen.envelope.reverse_path == "ann@corp.example"
    assert seen.envelope.parameters == {"SIZE": "100", "BODY": "8BITMIME"}
    assert seen.envelope.forward_paths[0].parameters == {"ORCPT": "rfc822;bob@partner.example"}
    assert (seen.outcome, seen.reply, seen.truncated) == ("delivered", None, False)
    assert seen.envelope.started_at_ns < (seen.ended_at_ns or 0)


@pytest.mark.parametrize(
    ("packets", "content"),
    [
        ([header("A", " b")], b"A: b\r\n\r\n"),
        ([], b"\r\n"),
        ([body(b"text")], b"\r\ntext"),
        ([END_OF_HEADER, body(b"text")], b"\r\ntext"),
        ([header("A", " b"), END_OF_HEADER], b"A: b\r\n\r\n"),
        ([header("A", " b"), body(b""), body(b"x")], b"A: b\r\n\r\nx"),
    ],
)
def test_header_and_body_are_parted_by_one_empty_line(packets: list[bytes], content: bytes) -> None:
    talk = greeted()
    talk.say(mail(), rcpt(), *packets, end_of_message())
    assert talk.mails[0].content == content


def test_without_leading_space_a_blank_is_put_behind_the_colon() -> None:
    talk = Talk()
    talk.say(offer(steps=ALL_STEPS & ~0x100000), connect(), helo(), mail(), rcpt(), header("A", "b"), end_of_message())
    assert talk.mails[0].content == b"A: b\r\n\r\n"


def test_a_long_header_section_is_handed_on_in_pieces_and_loses_nothing() -> None:
    talk = greeted()
    fields = [header("X", f" {number:040}") for number in range(5_000)]
    talk.say(mail(), rcpt(), *fields, end_of_message())
    assert talk.mails[0].content == b"".join(b"X: %040d\r\n" % number for number in range(5_000)) + b"\r\n"


def test_macros_tell_client_server_user_and_tls() -> None:
    talk = Talk()
    talk.say(
        offer(),
        macros(b"C", j="mx", **{"{daemon_addr}": "192.0.2.25", "{daemon_port}": "587"}),
        connect("198.51.100.7", 41_000),
        macros(b"H", **{"{tls_version}": "TLSv1.3"}),
        helo("desk.example"),
        macros(b"M", **{"{auth_authen}": "ann"}),
        mail(),
        rcpt(),
        end_of_message(),
    )
    envelope = talk.mails[0].envelope
    assert (envelope.client, envelope.server) == (("198.51.100.7", 41_000), ("192.0.2.25", 587))
    assert (envelope.helo, envelope.auth_user, envelope.tls) == ("desk.example", "ann", True)


@pytest.mark.parametrize(
    ("told", "client"),
    [
        (connect("2001:db8::7", 25), ("2001:db8::7", 25)),
        (packet(b"C", b"localhost\0L\0\0/run/x\0"), ("127.0.0.1", None)),
        (packet(b"C", b"unknown\0U"), None),
        (packet(b"C", b"odd\x004\0\x19not an address\0"), None),
    ],
)
def test_a_client_is_known_as_far_as_it_is_told(told: bytes, client: tuple[str, int | None] | None) -> None:
    talk = Talk()
    talk.say(offer(), told, helo(), a_mail())
    assert talk.mails[0].envelope.client == client


@pytest.mark.parametrize(
    ("protocol", "parameters", "expected"),
    [("ESMTPS", (), "esmtp"), ("SMTP", (), "smtp"), ("LMTPA", (), "lmtp"), ("", ("SIZE=1",), "esmtp"), ("", (), None)],
)
def test_the_protocol_is_told_by_sendmail_or_by_parameters(
    protocol: str, parameters: tuple[str, ...], expected: str | None
) -> None:
    talk = greeted()
    talk.say(macros(b"M", r=protocol), mail("<a@b.example>", *parameters), rcpt(), end_of_message())
    assert talk.mails[0].envelope.protocol == expected


def test_refused_recipients_are_told_apart() -> None:
    talk = greeted()
    talk.say(
        mail(),
        macros(b"R", **{"{rcpt_mailer}": "error", "{rcpt_host}": "5.1.1", "{rcpt_addr}": "User unknown"}),
        rcpt("<ghost@corp.example>"),
        macros(b"R", **{"{rcpt_mailer}": "error", "{rcpt_host}": "", "{rcpt_addr}": "452 4.2.2 Over quota"}),
        rcpt("<full@corp.example>"),
        macros(b"R", **{"{rcpt_mailer}": "smtp", "{rcpt_host}": "x", "{rcpt_addr}": "bob@x.example"}),
        rcpt("<bob@x.example>"),
        rcpt("<carl@x.example>"),
        end_of_message(),
    )
    paths = talk.mails[0].envelope.forward_paths
    assert [(path.accepted, path.reply_code, path.enhanced) for path in paths] == [
        (False, None, "5.1.1"),
        (False, 452, "4.2.2"),
        (True, None, None),
        (True, None, None),
    ]


# ---- several mails, and mails that come to nothing


def test_nothing_of_one_mail_is_left_in_the_next() -> None:
    """Each with its own user, paths, fields, verdict and place: mails share a connection and nothing else."""
    tags = {b"one": Verdict("tag", tag=(b"X-Tag", b"first")), b"two": Verdict("tag", tag=(b"X-Tag", b"second"))}
    talk = greeted(
        judge=Saying(lambda seen: next((tags[word] for word in tags if word in seen.content), Verdict())),
        conduct=Conduct(own_field=b"X-Tag"),
    )
    first = talk.say(macros(b"M", **{"{auth_authen}": "ann"}), mail("<one@a.example>", "SIZE=5"), rcpt("<x@a.example>"))
    first += talk.say(header("X-Tag", " forged"), body(b"one"), end_of_message())
    second = talk.say(mail("<two@a.example>"), rcpt("<y@a.example>"), body(b"two"), end_of_message())
    third = talk.say(mail("<three@a.example>"), rcpt("<z@a.example>"), body(b"3"), end_of_message())
    tail = (b"c", b"")
    assert list(answers_in(first)) == [(b"m", b"\0\0\0\1X-Tag\0\0"), (b"i", b"\0\0\0\0X-Tag\0 first\0"), tail]
    assert list(answers_in(second)) == [(b"i", b"\0\0\0\0X-Tag\0 second\0"), tail]
    assert third == CONTINUE
    assert [seen.envelope.auth_user for seen in talk.mails] == ["ann", None, None]
    assert [seen.envelope.parameters for seen in talk.mails] == [{"SIZE": "5"}, {}, {}]
    assert [seen.recipients for seen in talk.mails] == [[(f"{each}@a.example", True)] for each in "xyz"]
    assert [seen.envelope.transaction_index for seen in talk.mails] == [0, 1, 2]
    assert len({seen.envelope.connected_at_ns for seen in talk.mails}) == 1


@pytest.mark.parametrize("end", [ABORT, QUIT, QUIT_FOR_NEXT, helo("again.example"), mail("<n@a.example>") + QUIT])
def test_an_envelope_without_content_is_recorded_as_aborted(end: bytes) -> None:
    talk = greeted()
    talk.say(mail(), rcpt())
    assert talk.mails == []
    talk.say(end)
    seen = talk.mails[0]
    assert (seen.outcome, seen.content, seen.recipients) == ("aborted", b"", [("bob@partner.example", True)])


@pytest.mark.parametrize("end", [ABORT, QUIT, QUIT_FOR_NEXT])
def test_content_without_an_end_is_recorded_as_aborted(end: bytes) -> None:
    talk = greeted()
    talk.say(mail(), rcpt(), header("A", " b"), body(b"Hel"), end)
    assert [(seen.outcome, seen.content) for seen in talk.mails] == [("aborted", b"A: b\r\n\r\nHel")]


def test_an_abort_behind_a_finished_mail_changes_nothing() -> None:
    """Postfix sends one behind each mail."""
    talk = greeted()
    talk.say(a_mail(), ABORT, a_mail(), ABORT, QUIT)
    assert [seen.outcome for seen in talk.mails] == ["delivered", "delivered"]
    assert talk.session.is_done


def test_a_lost_connection_leaves_the_outcome_unknown() -> None:
    """With a default action of "accept" the MTA goes on without us: neither delivered nor aborted is known."""
    talk = greeted()
    talk.say(mail(), rcpt(), header("A", " b"))
    talk.session.lost(7_000)
    (seen,) = talk.mails
    assert (seen.outcome, seen.truncated, seen.ended_at_ns) == ("unknown", True, 7_000)
    assert talk.counts.mails_lost == 1


def test_a_lost_connection_between_mails_is_no_loss() -> None:
    talk = greeted()
    talk.say(a_mail())
    talk.session.lost(7_000)
    assert [seen.outcome for seen in talk.mails] == ["delivered"]
    assert talk.counts.mails_lost == 0


def test_another_client_over_the_same_connection_begins_anew() -> None:
    talk = greeted()
    talk.say(macros(b"M", **{"{auth_authen}": "ann"}), a_mail(), QUIT_FOR_NEXT)
    assert not talk.session.is_done
    talk.say(macros(b"C", j="mx"), connect("203.0.113.9", 9), helo("other.example"), a_mail())
    first, second = (seen.envelope for seen in talk.mails)
    assert (first.helo, second.helo) == ("client.example", "other.example")
    assert (second.client, second.auth_user, second.transaction_index) == (("203.0.113.9", 9), None, 0)
    assert second.connected_at_ns > first.connected_at_ns


# ---- how much of a body is looked at


def test_a_window_shows_the_beginning_and_asks_for_no_more() -> None:
    talk = greeted(conduct=Conduct(body="window", window_octets=10))
    assert talk.say(mail(), rcpt(), body(b"12345"), body(b"67890")) == CONTINUE * 2
    assert talk.say(body(b"abc")) == packet(b"s")
    talk.say(end_of_message())
    assert (talk.mails[0].content, talk.mails[0].truncated) == (b"\r\n1234567890", True)


def test_a_body_that_fits_the_window_is_whole() -> None:
    talk = greeted(conduct=Conduct(body="window", window_octets=10))
    talk.say(mail(), rcpt(), body(b"1234567890"), end_of_message())
    assert (talk.mails[0].content, talk.mails[0].truncated) == (b"\r\n1234567890", False)


def test_an_mta_that_can_not_skip_is_let_speak() -> None:
    talk = Talk(conduct=Conduct(body="window", window_octets=2))
    talk.say(offer(steps=ALL_STEPS & ~0x400), connect(), helo(), mail(), rcpt())
    assert talk.say(body(b"1234"), body(b"5678")) == CONTINUE * 2
    talk.say(end_of_message(b"9"))
    assert (talk.mails[0].content, talk.mails[0].truncated) == (b"\r\n12", True)


def test_no_body_is_asked_for_where_none_is_wanted() -> None:
    talk = Talk(conduct=Conduct(body="none"))
    assert terms_in(talk.say(offer()))[2] & 0x10
    talk.say(connect(), helo(), mail(), rcpt(), header("A", " b"), body(b"comes all the same"), end_of_message())
    assert (talk.mails[0].content, talk.mails[0].truncated) == (b"A: b\r\n\r\n", True)


# ---- verdicts


def told(verdict: Verdict, *, own_fields: int = 0, **offered: int) -> tuple[list[tuple[bytes, bytes]], Seen, Talk]:
    """What the MTA is answered, with what is recorded."""
    talk = Talk(judge=Saying(lambda _: verdict), conduct=Conduct(own_field=b"X-Tag"))
    talk.say(offer(**offered), connect(), helo(), mail(), rcpt(), *([header("x-TAG", " forged")] * own_fields))
    answer = list(answers_in(talk.say(end_of_message())))
    return answer, talk.mails[0], talk


TAG = Verdict("tag", tag=(b"X-Tag", b"auto; user"))
REJECT = Verdict("reject", reply=(550, "5.7.1", "no"))
DONE = (b"c", b"")


@pytest.mark.parametrize(
    ("verdict", "answer", "outcome", "reply"),
    [
        (Verdict(), [DONE], "delivered", None),
        (TAG, [(b"i", b"\0\0\0\0X-Tag\0 auto; user\0"), DONE], "delivered", None),
        (REJECT, [(b"y", b"550 5.7.1 no\0")], "rejected", (550, "5.7.1", "no")),
        (Verdict("reject"), [(b"y", b"550 5.7.1 Mail refused by policy\0")], "rejected", None),
        (
            Verdict("defer", reply=(450, "4.7.0", "50%")),
            [(b"y", b"450 4.7.0 50%%\0")],
            "deferred",
            (450, "4.7.0", "50%"),
        ),
        (Verdict("quarantine", rule="r"), [(b"q", b"mailsensor: r\0"), DONE], "delivered", None),
        (Verdict("reject", dry_run=True), [DONE], "delivered", None),
        (
            Verdict("tag", tag=(b"X-Tag", b"a\r\nBcc: x\0y")),
            [(b"i", b"\0\0\0\0X-Tag\0 a Bcc: x y\0"), DONE],
            "delivered",
            None,
        ),
    ],
)
def test_a_verdict_becomes_packets_and_an_outcome(
    verdict: Verdict, answer: list[tuple[bytes, bytes]], outcome: str, reply: tuple[int, str, str] | None
) -> None:
    given_answer, seen, _ = told(verdict)
    assert given_answer == answer
    assert seen.outcome == outcome
    if reply is not None:
        assert seen.reply == reply


def test_what_the_mta_does_not_allow_is_not_done_and_counted() -> None:
    answer, seen, talk = told(TAG, actions=0x20)
    assert (answer, seen.outcome, talk.counts.verdicts_not_done) == ([DONE], "delivered", 1)
    answer, seen, talk = told(Verdict("quarantine"), actions=0x11)
    assert (answer[0][0], seen.outcome, talk.counts.verdicts_not_done) == (b"y", "deferred", 1)


def test_version_2_has_one_place_for_a_field() -> None:
    answer, _, _ = told(TAG, version=2, actions=V2_ACTIONS, steps=V2_STEPS)
    assert answer == [(b"h", b"X-Tag\0auto; user\0"), DONE]


def test_fields_under_our_name_are_taken_out_from_the_lowest_up() -> None:
    answer, _, talk = told(Verdict(), own_fields=3)
    assert answer == [(b"m", bytes([0, 0, 0, place]) + b"X-Tag\0\0") for place in (3, 2, 1)] + [DONE]
    assert talk.counts.fields_stripped == 3


def test_of_a_flood_of_such_fields_so_many_are_taken_out_and_the_rest_is_counted() -> None:
    answer, _, talk = told(Verdict(), own_fields=1_500)
    assert len(answer) == 1_001
    assert (talk.counts.fields_stripped, talk.counts.fields_left) == (1_000, 1)


def test_such_fields_stay_where_the_mta_allows_no_change() -> None:
    assert told(Verdict(), own_fields=3, actions=0x01)[0] == [DONE]


def test_a_refused_mail_is_not_changed() -> None:
    assert [command for command, _ in told(REJECT, own_fields=3)[0]] == [b"y"]


@pytest.mark.parametrize(("fails_open", "answer"), [(True, b"c"), (False, b"t")])
def test_what_can_not_be_read_passes_or_comes_again_as_chosen(fails_open: bool, answer: bytes) -> None:
    talk = greeted(watcher=Watcher(reads=False), conduct=Conduct(fails_open=fails_open))
    assert talk.say(a_mail()) == packet(answer)
    assert talk.counts.mails_unjudged == 1


# ---- hostile peers


def test_an_envelope_beyond_its_bound_is_cut_and_says_so() -> None:
    talk = greeted()
    many = [rcpt(f"<{number:0>1000}@partner.example>") for number in range(3_000)]
    talk.say(mail(), *many, end_of_message())
    (seen,) = talk.mails
    assert sum(len(path.address) for path in seen.envelope.forward_paths) < Bounds().envelope_octets
    assert seen.truncated
    assert talk.counts.envelopes_cut == 3_000 - len(seen.envelope.forward_paths) > 0


def test_long_macros_are_not_kept() -> None:
    passed: list[str] = []
    talk = greeted(conduct=Conduct(passed=passed.append))
    talk.say(
        macros(b"M", **{"{auth_authen}": "x" * 2_000, "i": "4ZQ", "_": "x" * 9_000}), mail(), rcpt(), end_of_message()
    )
    assert talk.mails[0].envelope.auth_user is None
    assert talk.counts.texts_cut == 1  # what is not read at all is not missed
    talk.say(mail(), macros(b"E", i="4" * 2_000), rcpt(), end_of_message())
    assert (passed, talk.counts.texts_cut) == (["4ZQ"], 2)


@given(st.integers(1, 2_000))
def test_bounds_hold_wherever_they_are_set(octets: int) -> None:
    bounds = Bounds(
        {"milter_text_octets": octets, "milter_envelope_octets": octets + 300, "milter_stripped_fields": octets}
    )
    talk = Talk(judge=Saying(lambda _: TAG), conduct=Conduct(own_field=b"X-Tag", bounds=bounds))
    talk.say(offer(), connect(), helo("h" * 1_000), mail(), rcpt("<b@c.example>"), rcpt(f"<{'x' * 990}@c.example>"))
    talk.say(*[header("X-Tag", " x")] * 1_500, END_OF_HEADER, end_of_message())
    (seen,) = talk.mails
    assert seen.envelope.helo == "h" * min(octets, 1_000)
    assert talk.counts.texts_cut == (octets < 1_000)
    assert talk.counts.envelopes_cut == 2 - len(seen.envelope.forward_paths)
    assert talk.counts.fields_stripped == min(octets, 1_500)
    assert talk.counts.fields_left == (octets < 1_500)


ANY_PACKET = st.sampled_from(
    [
        offer(),
        connect(),
        helo(),
        macros(b"M", i="1"),
        macros(b"E", i="2"),
        mail(),
        rcpt(),
        packet(b"T"),
        header("Subject", " x"),
        header("X-Tag", " x"),
        END_OF_HEADER,
        body(b"text"),
        end_of_message(),
        ABORT,
        QUIT_FOR_NEXT,
        packet(b"U", b"X\0"),
    ]
)


@given(st.lists(ANY_PACKET, max_size=40), st.sampled_from([ALL_STEPS, 0, V2_STEPS]))
def test_steps_in_any_order_are_answered_where_an_answer_is_due_and_every_mail_ends_once(
    packets: list[bytes], steps: int
) -> None:
    """The watcher asserts that nothing is handed on behind a mail's end."""
    talk = Talk(judge=Saying(lambda _: TAG), conduct=Conduct(own_field=b"X-Tag"))
    talk.say(offer(steps=steps))
    for each in packets:
        awaited = each[4:5] == b"E" or (steps != ALL_STEPS and each[4:5] in b"CHMRTLNBU")
        answers = [command for command, _ in answers_in(talk.say(each))]
        assert (answers[-1:] == [b"c"]) == awaited
    talk.session.lost(10**6)
    assert all(seen.outcome is not None for seen in talk.mails)
    begun = sum(1 for each in packets if each[4:5] == b"M")
    assert len(talk.mails) <= begun


@given(st.data())
def test_any_data_in_any_step_leaves_a_session_that_goes_on(data: st.DataObject) -> None:
    """A packet that can be read may hold anything: the mail behind it is recorded as ever."""
    talk = greeted()
    for _ in range(data.draw(st.integers(0, 10))):
        command = data.draw(st.sampled_from("HMRLBEU"))
        texts = data.draw(st.lists(st.binary(max_size=40), min_size=2, max_size=4))
        octets = b"".join(text.replace(b"\0", b"") + b"\0" for text in texts)
        if command == "L" and octets.startswith(b"\0"):
            continue
        talk.say(packet(command.encode(), octets))
    talk.say(ABORT, a_mail("last"))
    assert talk.mails[-1].content == b"Subject: last\r\n\r\nHello\r\n"
    assert talk.mails[-1].outcome == "delivered"


def test_queue_ids_are_told_for_mails_shown_to_their_end() -> None:
    passed: list[str] = []
    talk = greeted(conduct=Conduct(passed=passed.append))
    talk.say(a_mail(queue_id="4ZQ1"), a_mail(queue_id="4ZQ2"), mail(), macros(b"R", i="4ZQ3"), rcpt(), ABORT)
    talk.say(mail(), rcpt(), end_of_message())
    assert passed == ["4ZQ1", "4ZQ2"]
