"""
Every form of envelope, line and odd newline, to Postfix directly and through the relay: the same codes, the same octets
kept. Only where a newline is smuggled they differ, and the relay's is the safe one.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from tests.postfix import Postfix, postfix
from tests.taps.relay.relaying import LOOPS, Client, Relay, relaying


@pytest.fixture(scope="module")
def server() -> Iterator[Postfix]:
    # Made up addresses are refused at once or taken at once; a client that errs is not made to wait.
    changes = {
        "smtpd_soft_error_limit": "1000",
        "smtpd_hard_error_limit": "1000",
        "message_size_limit": "2000000",
        "local_header_rewrite_clients": "",
    }
    with postfix(changes) as running:
        yield running


@pytest.fixture(scope="module", params=LOOPS)
def relay(server: Postfix, request: pytest.FixtureRequest) -> Iterator[Relay]:
    with relaying(server.port, event_loop=request.param, max_sessions_per_client=1_000) as running:
        yield running


ENVELOPES: list[list[bytes]] = [
    [b"MAIL FROM:<>", b"RCPT TO:<bob@corp.example>"],
    [b"MAIL FROM:<ann@corp.example> SIZE=1000 BODY=8BITMIME", b"RCPT TO:<bob@corp.example>"],
    [b"MAIL FROM:<ann@corp.example> SIZE=99999999", b"RCPT TO:<bob@corp.example>"],
    [b"MAIL FROM:<ann@corp.example> RET=HDRS ENVID=QQ314159", b"RCPT TO:<bob@corp.example> NOTIFY=SUCCESS,DELAY"],
    [b"MAIL FROM:<ann@corp.example>", b"RCPT TO:<bob@corp.example> NOTIFY=NEVER ORCPT=rfc822;Bob@corp.example"],
    [b"MAIL FROM:<ann@corp.example>", b"RCPT TO:<bob@corp.example> NOTIFY=SOMETIMES"],
    [b"MAIL FROM:<ann@corp.example> RET=NONE", b"RCPT TO:<bob@corp.example>"],
    [b"MAIL FROM:<.a..b.@docomo.example>", b"RCPT TO:<.c..@corp.example>"],
    [b'MAIL FROM:<"ann smith"@corp.example>', b'RCPT TO:<"bob@home"@corp.example>'],
    [b'MAIL FROM:<"a\\"b"@corp.example>', b'RCPT TO:<"b\\\\c"@corp.example>'],
    [b"MAIL FROM:<SRS0=xx=yy=partner.example=ann@corp.example>", b"RCPT TO:<bob+tag@corp.example>"],
    ["MAIL FROM:<jörg@corp.example> SMTPUTF8".encode(), "RCPT TO:<übung@corp.example>".encode()],
    ["MAIL FROM:<jörg@corp.example>".encode(), b"RCPT TO:<bob@corp.example>"],
    [b"MAIL FROM:<ann@[192.0.2.1]>", b"RCPT TO:<bob@[127.0.0.1]>"],
    [b"MAIL FROM:<ann@[IPv6:2001:db8::1]>", b"RCPT TO:<bob@corp.example>"],
    [b"MAIL FROM:<@a.example,@b.example:ann@corp.example>", b"RCPT TO:<@c.example:bob@corp.example>"],
    [b"mail from:<ann@corp.example>", b"rcpt to:<bob@corp.example>"],
    [b"MAIL FROM: <ann@corp.example>", b"RCPT TO: <bob@corp.example>"],
    [b"MAIL FROM:ann@corp.example", b"RCPT TO:bob@corp.example"],
    [b"  MAIL   FROM:<ann@corp.example>", b"\tRCPT TO:<bob@corp.example>"],
    [b"MAIL FROM:<ann@corp.example", b"RCPT TO:<bob@corp.example>"],
    [b"MAIL", b"RCPT"],
    [b"MAIL FROM:<ann@corp.example> FOO=BAR", b"RCPT TO:<bob@corp.example> FOO=BAR"],
    [b"MAIL FROM:<ann@corp.example> AUTH=<>", b"RCPT TO:<bob@corp.example>"],
    [b"MAIL FROM:<ann@corp.example>", b"MAIL FROM:<ann@corp.example>"],
    [b"RCPT TO:<bob@corp.example>"],
    [b"MAIL FROM:<ann@corp.example>", b"RCPT TO:<bob@elsewhere.example>"],
    [b"MAIL FROM:<ann@corp.example>", b"RCPT TO:<postmaster>"],
    [b"MAIL FROM:<ann@corp.example>", b"RCPT TO:<>"],
    [b"MAIL FROM:<ann@corp.example>", b"RCPT TO:<bob@corp.example>", b"RCPT TO:<bob@corp.example>"],
    [b"MAIL FROM:<" + b"a" * 300 + b"@corp.example>", b"RCPT TO:<" + b"b" * 300 + b"@corp.example>"],
    [b"MAIL FROM:<ann@corp.example>", b"RSET", b"RCPT TO:<bob@corp.example>"],
    [b"VRFY bob@corp.example", b"EXPN staff", b"ETRN corp.example", b"HELP", b"NOOP some words", b"XYZZY", b""],
    [b"MAIL FROM:<ann@corp.example>", b"DATA"],
    [b"DATA"],
    [b"TURN", b"SEND FROM:<ann@corp.example>", b"GET / HTTP/1.1"],
    [b"EHLO", b"EHLO again.partner.example", b"HELO third.partner.example"],
    [b"AUTH PLAIN AGEAYg=="],
]


@pytest.mark.parametrize("lines", ENVELOPES, ids=lambda lines: repr(lines[0][:40]))
def test_envelopes_get_the_codes_that_postfix_gives(lines: list[bytes], server: Postfix, relay: Relay) -> None:
    assert answers(relay.port, lines) == answers(server.port, lines)


def answers(port: int, lines: list[bytes]) -> list[bytes]:
    """The replies to the lines of a session, as they are, but for what EHLO offers beside."""
    with Client(port) as client:
        client.hello()
        replies = []
        for line in lines:
            client.ask(line)
            is_hello = line[:4].upper() in (b"EHLO", b"HELO")
            replies.append(client.text.splitlines()[0][4:] if is_hello else client.text)
        return replies


CONTENTS = {
    "plain": b"Subject: a\r\n\r\nbody\r\n",
    "empty": b"",
    "no header": b"\r\nbody\r\n",
    "no body": b"Subject: a\r\n",
    "stuffed": b"Subject: a\r\n\r\n..\r\n..a\r\n.. \r\n...\r\n",
    "long lines": b"Subject: a\r\n\r\n" + b"x" * 998 + b"\r\n" + b"y" * 5_000 + b"\r\n" + b"z" * 200_000 + b"\r\n",
    "folded": b"Subject: a\r\n\tb\r\n  c\r\n\r\nbody\r\n",
    "8 bit": "Subject: grün\r\n\r\nüber\r\n".encode() + bytes(range(128, 256)) + b"\r\n",
    "controls": b"Subject: a\r\n\r\n" + bytes(set(range(1, 32)) - {10, 13}) + b"\x7f\r\n",
    "nul": b"Subject: a\r\n\r\na\0b\r\n",
    "from": b"Subject: a\r\n\r\nFrom me\r\n>From you\r\n",
    "spaces": b"Subject: a  \r\n\r\nbody \t\r\n   \r\n\r\n\r\n",
    "big": b"Subject: a\r\n\r\n" + b"0123456789" * 8 + b"\r\n" * 20_000,
    "too big": b"Subject: a\r\n\r\n" + (b"0123456789" * 8 + b"\r\n") * 30_000,
    "no newlines": b"Subject: a\r\n\r\n" + b"x" * 100 + b"\r\n",
}


@pytest.mark.parametrize("name", CONTENTS)
def test_content_is_kept_as_postfix_keeps_it(name: str, server: Postfix, relay: Relay) -> None:
    direct, through = (kept(port, CONTENTS[name], server) for port in (server.port, relay.port))
    assert through == direct


_numbers = iter(range(10**6))


def kept(port: int, content: bytes, server: Postfix) -> tuple[int, list[bytes]]:
    """The code that the dot gets, and what Postfix keeps of each mail of the session, below the lines of its own."""
    mark = b"X-Case: %d\r\n" % next(_numbers)
    before = server.log.count("removed")
    with Client(port) as client:
        client.hello()
        code = client.mail(mark + content, recipients=[b"bob@corp.example"])
        replies = [code]
        client.send(b"QUIT\r\n")
        while client.reply():
            replies.append(int(client.text[:3]))
    taken = sum(each == 250 for each in replies)
    server.until("removed", times=before + taken)
    time.sleep(0.05)
    mails = re.split(rb"(?m)^From [^\n]*\n", server.stored())
    found = [each for each in mails if mark.rstrip() in each or b"SMUGGLED-BY-" + mark[8:-2] + b"\n" in each]
    ours = [each[each.find(mark.rstrip()) :].removeprefix(mark.rstrip()) for each in found]
    return code, ours


def smuggling(end: bytes) -> bytes:
    """Content with what a lenient server takes for the end of data, and for another mail behind it."""
    mail = (
        b"MAIL FROM:<evil@corp.example>\r\nRCPT TO:<boss@corp.example>\r\nDATA\r\nSubject: SMUGGLED\r\n\r\ngot you\r\n"
    )
    return b"Subject: a\r\n\r\nbody" + end + mail


ENDS = [
    b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\r\n.\r\r\n", b"\n.\r\r\n", b"\r\n\0.\r\n",
    b"\r\n.\0\r\n", b"\r\n. \r\n",
]  # fmt: skip


@pytest.mark.parametrize("end", ENDS, ids=repr)
def test_nothing_is_smuggled_through(end: bytes, server: Postfix, relay: Relay) -> None:
    before = server.log.count("from=<evil@corp.example>")
    passed = relay.count("mails_passed")
    kept(relay.port, smuggling(end), server)
    assert server.log.count("from=<evil@corp.example>") == before
    assert relay.count("mails_passed") == passed + 1


def test_postfix_itself_is_smuggled_or_the_test_above_shows_nothing(server: Postfix) -> None:
    before = server.log.count("from=<evil@corp.example>")
    with Client(server.port) as client:
        client.hello()
        client.mail(smuggling(b"\n.\n"))
        server.until("from=<evil@corp.example>", before + 1)


@pytest.mark.parametrize("end", [b"\n.\n", b"\r.\r", b"\r\n.\n"], ids=repr)
def test_smuggling_is_refused_where_settings_say_so(end: bytes, server: Postfix) -> None:
    with relaying(server.port, smuggling="refuse") as relay, Client(relay.port) as client:
        client.hello()
        assert client.mail(smuggling(end)) == 550
        assert client.text.startswith(b"550 5.5.2 ")
        assert relay.count("mails_smuggling_refused") == 1
