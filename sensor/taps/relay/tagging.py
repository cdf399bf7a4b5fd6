"""
One header field for mail, and none of that name that a stranger wrote.

The header section is held back until its blank line, since the field that says what the mail is stands above all others
and what the mail is can't be told sooner.
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
        self._strange = re.compile(rb"(?i)" + re.escape(name) + rb"[ \t]*(?::|\Z)")
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
        if not self.overlong and self._name not in held.lower():
            return tag + held if tag else held
        return (tag or b"") + self.strip(held, is_last=not self.overlong)

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
            line = octets[at : end or len(octets)]
            if line in (b"\r\n", b"\n") and not self._amid_line:
                self._is_over = True
                kept.append(octets[at:])
                break
            if self._keeps(line):
                kept.append(line)
            at += len(line)
        return b"".join(kept)

    def _keeps(self, line: bytes) -> bool:
        # A line that begins with white space goes with the one before it (RFC 5322 2.2.3).
        if not self._amid_line and not line.startswith((b" ", b"\t")):
            self._removing = self._strange.match(line) is not None
            self.removed += self._removing
        self._amid_line = not line.endswith(b"\n")
        return not self._removing
