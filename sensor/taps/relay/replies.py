"""The next hop's replies, whole (RFC 5321 4.2), out of octets cut anywhere."""

from __future__ import annotations

from typing import NamedTuple

KEPT_OCTETS = 65_536
"""Of one reply; RFC 5321 4.5.3.1.5 asks for 512 a line, and the longest in use, to HELP, has some dozen lines."""

KEPT_LINE_OCTETS = 4_096
"""Of one line: eight times what the RFC allows."""

ENDLESS_OCTETS = 4_194_304
"""A reply that has not ended by then will not end: its next hop is given up."""


class Reply(NamedTuple):
    """A reply with its code and its octets as they came, each line ended by CRLF."""

    code: int
    octets: bytes

    @property
    def is_positive(self) -> bool:
        return 200 <= self.code < 300


class ReplyReader:
    """
    Makes replies of octets. ``broken`` says why no more can be made: the next hop does not speak SMTP.

    Of a reply longer than the bounds above, lines before the last one are left out, and ``cut`` counts it.
    """

    def __init__(self) -> None:
        self.broken: str | None = None
        self.cut = 0
        self._line = bytearray()
        self._lines: list[bytes] = []
        self._code = 0
        self._kept = self._octets = 0

    @property
    def is_amid(self) -> bool:
        """True if a reply has begun and not ended."""
        return bool(self._line or self._lines)

    def feed(self, data: bytes) -> list[Reply]:
        """The replies that *data* ends."""
        if not self.is_amid and self.broken is None:
            reply = _only_line(data)
            if reply is not None:
                return [reply]
        return self._feed_lines(data)

    def _feed_lines(self, data: bytes) -> list[Reply]:
        replies: list[Reply] = []
        for piece in _lines(data):
            if self.broken is not None:
                break
            self._octets += len(piece)
            if len(self._line) <= KEPT_LINE_OCTETS:
                self._line += piece
            if piece.endswith(b"\n"):
                self._take_line(bytes(self._line), replies)
                self._line.clear()
            if self._octets > ENDLESS_OCTETS:
                self.broken = "a reply without an end"
        return replies

    def _take_line(self, line: bytes, replies: list[Reply]) -> None:
        text = line[:KEPT_LINE_OCTETS].rstrip(b"\r\n")
        code, mark = text[:3], text[3:4]
        if not _is_code(code) or mark not in (b"", b" ", b"-"):
            self.broken = "a reply without a code"
        elif self._lines and int(code) != self._code:
            self.broken = "a reply with two codes"
        else:
            self._code = int(code)
            self._keep(text + b"\r\n", is_last=mark != b"-")
            if mark != b"-":
                replies.append(Reply(self._code, b"".join(self._lines)))
                self.cut += self._octets > self._kept
                self._lines, self._kept, self._octets = [], 0, 0

    def _keep(self, line: bytes, *, is_last: bool) -> None:
        if is_last or self._kept + len(line) <= KEPT_OCTETS:
            self._lines.append(line)
            self._kept += len(line)


def _only_line(data: bytes) -> Reply | None:
    """The reply where *data* is one of one line, as nearly all are."""
    if data.find(b"\n") != len(data) - 1 or not data.endswith(b"\r\n") or len(data) > KEPT_LINE_OCTETS:
        return None
    if data[3:4] not in (b" ", b"\r") or not _is_code(data[:3]):
        return None
    return Reply(int(data[:3]), data)


def _is_code(code: bytes) -> bool:
    """RFC 5321 4.2: the first digit is 2 to 5, the others are any."""
    return len(code) == 3 and code.isdigit() and b"2" <= code[:1] <= b"5"


def _lines(data: bytes) -> list[bytes]:
    """The lines of *data*, ended by LF alone."""
    pieces = data.split(b"\n")
    return [piece + b"\n" for piece in pieces[:-1]] + ([pieces[-1]] if pieces[-1] else [])
