"""The splice, rule by rule: what each side hears, whatever the other says and however it is cut."""

import pytest

from sensor.taps.relay.commands import LINE_OCTETS
from sensor.taps.relay.identity import Identity
from sensor.taps.relay.port import Conduct, Ruling
from sensor.taps.relay.splice import BUFFERED_OCTETS, MAX_PIPELINED
from sensor.taps.relay.state import State
from tests.taps.relay.playing import (
    BANNER,
    CONTENT,
    EHLO,
    ENVELOPE,
    GO_ON,
    OFFERS,
    OKS,
    TAKEN,
    Play,
)

IDENTITY = Identity(("192.0.2.7", 2525), ("192.0.2.25", 25))


@pytest.fixture(params=[False, True], ids=["whole", "by octets"])
def by_octets(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(autouse=True, params=[True, False], ids=["shortcut", "long way"])
def has_shortcut(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every rule holds on both ways."""
    monkeypatch.setattr(Play, "has_shortcut", request.param)


def test_commands_replies_and_content_pass_as_they_come(by_octets: bool) -> None:
    play = Play(by_octets=by_octets).greet()
    play.client(b"VRFY b@corp.example\r\nXYZZY\r\n").server(b"252-Perhaps\r\n252 2.1.5 b\r\n500 5.5.2 What?\r\n")
    play.envelope().client(CONTENT + b".\r\nQUIT\r\n").server(TAKEN + b"221 2.0.0 Bye\r\n")
    assert play.passed() == EHLO + b"VRFY b@corp.example\r\nXYZZY\r\n" + ENVELOPE + CONTENT + b".\r\nQUIT\r\n"
    heard = play.heard()
    assert heard.startswith(BANNER)
    assert heard.endswith(
        b"252-Perhaps\r\n252 2.1.5 b\r\n500 5.5.2 What?\r\n" + OKS + GO_ON + TAKEN + b"221 2.0.0 Bye\r\n"
    )
    assert play.port.done == ["close_client", "close_next_hop"]
    assert (play.counts["mails_passed"], play.counts["mails_taken"]) == (1, 1)


def test_the_observer_sees_the_dialogue_as_the_client_has_it(by_octets: bool) -> None:
    play = Play(by_octets=by_octets).greet().envelope().client(CONTENT + b".\r\n").server(TAKEN)
    assert play.port.saw(from_client=True) == EHLO + ENVELOPE + CONTENT + b".\r\n"
    assert play.port.saw(from_client=False) == play.heard()


def test_the_banner_is_awaited_before_anything_is_asked() -> None:
    play = Play().server(BANNER)
    assert play.heard() == BANNER
    play.client(b"NOOP\r\n").server(b"250 2.0.0 Ok\r\n")
    assert play.codes() == [250]


def test_a_client_that_talks_first_is_heard_after_the_banner() -> None:
    play = Play().client(EHLO + b"NOOP\r\n")
    assert play.passed() == b""
    play.server(BANNER)
    assert play.passed() == EHLO + b"NOOP\r\n"


# ---- the next hop is not there


def test_a_next_hop_that_is_down_is_421_and_nothing_else() -> None:
    play = Play()
    play.splice.next_hop_failed()
    assert play.heard().startswith(b"421 4.3.2 ")
    assert "close_client" in play.port.done


@pytest.mark.parametrize("banner", [b"554 5.7.1 Go away\r\n", b"421-Busy\r\n421 4.3.2 Later\r\n"])
def test_a_banner_that_refuses_passes_and_ends_the_session(banner: bytes, by_octets: bool) -> None:
    play = Play(by_octets=by_octets).server(banner)
    assert play.heard() == banner
    assert play.splice.state is State.OVER


@pytest.mark.parametrize(
    ("road", "codes"),
    [
        ((), [421]),
        (("greet",), [220, 250, 421]),
        (("greet", b"MAIL FROM:<a@b>\r\n"), [220, 250, 421]),
        (("greet", b"QUIT\r\n"), [220, 250, 221]),
        (("greet", ENVELOPE), [220, 250, 421]),
        (("greet", "envelope"), [220, 250, 250, 250, 354]),
        (("greet", "envelope", CONTENT), [220, 250, 250, 250, 354]),
        (("greet", "envelope", CONTENT + b".\r\n"), [220, 250, 250, 250, 354, 451]),
        (("greet", "envelope", CONTENT + b".\r\nMAIL FROM:<a@b>\r\n"), [220, 250, 250, 250, 354, 451, 421]),
    ],
)
def test_a_next_hop_lost_at_each_stage_is_never_a_mail_taken(road: tuple[str | bytes, ...], codes: list[int]) -> None:
    play = Play()
    for step in road:
        play = play.client(step) if isinstance(step, bytes) else getattr(play, step)()
    play.splice.next_hop_lost()
    assert play.codes() == codes
    if codes[-1] == 354:
        # In content: the client is heard to its dot, and then told.
        play.client((CONTENT if road[-1] == "envelope" else b"") + b".\r\n")
        assert play.heard().startswith(b"451 4.3.0 ")
        assert play.counts["mails_failed"] == 1
        play.client(b"QUIT\r\n")
        assert play.codes() == [221]
    assert play.counts["mails_taken"] == 0


def test_a_next_hop_lost_after_the_dot_is_ambiguous_and_asked_no_second_time(by_octets: bool) -> None:
    play = Play(by_octets=by_octets).greet().envelope().client(CONTENT + b".\r\n")
    play.splice.next_hop_lost()
    assert play.counts["mails_ambiguous"] == 1
    assert play.passed().count(b"\r\n.\r\n") == 1
    play.heard()
    play.client(b"MAIL FROM:<a@b>\r\n")
    assert play.codes() == [421]


@pytest.mark.parametrize(
    "reply", [b"452 4.3.1 Disk is full\r\n", b"421 4.3.2 Shutting down\r\n", b"250 2.0.0 Strange\r\n"]
)
def test_a_reply_amid_content_ends_the_mail_and_is_told_at_its_dot(reply: bytes, by_octets: bool) -> None:
    play = Play(by_octets=by_octets).greet().envelope().client(b"Subject: a\r\n\r\n")
    play.heard()
    play.server(reply)
    assert play.heard() == b""
    assert play.port.done == ["abort_next_hop"]
    play.client(b"body\r\n.\r\n")
    heard = play.heard()
    assert heard == reply if reply[:1] == b"4" else heard.startswith(b"451 ")
    assert play.counts["mails_taken"] == 0


def test_421_at_rest_passes_and_other_replies_that_nothing_asked_for_do_not() -> None:
    for reply, code in ((b"421 4.4.2 Timeout\r\n", b"421 4.4.2"), (b"250 2.0.0 Ok\r\n", b"421 4.3.2")):
        play = Play().greet()
        play.heard()
        play.server(reply)
        assert play.heard().startswith(code)
        assert play.splice.state is State.OVER


@pytest.mark.parametrize(
    ("asked", "reply"),
    [
        (b"NOOP\r\n", b"354 Go on\r\n"),
        (b"VRFY x\r\n", b"334 \r\n"),
        (b"DATA\r\n", b"334 \r\n"),
        (b"NOOP\r\n", b"HTTP/1.1 200 OK\r\n"),
        (b"NOOP\r\n", b"250-one\r\n251 other\r\n"),
        (b"NOOP\r\n", b"199 too low\r\n"),
    ],
)
def test_a_next_hop_that_makes_no_sense_is_given_up(asked: bytes, reply: bytes, by_octets: bool) -> None:
    play = Play(by_octets=by_octets).greet().client(asked)
    play.heard()
    play.server(reply)
    assert play.codes() == [421]
    assert "abort_next_hop" in play.port.done
    assert play.counts["next_hop_nonsense"] == 1


def test_a_silent_next_hop_is_given_up_and_the_client_told() -> None:
    play = Play().greet().envelope().client(CONTENT + b".\r\n")
    assert play.splice.waits_for_next_hop
    play.heard()
    play.splice.next_hop_silent()
    assert play.codes() == [451]
    assert (play.counts["next_hop_timeouts"], play.counts["mails_ambiguous"]) == (1, 1)


# ---- the client is not there


@pytest.mark.parametrize(
    "road", [b"", EHLO, EHLO + ENVELOPE, EHLO + ENVELOPE + b"Subject", EHLO + ENVELOPE + CONTENT + b"."]
)
def test_a_client_lost_before_its_dot_delivers_nothing(road: bytes) -> None:
    play = Play()
    if road:
        play.server(BANNER).client(EHLO).server(OFFERS)
    if ENVELOPE in road:
        play.envelope()
        play.client(road.partition(ENVELOPE)[2] or b"\r\n")
    play.splice.client_lost()
    assert play.port.next_hop_is_closed
    assert b"\r\n.\r\n" not in play.passed()
    assert play.splice.state is State.OVER
    if ENVELOPE in road:
        assert "abort_next_hop" in play.port.done


def test_a_client_lost_after_its_dot_leaves_the_reply_to_be_seen() -> None:
    play = Play().greet().envelope().client(CONTENT + b".\r\n")
    play.splice.client_lost()
    assert not play.port.next_hop_is_closed
    play.server(TAKEN)
    assert play.port.saw(from_client=False).endswith(TAKEN)
    assert play.port.next_hop_is_closed


def test_a_client_that_has_said_all_still_hears_all() -> None:
    play = Play().client(EHLO + ENVELOPE)
    play.splice.client_done()
    play.server(BANNER).server(OFFERS + OKS + b"554 5.5.1 No\r\n")
    assert play.codes() == [220, 250, 250, 250, 554]
    assert play.splice.state is State.OVER


def test_a_client_that_ends_amid_content_delivers_nothing() -> None:
    play = Play().greet().envelope().client(CONTENT)
    play.splice.client_done()
    assert "abort_next_hop" in play.port.done


def test_a_silent_client_is_told_and_let_go() -> None:
    play = Play().greet().envelope().client(b"Subject: a\r\n")
    play.heard()
    play.splice.client_silent()
    assert play.codes() == [421]
    assert "abort_next_hop" in play.port.done
    assert play.counts["client_timeouts"] == 1


# ---- EHLO


def test_ehlo_tells_what_passes_and_no_more(by_octets: bool) -> None:
    play = Play(by_octets=by_octets).greet()
    assert play.heard() == BANNER + (
        b"250-mx.corp.example\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-AUTH PLAIN\r\n250 SMTPUTF8\r\n"
    )


def test_trusted_clients_hear_of_identities_and_may_tell_theirs() -> None:
    play = Play(Conduct(is_trusted=True)).greet()
    assert b"250-XCLIENT ADDR PORT\r\n" in play.heard()
    play.passed()
    play.client(b"XCLIENT ADDR=192.0.2.1\r\n").server(BANNER)
    assert (play.codes(), play.passed()) == ([220], b"XCLIENT ADDR=192.0.2.1\r\n")


@pytest.mark.parametrize("verb", [b"XCLIENT ADDR=192.0.2.1", b" xclient ADDR=192.0.2.1", b"XFORWARD ADDR=192.0.2.1"])
def test_strangers_may_not_tell_identities(verb: bytes, by_octets: bool) -> None:
    play = Play(by_octets=by_octets).greet()
    play.passed()
    play.heard()
    play.client(b"NOOP\r\n" + verb + b"\r\nNOOP\r\n").server(b"250 1\r\n250 2\r\n")
    assert play.heard() == b"250 1\r\n550 5.7.0 Not authorized\r\n250 2\r\n"
    assert play.passed() == b"NOOP\r\nNOOP\r\n"


def test_bdat_is_refused_and_its_content_is_no_command(by_octets: bool) -> None:
    play = Play(by_octets=by_octets).greet()
    play.heard()
    play.passed()
    play.client(b"BDAT 12 LAST\r\nMAIL FROM:<>\r\n")
    assert play.codes() == [502]
    assert play.passed() == b""
    assert play.splice.state is State.OVER


# ---- lines


def test_a_bare_newline_in_a_command_ends_the_session(by_octets: bool) -> None:
    play = Play(by_octets=by_octets).greet()
    play.passed()
    play.heard()
    play.client(b"NOOP\nNOOP\r\n")
    assert play.codes() == [521]
    assert play.passed() == b""
    assert "close_client" in play.port.done


def test_a_refusal_of_ours_waits_for_the_replies_before_it() -> None:
    play = Play().greet()
    play.heard()
    play.client(b"NOOP\r\nNOOP\nNOOP\r\n")
    assert play.heard() == b""
    play.server(b"250 1\r\n")
    assert play.codes() == [250, 521]


def test_a_nul_is_no_part_of_a_command() -> None:
    play = Play().greet()
    play.passed()
    play.heard()
    play.client(b"DATA\0 \r\n")
    assert (play.codes(), play.passed()) == ([500], b"")


def test_a_line_without_an_end_is_bounded() -> None:
    play = Play().greet()
    play.heard()
    play.client(b"A" * LINE_OCTETS)
    assert play.heard() == b""
    play.client(b"AA")
    assert play.codes() == [500]


def test_more_commands_than_are_answered_wait_unread() -> None:
    play = Play().greet()
    play.passed()
    play.client(b"NOOP\r\n" * 100_000)
    assert play.passed() == b"NOOP\r\n" * MAX_PIPELINED
    assert not play.splice.wants_input
    play.server(b"250 Ok\r\n" * 10)
    assert play.passed() == b"NOOP\r\n" * 10
    for _ in range(100):
        play.server(b"250 Ok\r\n" * 1_000)
    assert play.splice.wants_input


def test_content_is_not_read_before_the_next_hop_asks_for_it() -> None:
    play = Play().greet()
    play.client(ENVELOPE)
    play.passed()
    play.client(CONTENT)
    assert play.passed() == b""
    play.server(OKS + GO_ON)
    assert play.passed() == CONTENT
    play.client(b"x" * (BUFFERED_OCTETS + 1))
    assert play.splice.wants_input


def test_data_refused_leaves_commands_commands() -> None:
    play = Play().greet().client(ENVELOPE + b"QUIT\r\n").server(b"250 1\r\n550 2\r\n")
    play.heard()
    play.server(b"554 5.5.1 No valid recipients\r\n")
    assert play.passed().endswith(b"DATA\r\nQUIT\r\n")
    play.server(b"221 Bye\r\n")
    assert play.codes() == [554, 221]


# ---- AUTH


def test_auth_passes_opaque(by_octets: bool) -> None:
    play = Play(by_octets=by_octets).greet()
    play.passed()
    play.client(b"AUTH LOGIN\r\n").server(b"334 VXNlcm5hbWU6\r\n")
    # Base64 may read as a verb, of ours too.
    play.client(b"STARTTLS\r\n").server(b"334 UGFzc3dvcmQ6\r\n").client(b"DATA\r\n").server(b"235 2.7.0 Ok\r\n")
    play.client(b"NOOP\r\n").server(b"250 Ok\r\n")
    assert play.passed() == b"AUTH LOGIN\r\nSTARTTLS\r\nDATA\r\nNOOP\r\n"
    assert play.codes() == [220, 250, 334, 334, 235, 250]


def test_commands_behind_auth_wait_for_what_it_comes_to() -> None:
    play = Play().greet()
    play.passed()
    play.client(b"AUTH PLAIN AGEAYg==\r\nNOOP\r\n")
    assert play.passed() == b"AUTH PLAIN AGEAYg==\r\n"
    play.server(b"535 5.7.8 No\r\n")
    assert play.passed() == b"NOOP\r\n"


# ---- LMTP


def test_lmtp_answers_once_for_each_recipient_accepted(by_octets: bool) -> None:
    play = Play(by_octets=by_octets).greet(hello=b"LHLO client\r\n")
    recipients = b"RCPT TO:<b@c>\r\nRCPT TO:<no@c>\r\nRCPT TO:<d@c>\r\n"
    play.client(b"MAIL FROM:<a@c>\r\n" + recipients + b"DATA\r\n")
    play.server(b"250 1\r\n250 2\r\n550 3\r\n250 4\r\n" + GO_ON)
    play.client(CONTENT + b".\r\nNOOP\r\n")
    play.heard()
    play.server(b"250 2.0.0 b\r\n452 4.2.2 d is full\r\n250 noop\r\n")
    assert play.heard() == b"250 2.0.0 b\r\n452 4.2.2 d is full\r\n250 noop\r\n"
    assert play.counts["mails_taken"] == 1


def test_lmtp_replies_that_never_come_are_451_each() -> None:
    play = Play().greet(hello=b"LHLO client\r\n")
    play.client(b"MAIL FROM:<a@c>\r\nRCPT TO:<b@c>\r\nRCPT TO:<d@c>\r\nDATA\r\n").server(b"250 1\r\n" * 3 + GO_ON)
    play.client(CONTENT + b".\r\n").server(b"250 2.0.0 b\r\n")
    play.heard()
    play.splice.next_hop_lost()
    assert play.codes() == [451]


def test_lmtp_refusals_of_ours_are_one_for_each_recipient() -> None:
    play = Play(Conduct(judges=True), ruling=Ruling(refusal=b"550 5.7.1 No\r\n")).greet(hello=b"LHLO client\r\n")
    play.client(b"MAIL FROM:<a@c>\r\nRCPT TO:<b@c>\r\nRCPT TO:<d@c>\r\nDATA\r\n").server(b"250 1\r\n" * 3 + GO_ON)
    play.heard()
    play.client(CONTENT + b".\r\n")
    assert play.codes() == [550, 550]


# ---- verdicts


def test_the_judge_has_seen_all_but_the_dot(by_octets: bool) -> None:
    play = Play(Conduct(judges=True), by_octets=by_octets).greet().envelope().client(CONTENT + b".\r\nQUIT\r\n")
    assert play.port.judged_on == [EHLO + ENVELOPE + CONTENT]


@pytest.mark.parametrize("refusal", [b"550 5.7.1 Forwarding is not allowed\r\n", b"451 4.7.1 Later\r\n"])
def test_a_refused_mail_never_gets_its_dot(refusal: bytes, by_octets: bool) -> None:
    play = Play(Conduct(judges=True), ruling=Ruling(refusal=refusal), by_octets=by_octets).greet().envelope()
    play.heard()
    play.client(CONTENT + b".\r\nQUIT\r\n")
    assert play.heard() == refusal + b"221 2.0.0 Bye\r\n"
    assert play.passed().endswith(CONTENT) or play.passed() == b""
    assert play.port.done == ["abort_next_hop", "close_client"]
    assert play.port.saw(from_client=True).endswith(CONTENT + b".\r\nQUIT\r\n")
    assert play.counts["mails_refused"] == 1


def test_a_session_goes_no_further_after_a_refusal_of_ours() -> None:
    play = Play(Conduct(judges=True), ruling=Ruling(refusal=b"550 5.7.1 No\r\n")).greet().envelope()
    play.client(CONTENT + b".\r\n")
    play.heard()
    play.client(b"MAIL FROM:<a@b>\r\n")
    assert play.codes() == [421]


@pytest.mark.parametrize("together", [False, True])
def test_a_tag_stands_above_all_and_a_strangers_tag_nowhere(together: bool, by_octets: bool) -> None:
    conduct = Conduct(judges=True, tag_name=b"X-Tag")
    play = Play(conduct, ruling=Ruling(tag=b"X-Tag: auto\r\n"), by_octets=by_octets).greet().envelope()
    play.passed()
    content = b"x-tag: forged\r\n folded\r\n" + CONTENT
    if together:
        play.client(content + b".\r\n")
    else:
        play.client(content)
        play.client(b".\r\n")
    assert play.passed() == b"X-Tag: auto\r\n" + CONTENT + b".\r\n"
    assert (play.counts["mails_tagged"], play.counts["strange_tags_removed"]) == (1, 1)


def test_a_mail_without_a_blank_line_is_tagged_too() -> None:
    conduct = Conduct(judges=True, tag_name=b"X-Tag")
    play = Play(conduct, ruling=Ruling(tag=b"X-Tag: auto\r\n")).greet().envelope()
    play.passed()
    play.client(b"Subject: a\r\n")
    assert play.passed() == b""
    play.client(b".\r\n")
    assert play.passed() == b"X-Tag: auto\r\nSubject: a\r\n.\r\n"


def test_a_tag_that_only_the_body_shows_comes_too_late_and_is_counted() -> None:
    play = Play(Conduct(judges=True, tag_name=b"X-Tag")).greet().envelope().client(b"Subject: a\r\n\r\n")
    play.port.ruling = Ruling(tag=b"X-Tag: auto\r\n")
    play.client(b"body\r\n.\r\n")
    assert play.passed().endswith(b"DATA\r\nSubject: a\r\n\r\nbody\r\n.\r\n")
    assert play.counts["mails_tag_too_late"] == 1


def test_each_mail_of_a_session_is_judged_for_itself() -> None:
    conduct = Conduct(judges=True, tag_name=b"X-Tag")
    play = (
        Play(conduct, ruling=Ruling(tag=b"X-Tag: one\r\n")).greet().envelope().client(CONTENT + b".\r\n").server(TAKEN)
    )
    play.passed()
    play.port.ruling = Ruling(tag=b"X-Tag: two\r\n")
    play.envelope().client(CONTENT + b".\r\n").server(TAKEN)
    assert play.passed() == ENVELOPE + b"X-Tag: two\r\n" + CONTENT + b".\r\n"
    play.port.ruling = Ruling()
    play.envelope().client(CONTENT + b".\r\n").server(TAKEN)
    assert play.passed() == ENVELOPE + CONTENT + b".\r\n"


# ---- smuggling

SMUGGLED = b"Subject: a\r\n\r\nbody\n.\nMAIL FROM:<evil@corp.example>\r\n.\r\n"


def test_smuggling_is_made_harmless_and_counted(by_octets: bool) -> None:
    play = Play(by_octets=by_octets).greet().envelope().client(SMUGGLED)
    assert b"body\n..\nMAIL FROM" in play.passed()
    assert play.counts["smuggled_dots"] == 1
    assert play.port.saw(from_client=True).endswith(SMUGGLED)


def test_smuggling_may_be_refused(by_octets: bool) -> None:
    play = Play(Conduct(refuses_smuggling=True), by_octets=by_octets).greet().envelope()
    play.heard()
    play.client(SMUGGLED)
    assert play.heard().startswith(b"550 5.5.2 ")
    assert b"\r\n.\r\n" not in play.passed()
    assert (play.counts["mails_smuggling_refused"], play.counts["mails_taken"]) == (1, 0)


# ---- TLS with the client


def test_starttls_is_ours_to_offer_and_to_begin(by_octets: bool) -> None:
    play = Play(Conduct(offers_tls=True), by_octets=by_octets).greet()
    assert play.heard().endswith(b"250-SMTPUTF8\r\n250 STARTTLS\r\n")
    play.passed()
    play.client(b"STARTTLS\r\n")
    assert play.codes() == [220]
    assert play.passed() == b""
    assert play.port.done == ["secure_client"]
    play.splice.client_secured()
    play.client(EHLO).server(OFFERS)
    assert b"STARTTLS" not in play.heard()
    assert play.splice.is_secured


def test_octets_behind_starttls_are_refused() -> None:
    play = Play(Conduct(offers_tls=True)).greet()
    play.heard()
    play.client(b"STARTTLS\r\nEHLO evil\r\n")
    assert play.heard().startswith(b"554 5.5.1 ")
    assert play.counts["tls_injections"] == 1
    assert "secure_client" not in play.port.done


def test_octets_behind_starttls_are_refused_when_its_turn_comes_later() -> None:
    play = Play(Conduct(offers_tls=True)).greet()
    play.heard()
    play.client(b"NOOP\r\nSTARTTLS\r\n")
    play.client(b"EHLO evil\r\n")
    play.server(b"250 Ok\r\n")
    assert play.codes() == [250, 554]
    assert "secure_client" not in play.port.done


def test_starttls_not_offered_is_refused_and_goes_no_further() -> None:
    play = Play().greet()
    play.heard()
    play.passed()
    play.client(b"STARTTLS\r\n")
    assert (play.codes(), play.passed()) == ([502], b"")


def test_what_was_said_in_clear_counts_no_more_under_tls() -> None:
    play = Play(Conduct(offers_tls=True)).greet().client(b"MAIL FROM:<a@b>\r\n").server(b"250 Ok\r\n")
    play.client(b"STARTTLS\r\n")
    play.passed()
    play.heard()
    play.splice.client_secured()
    play.client(b"NOOP\r\n").server(b"250 reset\r\n250 noop\r\n")
    assert play.passed() == b"RSET\r\nNOOP\r\n"
    assert play.heard() == b"250 noop\r\n"


@pytest.mark.parametrize("command", [b"MAIL FROM:<a@b>", b"AUTH PLAIN AGEAYg==", b"VRFY b", b"XYZZY", b"DATA"])
def test_where_tls_is_required_nothing_goes_in_clear(command: bytes) -> None:
    play = Play(Conduct(offers_tls=True, requires_tls=True)).greet()
    play.heard()
    play.passed()
    play.client(command + b"\r\n")
    assert (play.heard(), play.passed()) == (b"530 5.7.0 Must issue a STARTTLS command first\r\n", b"")
    play.client(b"STARTTLS\r\n")
    play.splice.client_secured()
    play.client(command + b"\r\n")
    assert play.passed() == command + b"\r\n"


def test_secrets_do_not_go_in_clear_where_only_the_next_hop_is_under_tls() -> None:
    play = Play(tls="may").server(BANNER).server(OFFERS).server(b"220 Go\r\n")
    play.splice.next_hop_secured()
    play.server(OFFERS).client(EHLO).server(OFFERS)
    assert b"AUTH" not in play.heard()
    play.passed()
    play.client(b"AUTH PLAIN AGEAYg==\r\n")
    assert (play.codes(), play.passed()) == ([530], b"")


# ---- TLS with the next hop, and who the client is


def test_the_next_hops_tls_is_used_before_the_client_hears_its_banner(by_octets: bool) -> None:
    play = Play(tls="may", by_octets=by_octets).server(BANNER).server(OFFERS)
    assert play.passed() == b"EHLO relay.corp.example\r\nSTARTTLS\r\n"
    play.server(b"220 Go\r\n")
    assert (play.port.done, play.heard()) == (["secure_next_hop"], b"")
    play.splice.next_hop_secured()
    play.server(OFFERS)
    assert play.heard() == BANNER


@pytest.mark.parametrize(
    ("tls", "offers", "then", "codes"),
    [
        ("may", b"250 mx\r\n", b"", [220]),
        ("require", b"250 mx\r\n", b"", [421]),
        ("require", b"502 What?\r\n", b"", [421]),
        ("may", OFFERS, b"454 4.7.0 Not now\r\n", [220]),
        ("require", OFFERS, b"454 4.7.0 Not now\r\n", [421]),
        ("may", OFFERS, b"220 Go\r\n250 injected\r\n", [421]),
        ("may", OFFERS, b"220 Go\r\n250 inj", [421]),
    ],
)
def test_a_next_hop_without_tls_is_taken_or_not_as_settings_say(
    tls: str, offers: bytes, then: bytes, codes: list[int]
) -> None:
    play = Play(tls=tls).server(BANNER).server(offers)  # type: ignore[arg-type]
    if then:
        play.server(then)
    assert play.codes() == codes
    assert "secure_next_hop" not in play.port.done


def test_the_next_hop_hears_of_the_true_client_by_xclient(by_octets: bool) -> None:
    play = Play(identity=IDENTITY, by_octets=by_octets).server(BANNER).server(OFFERS)
    assert play.passed() == b"EHLO relay.corp.example\r\nXCLIENT ADDR=192.0.2.7 PORT=2525\r\n"
    play.server(b"220 fresh\r\n")
    assert play.heard() == b"220 fresh\r\n"


@pytest.mark.parametrize(("offers", "refusal"), [(b"250 mx\r\n", b""), (OFFERS, b"550 5.7.0 No\r\n")])
def test_a_next_hop_that_will_not_hear_of_the_client_gets_its_mail_all_the_same(offers: bytes, refusal: bytes) -> None:
    play = Play(identity=IDENTITY).server(BANNER).server(offers)
    if refusal:
        play.server(refusal)
    assert play.heard() == BANNER
    assert play.counts["identity_not_passed"] == 1


def test_xforward_goes_before_each_mail_and_its_reply_to_nobody(by_octets: bool) -> None:
    offers = b"250-mx\r\n250-PIPELINING\r\n250 XFORWARD NAME ADDR PORT SOURCE\r\n"
    play = Play(Conduct(xforward=IDENTITY), by_octets=by_octets).greet(offers)
    assert b"XFORWARD" not in play.heard()
    play.passed()
    for _ in range(2):
        play.client(ENVELOPE).server(b"250 forward\r\n" + OKS + GO_ON).client(CONTENT + b".\r\n").server(TAKEN)
        assert play.passed() == b"XFORWARD ADDR=192.0.2.7 PORT=2525 SOURCE=REMOTE\r\n" + ENVELOPE + CONTENT + b".\r\n"
        assert play.heard() == OKS + GO_ON + TAKEN


# ---- loops, stopping


def test_a_relay_that_greets_itself_says_so_and_ends(by_octets: bool) -> None:
    play = Play(Conduct(token=b"relay-0123"), by_octets=by_octets).server(BANNER)
    play.heard()
    play.client(b"EHLO Relay-0123.corp.example\r\n")
    assert play.heard().startswith(b"554 5.4.6 ")
    assert play.counts["loops_refused"] == 1


def test_stopping_lets_clients_go_between_mails() -> None:
    at_rest = Play().greet()
    at_rest.heard()
    at_rest.splice.stop()
    assert at_rest.codes() == [421]
    amid = Play().greet().envelope()
    amid.heard()
    amid.splice.stop()
    amid.client(CONTENT + b".\r\n")
    assert amid.heard() == b""
    amid.server(TAKEN)
    assert amid.codes() == [250, 421]
    assert amid.port.done == ["close_client", "close_next_hop"]
