"""
One header field for mail, and none of that name that a stranger wrote.

The header section is held back until its blank line, since the field that says what the mail is stands above all others
and what the mail is can't be told sooner.

Whoever reads the field may be more lenient than RFC 5322: a bare CR is a line's end to many (Python's email among
them), and some take a name that is folded before its colon. So neither hides a stranger's field.
"""

from __future__ import annotations

import re

HELD_OCTETS = 262_144
"""
Of a header section. Postfix takes 102,400 octets of one field for header, and real sections rarely pass 50,000. What is
longer goes out untagged, though not with a stranger's tag.
"""

_BLANK_LINE = re.compile(rb"(?:\A|\n)\r?\n")
_TAIL_OCTETS = 3
_PART_OCTETS = 4_096  # of a line that is not whole: more than any name of a field


class HeaderHold:
    """
    Holds a header section back, and takes fields named *name* out of it. ``removed`` counts those.

    ``is_ready`` once its end is in, or more than is held; then it is ``release``d, and where ``overlong``, what
    follows goes through ``strip``.
    """

    def __init__(self, name: bytes) -> None:
        self.removed = 0
        self.is_ready = self.overlong = False
        self._name = name.lower()
        # White space before the colon is obsolete, but read (RFC 5322 4.5).
        self._strange = re.compile(rb"(?i)" + re.escape(name) + rb"[ \t\r\n]*(?::|\Z)")
        self._hidden = re.compile(rb"(?i)\r" + re.escape(name) + rb"(?![^ \t\r\n:])[^\r\n]*")
        self._held = bytearray()
        self._searched = 0
        self._is_over = self._removing = self._amid_line = False

    def feed(self, content: bytes) -> None:
        """The next octets, until it is ready."""
        self._held += content
        # A newline at the end of what was searched may be the first of the two.
        blank = _BLANK_LINE.search(self._held, max(0, self._searched - _TAIL_OCTETS))
        self._searched = len(self._held)
        self.overlong = blank is None and self._searched > HELD_OCTETS
        self.is_ready = blank is not None or self.overlong

    def release(self, tag: bytes | None) -> bytes:
        """What was held but for strange fields, with *tag*, a whole field, above it."""
        held = bytes(self._held)
        self._held.clear()
        if self.overlong or self._name in held.lower():
            held = self.strip(held, is_last=not self.overlong)
        if tag and held.startswith((b" ", b"\t")):
            # What belongs to no field would go on with ours: it is body then, as to Postfix below its own Received.
            tag += b"\r\n"
        return tag + held if tag else held

    def strip(self, content: bytes, *, is_last: bool = False) -> bytes:
        """*content* without strange fields. Of a line that is not whole yet, a bounded part is held back."""
        if self._is_over:
            return content
        octets, kept, at = bytes(self._held) + content, [], 0
        self._held.clear()
        while at < len(octets):
            end = octets.find(b"\n", at) + 1
            if not end and not is_last and len(octets) - at < _PART_OCTETS:
                self._held += octets[at:]
                break
            line = octets[at : end or self._end_of_part(octets, at, is_last=is_last)]
            if line in (b"\r\n", b"\n") and not self._amid_line:
                self._is_over = True
                kept.append(octets[at:])
                break
            if self._keeps(line):
                kept.append(self._shown(line))
            at += len(line)
            if not end:
                self._held += octets[at:]
                break
        return b"".join(kept)

    def _end_of_part(self, octets: bytes, at: int, *, is_last: bool) -> int:
        """How much of a line without an end goes on: all but what a bare CR near its end may begin."""
        cr = -1 if is_last else octets.rfind(b"\r", max(at + 1, len(octets) - _PART_OCTETS))
        return cr if cr > at else len(octets)

    def _shown(self, line: bytes) -> bytes:
        """The line without strange fields behind a bare CR in it."""
        if line.find(b"\r", 0, -2) < 0:
            return line
        line, hidden = self._hidden.subn(b"", line)
        self.removed += hidden
        return line

    def _keeps(self, line: bytes) -> bool:
        # A line that begins with white space goes with the one before it (RFC 5322 2.2.3).
        if not self._amid_line and not line.startswith((b" ", b"\t")):
            self._removing = self._strange.match(line) is not None
            self.removed += self._removing
        self._amid_line = not line.endswith(b"\n")
        return not self._removing
