"""
Random SMTP dialogues as ``Dialogue`` objects, each with the truth about its transactions.

The truth is written down by the one who makes the dialogue, not read back from it. Its keys are those of
`pcaps/CASES.md`; what a dialogue does not determine is left out.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from hypothesis import strategies as st

from tests.craft.dialogue import Dialogue, lines, stuffed
from tests.mail_strategies import ADDRESSES, LOCAL_PARTS, Mail, mails

Protocol = Literal["smtp", "esmtp", "lmtp"]
Ending = Literal["content", "rset", "mail_refused", "data_refused", "abandoned"]

ACCEPTED = st.sampled_from([250, 251])
REFUSED = {"rejected": st.sampled_from([550, 552, 553, 554]), "deferred": st.sampled_from([450, 451, 452])}
TEXTS = st.sampled_from(["Ok", "2.1.0 Ok", "5.7.1 Sorry <a@b.example>", "250 is what I say", "354", ""])


@dataclass
class Scripted:
    """A dialogue, the truth of every transaction in it, and the secrets that no output may hold."""

    dialogue: Dialogue = field(default_factory=Dialogue)
    truth: list[dict[str, object]] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)


@dataclass
class _Exchange:
    """Commands of one side and the replies to them, to be said in lockstep or in two bursts."""

    commands: list[bytes] = field(default_factory=list)
    replies: list[bytes] = field(default_factory=list)

    def add(self, command: bytes, reply: bytes) -> None:
        self.commands.append(command)
        self.replies.append(reply)

    def say(self, dialogue: Dialogue, pipelined: bool, *, bursts: bool) -> None:
        """Lockstep; or all commands at once, then the replies, each by itself or (*bursts*) in one write."""
        if not pipelined:
            for command, reply in zip(self.commands, self.replies, strict=True):
                dialogue.c_raw(command).s_raw(reply)
            return
        dialogue.c_raw(b"".join(self.commands))
        for reply in [b"".join(self.replies)] if bursts else self.replies:
            dialogue.s_raw(reply)


@st.composite
def replies(draw: st.DrawFn, code: int) -> bytes:
    """One reply, of one line or several."""
    texts = draw(st.lists(TEXTS, min_size=1, max_size=3))
    return lines(*[f"{code}-{text}" for text in texts[:-1]], f"{code} {texts[-1]}")


@st.composite
def dialogues(draw: st.DrawFn, *, most_mails: int = 3) -> Scripted:
    """A whole session: greeting, perhaps AUTH, some transactions, QUIT or just the end."""
    scripted = Scripted()
    protocol: Protocol = draw(st.sampled_from(["smtp", "esmtp", "lmtp"]))
    helo = draw(st.sampled_from(["a.example", "[192.0.2.10]", "mail.partner.example"]))
    verb = {"smtp": "HELO", "esmtp": "EHLO", "lmtp": "LHLO"}[protocol]
    scripted.dialogue.greet(f"{draw(st.sampled_from([verb, verb.lower(), verb.title()]))} {helo}")
    session: dict[str, object] = {"protocol": protocol, "helo": helo}
    if protocol == "esmtp" and draw(st.integers(0, 3)) == 0:
        session["auth_user"] = _authenticate(draw, scripted)
    count = draw(st.integers(1, most_mails))
    for number in range(count):
        lost = number == count - 1 and draw(st.integers(0, 3)) == 0
        scripted.truth.append(session | _transaction(draw, scripted.dialogue, protocol, lost=lost))
        if lost:
            return scripted
    if draw(st.booleans()):
        scripted.dialogue.quit()
    return scripted


def _authenticate(draw: st.DrawFn, scripted: Scripted) -> str:
    user = draw(ADDRESSES)
    secret = f"PLANTED-SECRET-{draw(LOCAL_PARTS)}-9c1e"
    scripted.secrets.append(secret)
    plain = base64.b64encode(f"\0{user}\0{secret}".encode()).decode()
    scripted.secrets.append(plain)
    how = draw(st.sampled_from(["plain", "plain_later", "login"]))
    if how == "plain":
        scripted.dialogue.c(f"AUTH PLAIN {plain}")
    elif how == "plain_later":
        scripted.dialogue.c("AUTH PLAIN").s("334 ").c(plain)
    else:
        coded = [base64.b64encode(text.encode()).decode() for text in (user, secret)]
        scripted.secrets.append(coded[1])
        scripted.dialogue.c("AUTH LOGIN").s("334 VXNlcm5hbWU6").c(coded[0]).s("334 UGFzc3dvcmQ6").c(coded[1])
    scripted.dialogue.s("235 2.7.0 Authentication successful")
    return user


def _transaction(draw: st.DrawFn, dialogue: Dialogue, protocol: Protocol, *, lost: bool) -> dict[str, object]:
    """One transaction said into *dialogue*, and the truth about it; with *lost* the connection ends inside it."""
    reverse_path = draw(st.one_of(st.just(""), ADDRESSES))
    ending: Ending = draw(st.sampled_from(["content", "content", "content", "rset", "mail_refused", "data_refused"]))
    ending = "abandoned" if lost else ending
    pipelined = protocol != "smtp" and draw(st.booleans())
    truth: dict[str, object] = {"reverse_path": reverse_path, "recipients": []}
    exchange = _Exchange()
    if ending == "mail_refused":
        outcome, code = _refusal(draw)
        exchange.add(lines(f"MAIL FROM:<{reverse_path}>"), draw(replies(code)))
        exchange.say(dialogue, False, bursts=False)
        return truth | {"outcome": outcome, "reply_code": code}
    exchange.add(lines(f"MAIL FROM:<{reverse_path}>"), draw(replies(250)))
    recipients = _recipients(draw, exchange)
    truth["recipients"] = recipients
    refused = [one["reply_code"] for one in recipients if not one["accepted"]]
    if len(refused) == len(recipients):
        exchange.add(b"RSET\r\n", draw(replies(250)))
        exchange.say(dialogue, pipelined, bursts=draw(st.booleans()))
        return truth | {"outcome": "rejected" if min(map(str, refused)) >= "500" else "deferred"}
    if ending in ("rset", "abandoned") and draw(st.booleans()):
        if ending == "rset":
            exchange.add(b"RSET\r\n", draw(replies(250)))
        exchange.say(dialogue, pipelined, bursts=draw(st.booleans()))
        return truth | {"outcome": "aborted"}
    if ending == "data_refused":
        outcome, code = _refusal(draw)
        exchange.add(b"DATA\r\n", draw(replies(code)))
        exchange.say(dialogue, pipelined, bursts=draw(st.booleans()))
        return truth | {"outcome": outcome, "reply_code": code}
    mail = draw(mails())
    lmtp = protocol == "lmtp"
    if protocol != "smtp" and draw(st.booleans()):
        return truth | _bdat(draw, dialogue, exchange, mail, recipients, ending, lmtp=lmtp, pipelined=pipelined)
    return truth | _data(draw, dialogue, exchange, mail, recipients, ending, lmtp=lmtp, pipelined=pipelined)


def _refusal(draw: st.DrawFn) -> tuple[str, int]:
    outcome = draw(st.sampled_from(["rejected", "deferred"]))
    return outcome, draw(REFUSED[outcome])


def _recipients(draw: st.DrawFn, exchange: _Exchange) -> list[dict[str, object]]:
    """One to four RCPTs with their verdicts; where all are refused, they are refused alike."""
    outcome = draw(st.sampled_from(["rejected", "deferred"]))
    verdicts = draw(st.lists(st.booleans(), min_size=1, max_size=4))
    made: list[dict[str, object]] = []
    for accepted in verdicts:
        address, code = draw(ADDRESSES), draw(ACCEPTED if accepted else REFUSED[outcome])
        exchange.add(lines(f"RCPT TO:<{address}>"), draw(replies(code)))
        made.append({"address": address, "reply_code": code, "accepted": accepted})
    return made


def _data(
    draw: st.DrawFn,
    dialogue: Dialogue,
    exchange: _Exchange,
    mail: Mail,
    recipients: list[dict[str, object]],
    ending: Ending,
    *,
    lmtp: bool,
    pipelined: bool,
) -> dict[str, object]:
    exchange.add(b"DATA\r\n", b"354 Go on\r\n")
    exchange.say(dialogue, pipelined, bursts=draw(st.booleans()))
    written = stuffed(mail.content)
    if ending == "abandoned" and draw(st.booleans()):
        dialogue.c_raw(written[: draw(st.integers(1, len(written) - 1))])
        return {"outcome": "aborted"}
    dialogue.c_raw(written)
    return mail.truth | _final(draw, dialogue, recipients, ending, lmtp=lmtp)


def _bdat(
    draw: st.DrawFn,
    dialogue: Dialogue,
    exchange: _Exchange,
    mail: Mail,
    recipients: list[dict[str, object]],
    ending: Ending,
    *,
    lmtp: bool,
    pipelined: bool,
) -> dict[str, object]:
    """Chunks cut anywhere, the last perhaps empty (RFC 3030 2), one send each or all with the envelope."""
    cuts = sorted(draw(st.lists(st.integers(0, len(mail.content)), max_size=3)))
    edges = [0, *cuts, len(mail.content)]
    chunks = [mail.content[start:end] for start, end in pairwise(edges)]
    for chunk in chunks[:-1]:
        exchange.add(lines(f"BDAT {len(chunk)}") + chunk, draw(replies(250)))
    last = lines(f"BDAT {len(chunks[-1])} LAST") + chunks[-1]
    if pipelined:
        exchange.add(last, b"")
        exchange.say(dialogue, True, bursts=True)
    else:
        exchange.say(dialogue, False, bursts=False)
        dialogue.c_raw(last)
    return mail.truth | _final(draw, dialogue, recipients, ending, lmtp=lmtp)


def _final(
    draw: st.DrawFn, dialogue: Dialogue, recipients: list[dict[str, object]], ending: Ending, *, lmtp: bool
) -> dict[str, object]:
    """The reply to the whole content; over LMTP one for each accepted recipient (RFC 2033 4.2)."""
    if ending == "abandoned":
        return {"outcome": "unknown"}
    accepted = [one for one in recipients if one["accepted"]]
    codes: list[int] = []
    for one in accepted if lmtp else [None]:
        refusal = draw(st.integers(0, 3))
        code = draw(ACCEPTED if refusal else REFUSED[draw(st.sampled_from(["rejected", "deferred"]))])
        dialogue.s_raw(draw(replies(code)))
        codes.append(code)
        if one is not None:
            one |= {"reply_code": code, "accepted": code < 300}
    outcome = "delivered" if min(codes) < 300 else "rejected" if min(codes) >= 500 else "deferred"
    return {"outcome": outcome} if lmtp else {"outcome": outcome, "reply_code": codes[0]}
