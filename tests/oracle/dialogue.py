"""
An SMTP session from its two whole streams: the k-th command is answered by the k-th reply, and that is all.

Octets in time do not matter for it: whether commands were pipelined or not, replies come in the order of their commands
(RFC 2920 3.1). Only what a reply allows decides how the client's next octets read: 354 opens content, 334 a SASL line.

Outcomes are those of the record: what a 2yz, 4yz or 5yz after the content says; before it, a refusal that ended the
transaction; `aborted` where the client or the connection gave it up; `unknown` where only the last reply is missing.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

from tests.oracle.message import read_message

CRLF = b"\r\n"


def read_session(client: bytes, server: bytes) -> list[dict[str, object]]:
    """The transactions of one session, in order, with keys as in `pcaps/CASES.md`; undetermined ones are left out."""
    return _Reader(client, server).run()


class _Reader:
    def __init__(self, client: bytes, server: bytes) -> None:
        self.rest = client
        self.replies = _replies(server)
        self.banner = next(self.replies, None)
        self.session: dict[str, object] = {"protocol": "smtp"}
        self.transaction: dict[str, object] | None = None
        self.recipients: list[dict[str, object]] = []
        self.content = b""
        self.records: list[dict[str, object]] = []

    def run(self) -> list[dict[str, object]]:
        while (line := self.line()) is not None:
            verb, _, argument = line.decode("utf-8", "replace").strip().partition(" ")
            if not self.command(verb.upper(), argument.strip()):
                break
        self.end("aborted")
        return self.records

    def line(self) -> bytes | None:
        line, found, self.rest = self.rest.partition(CRLF)
        return line if found else None

    def reply(self) -> int | None:
        return next(self.replies, None)

    def command(self, verb: str, argument: str) -> bool:
        """One command with its reply; false where nothing after it can be read (TLS)."""
        if verb == "BDAT":
            return self.bdat(argument)
        code = self.reply()
        kind = code // 100 if code is not None else 0
        if verb in ("HELO", "EHLO", "LHLO") and kind == 2:
            self.end("aborted")
            self.session |= {"protocol": {"H": "smtp", "E": "esmtp", "L": "lmtp"}[verb[0]], "helo": argument}
        elif verb in ("RSET", "QUIT") and kind == 2:
            self.end("aborted")
        elif verb == "MAIL":
            self.mail(argument, code)
        elif verb == "RCPT" and self.transaction is not None:
            address = _path(argument)
            self.recipients.append({"address": address, "reply_code": code, "accepted": kind == 2})
        elif verb == "DATA" and self.transaction is not None:
            self.data(code)
        elif verb == "AUTH":
            self.auth(argument, code)
        return not (verb in ("STARTTLS", "X-ANONYMOUSTLS") and kind == 2)

    def mail(self, argument: str, code: int | None) -> None:
        self.end("aborted")
        self.transaction = {"reverse_path": _path(argument)}
        if code is not None and code >= 400:
            self.end(_refusal([code]), code)

    def data(self, code: int | None) -> None:
        if code == 354:
            before, found, after = (CRLF + self.rest).partition(CRLF + b"." + CRLF)
            if not found:
                self.rest = b""
                return
            self.rest = after
            self.content = (before + CRLF).replace(CRLF + b"..", CRLF + b".")[2:]
            self.finish()
        elif code is not None and code >= 400 and any(one["accepted"] for one in self.recipients):
            self.end(_refusal([code]), code)

    def bdat(self, argument: str) -> bool:
        size, _, last = argument.partition(" ")
        chunk, self.rest = self.rest[: int(size)], self.rest[int(size) :]
        whole = len(chunk) == int(size)
        self.content += chunk
        if whole and last.upper() == "LAST" and self.transaction is not None:
            self.finish()
            return True
        code = self.reply()
        if code is not None and code >= 400 and self.transaction is not None:
            self.end(_refusal([code]), code)
        return True

    def finish(self) -> None:
        """The content is complete: one reply decides, over LMTP one for each recipient that was accepted."""
        assert self.transaction is not None
        accepted = [one for one in self.recipients if one["accepted"]]
        lmtp = self.session["protocol"] == "lmtp"
        codes = [code for _ in (accepted if lmtp else [None]) if (code := self.reply()) is not None]
        if lmtp:
            for one, code in zip(accepted, codes, strict=False):
                one |= {"reply_code": code, "accepted": code < 300}
        self.transaction |= {"size_octets": len(self.content), **read_message(self.content)}
        if not codes:
            self.end("unknown")
        elif any(code < 300 for code in codes):
            self.end("delivered", None if lmtp else codes[0])
        else:
            self.end(_refusal(codes), None if lmtp else codes[0])

    def auth(self, argument: str, code: int | None) -> None:
        mechanism, _, initial = argument.partition(" ")
        answers = [initial.encode()] if initial else []
        while code == 334:
            answers.append(self.line() or b"")
            code = self.reply()
        if code == 235:
            self.session["auth_user"] = _user(mechanism.upper(), answers)

    def end(self, outcome: str, code: int | None = None) -> None:
        """Closes the open transaction, if there is one; a refusal of every recipient counts as the outcome."""
        if self.transaction is None:
            return
        refused = [one["reply_code"] for one in self.recipients]
        if outcome == "aborted" and refused and all(isinstance(one, int) and one >= 400 for one in refused):
            outcome = _refusal([one for one in refused if isinstance(one, int)])
        record = self.session | self.transaction | {"recipients": self.recipients, "outcome": outcome}
        if code is not None:
            record["reply_code"] = code
        self.records.append(record)
        self.transaction, self.recipients, self.content = None, [], b""


def _replies(server: bytes) -> Iterator[int]:
    """Codes of the replies; a line whose fourth octet is a hyphen is continued (RFC 5321 4.2.1)."""
    for line in server.split(CRLF):
        if re.fullmatch(rb"\d{3}( .*)?", line, re.DOTALL):
            yield int(line[:3])


def _refusal(codes: list[int]) -> str:
    return "rejected" if all(code >= 500 for code in codes) else "deferred"


def _path(argument: str) -> str:
    """The address in `FROM:<...>` or `TO:<...>`, without a source route, its domain in lower case."""
    found = re.search(r"<([^>]*)>", argument)
    path = re.sub(r"^@[^:]*:", "", found[1] if found else argument.partition(":")[2].strip())
    local, at, domain = path.rpartition("@")
    return f"{local}{at}{domain.lower()}" if at else path


def _user(mechanism: str, answers: list[bytes]) -> str | None:
    given = [base64.b64decode(answer) for answer in answers if answer != b"="]
    if mechanism == "PLAIN":
        return given[0].split(b"\0")[1].decode()
    if mechanism == "LOGIN":
        return given[0].decode()
    if mechanism == "CRAM-MD5":
        return given[0].rpartition(b" ")[0].decode()
    return given[0].partition(b"user=")[2].partition(b"\x01")[0].decode() if mechanism == "XOAUTH2" else None
