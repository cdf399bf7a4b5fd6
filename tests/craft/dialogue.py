"""A conversation as its two ends meant it: who wrote which octets, in which order. No packets yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

if TYPE_CHECKING:
    from tests.craft.flow import Flow

Side = Literal["c", "s"]
Act = Literal["write", "fin", "rst", "keepalive"]

EXTENSIONS = ("PIPELINING", "SIZE 52428800", "8BITMIME", "ENHANCEDSTATUSCODES", "CHUNKING", "SMTPUTF8", "DSN")
"""What the server of ``greet`` announces."""


@dataclass(slots=True, frozen=True)
class Turn:
    """One thing that one side does: write octets (one ``send``), close, reset, or probe."""

    side: Side
    act: Act
    octets: bytes
    after_ms: float


def lines(*texts: str | bytes) -> bytes:
    """The *texts* as lines, each with CRLF."""
    return b"".join((text.encode() if isinstance(text, str) else text) + b"\r\n" for text in texts)


def stuffed(content: bytes) -> bytes:
    """*content* as DATA carries it: dots doubled at line starts, CRLF.CRLF at the end (RFC 5321 4.5.2)."""
    if content and not content.endswith(b"\r\n"):
        content += b"\r\n"
    body = content.replace(b"\r\n.", b"\r\n..")
    return (b"." + body if body.startswith(b".") else body) + b".\r\n"


def message(
    subject: str = "Hello",
    *,
    sender: str = "ann@a.example",
    to: str = "bob@corp.example",
    message_id: str = "1@a.example",
    fields: tuple[str, ...] = (),
    body: str | bytes = "Hi Bob,\r\nall is well.\r\n",
) -> bytes:
    """A small plain mail. *fields* stand above the others, as a hop would add them."""
    head = [
        *fields,
        f"From: {sender}",
        f"To: {to}",
        f"Subject: {subject}",
        "Date: Thu, 01 Jan 2026 00:00:00 +0000",
        f"Message-ID: <{message_id}>",
        "",
    ]
    return lines(*head) + (body.encode() if isinstance(body, str) else body)


class Dialogue:
    """
    The turns of one connection, built by chained calls.

    ``c`` and ``s`` write lines; every call is one ``send`` of that side, so it begins a segment of its own. The words
    below them (``greet``, ``envelope``, ``data`` ...) are the lockstep phrases that most dialogues share.
    """

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self._after_ms = 0.0

    # ---- the turns themselves

    def c(self, *texts: str | bytes) -> Self:
        """The client writes lines, in one send."""
        return self._act("c", "write", lines(*texts))

    def s(self, *texts: str | bytes) -> Self:
        """The server writes lines, in one send."""
        return self._act("s", "write", lines(*texts))

    def c_raw(self, octets: bytes) -> Self:
        """The client writes exactly *octets*."""
        return self._act("c", "write", octets)

    def s_raw(self, octets: bytes) -> Self:
        """The server writes exactly *octets*."""
        return self._act("s", "write", octets)

    def fin(self, side: Side) -> Self:
        """*side* closes its half; the other may write on."""
        return self._act(side, "fin", b"")

    def rst(self, side: Side) -> Self:
        """*side* resets the connection."""
        return self._act(side, "rst", b"")

    def keepalive(self, side: Side, octets: bytes = b"") -> Self:
        """*side* probes with the octet before its next one (*octets* is empty or that one octet), and is answered."""
        return self._act(side, "keepalive", octets)

    def wait(self, seconds: float) -> Self:
        """Nothing happens for *seconds* before the next turn."""
        self._after_ms += seconds * 1000
        return self

    def _act(self, side: Side, act: Act, octets: bytes) -> Self:
        self.turns.append(Turn(side, act, octets, self._after_ms))
        self._after_ms = 0.0
        return self

    # ---- phrases

    def greet(self, helo: str = "EHLO a.example", extensions: tuple[str, ...] = EXTENSIONS) -> Self:
        """The 220 banner, the client's greeting, and the server's answer to it."""
        replies = ["mx.corp.example at your service", *(extensions if not helo.upper().startswith("HELO") else ())]
        marked = [f"250-{text}" for text in replies[:-1]] + [f"250 {replies[-1]}"]
        return self.s("220 mx.corp.example ESMTP ready").c(helo).s(*marked)

    def envelope(self, reverse_path: str = "ann@a.example", *forward_paths: str, params: str = "") -> Self:
        """MAIL and RCPT in lockstep, all accepted. Without *forward_paths* it goes to bob@corp.example."""
        self.c(f"MAIL FROM:<{reverse_path}>{params}").s("250 2.1.0 Sender ok")
        for path in forward_paths or ("bob@corp.example",):
            self.c(f"RCPT TO:<{path}>").s("250 2.1.5 Recipient ok")
        return self

    def data(self, content: bytes | None = None, reply: str | None = "250 2.0.0 Ok: queued as 4Xy") -> Self:
        """DATA, 354, the stuffed *content*, and the final *reply* (None: none comes)."""
        self.c("DATA").s("354 End data with <CR><LF>.<CR><LF>").c_raw(
            stuffed(message() if content is None else content)
        )
        return self.s(reply) if reply is not None else self

    def bdat(self, chunk: bytes, *, last: bool = False, reply: str | None = "250 2.0.0 Chunk ok") -> Self:
        """One BDAT command with its *chunk* in the same send (RFC 3030 2), and its *reply*."""
        self.c_raw(lines(f"BDAT {len(chunk)}{' LAST' if last else ''}") + chunk)
        return self.s(reply) if reply is not None else self

    def quit(self) -> Self:
        """QUIT and 221."""
        return self.c("QUIT").s("221 2.0.0 Bye")

    def mail(self, number: int = 1, *, body: str | bytes | None = None, reply: str | None = "250 2.0.0 Ok") -> Self:
        """One of several mails: from ``from1@a.example`` to ``to1@corp.example``, subject ``Mail 1``, and so on."""
        sender, recipient = f"from{number}@a.example", f"to{number}@corp.example"
        text = f"This is mail {number}.\r\n" if body is None else body
        content = message(f"Mail {number}", sender=sender, to=recipient, message_id=f"{number}@a.example", body=text)
        return self.envelope(sender, recipient).data(content, reply)

    @classmethod
    def plain(cls) -> Self:
        """A whole session with one plain mail, for cases whose oddity lies below SMTP."""
        return cls().greet().envelope().data().quit()

    @classmethod
    def three(cls, body: str | bytes | None = None) -> Self:
        """A whole session with three mails; the first has *body*."""
        return cls().greet().mail(1, body=body).mail(2).mail(3).quit()

    # ---- what becomes of it

    def flow(self, **options: Any) -> Flow:
        """The segments of this dialogue; the options are those of :func:`tests.craft.flow.flow_of`."""
        from tests.craft.flow import flow_of

        return flow_of(self, **options)

    def transcript(self, widest: int = 100, most_lines: int = 24) -> str:
        """The dialogue for people: one line each, octets that do not print are escaped, long writes are shortened."""
        told: list[str] = []
        for turn in self.turns:
            told += _tell(turn, widest, most_lines)
        return "\n".join(told)


def _tell(turn: Turn, widest: int, most_lines: int) -> list[str]:
    told = [f"   ({turn.after_ms / 1000:g} s pass)"] if turn.after_ms else []
    mark = turn.side.upper() + ": "
    if turn.act != "write":
        return [*told, f"{mark}({turn.act.upper()})"]
    written = turn.octets.split(b"\r\n")
    rest_is_whole = written[-1] == b""
    written = written[:-1] if rest_is_whole else written
    for line in written[:most_lines]:
        text = line.decode("ascii", "backslashreplace").encode("unicode_escape").decode().replace("\\\\x", "\\x")
        shown = text if len(text) <= widest else f"{text[:widest]}... ({len(line)} octets)"
        told.append((mark + shown).rstrip())
        mark = "   "
    if len(written) > most_lines:
        told.append(f"   ... ({len(written) - most_lines} more lines)")
    if not rest_is_whole:
        told[-1] += " (no line end)"
    return told
