"""Commands by which mail, or who sends it, would get past the relay or be told wrongly."""

from __future__ import annotations

import pytest

from sensor.taps.relay.identity import Identity
from sensor.taps.relay.port import Conduct, Ruling
from sensor.taps.relay.state import State
from tests.taps.relay.playing import CONTENT, ENVELOPE, GO_ON, OKS, TAKEN, Play

OFFERS = b"250-mx\r\n250-PIPELINING\r\n250-BURL imap\r\n250 XFORWARD NAME ADDR PORT SOURCE\r\n"
PEER = Identity(("127.0.0.2", 2525), ("127.0.0.1", 25))
TOLD = b"XFORWARD ADDR=192.0.2.7 PORT=2525 SOURCE=REMOTE\r\n"


def test_content_that_would_not_pass_here_is_refused() -> None:
    """BURL has the next hop fetch content from elsewhere: a mail that nobody judged."""
    play = Play(Conduct(judges=True), ruling=Ruling(refusal=b"550 5.7.1 No\r\n")).greet(OFFERS)
    assert b"BURL" not in play.heard()
    play.client(b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n").server(OKS)
    play.heard(), play.passed()
    play.client(b"BURL imap://imap.example/INBOX;uid=1 LAST\r\nNOOP\r\n").server(b"250 2.0.0 Ok\r\n")
    assert play.codes() == [502, 250]
    assert play.passed() == b"NOOP\r\n"


@pytest.mark.parametrize("verb", [b"SEND", b"SOML", b"SAML"])
def test_mail_begun_by_an_obsolete_verb_is_mail(verb: bytes) -> None:
    play = Play(Conduct(xforward=PEER)).greet(OFFERS)
    play.passed()
    play.client(verb + b" FROM:<a@b>\r\n")
    assert play.passed().startswith(b"XFORWARD ADDR=127.0.0.2 ")
    play.server(b"250 forward\r\n250 2.1.0 Ok\r\n")
    play.splice.stop()
    # Amid a mail nobody is let go.
    assert play.splice.state is State.COMMANDS


def test_a_trusted_peer_that_tells_its_client_is_not_told_over() -> None:
    play = Play(Conduct(is_trusted=True, xforward=PEER)).greet(OFFERS)
    play.passed()
    for _ in range(2):
        play.client(TOLD).server(b"250 2.0.0 Ok\r\n")
        play.client(ENVELOPE).server(OKS + GO_ON).client(CONTENT + b".\r\n").server(TAKEN)
        assert play.passed() == TOLD + ENVELOPE + CONTENT + b".\r\n"
    # Nor after another greeting.
    play.client(b"EHLO again\r\n").server(OFFERS).client(b"MAIL FROM:<a@b>\r\n")
    assert b"XFORWARD" not in play.passed()


def test_after_a_refusal_of_ours_a_client_is_told_why_the_session_ends() -> None:
    play = Play(Conduct(judges=True), ruling=Ruling(refusal=b"550 5.7.1 No\r\n")).greet(OFFERS).envelope()
    play.client(CONTENT + b".\r\n")
    play.heard()
    play.client(b"RSET\r\n")
    assert play.heard() == b"421 4.3.2 No further mail in this session, try again in another\r\n"
