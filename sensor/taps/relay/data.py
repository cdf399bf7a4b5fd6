"""
Where the content of a mail ends: at CRLF.CRLF and nowhere else (RFC 5321 4.1.1.4), however the octets are cut.

Servers that take a bare CR or LF for a line's end may see an end of data, and with it the commands of another mail,
where no strict server does. So no dot leaves here that such a server could take for the end, nor for one that was
stuffed: it gets a second dot, which the lenient server takes off again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

END = b".\r\n"
"""What ends the content, after a line's end that belongs to the content."""

_CRLF_END = b"\r\n.\r\n"

# The first: a dot after a bare newline. The second: a dot alone between CRLF and a bare newline. Both look around
# themselves only, so that dots next to each other are all found; the dot comes first, since that is searched quickly.
_SMUGGLED_DOT = re.compile(rb"\.(?:(?<=[\r\n]\.)(?<!\r\n\.)|(?<=\r\n\.)(?=\n|\r(?!\n)))")


@dataclass(frozen=True, slots=True)
class Scanned:
    """
    What a piece of content came to. ``seen`` is the client's own octets, ``passed`` what the next hop may get of them;
    neither has the dot that ends the content. ``rest`` is what follows that dot, none while the content goes on.
    """

    seen: bytes
    passed: bytes
    rest: bytes | None


class DataScanner:
    """
    Reads the content of one mail. ``smuggled`` counts the dots that a lenient server would have misread.

    At most two octets are held back between pieces: a dot or a CR whose meaning the next octet tells.

    ``before`` is the newline that the last octets ended with, as far as it matters: content begins after that of DATA.
    """

    def __init__(self, before: bytes = b"\r\n") -> None:
        self.smuggled = 0
        self.before = before
        self._held = b""

    def feed(self, data: bytes) -> Scanned:
        """The next octets from the client, any number of them."""
        if not data:
            return Scanned(b"", b"", None)
        # What stands before matters to a dot alone; without it, nothing has to be joined and copied.
        before = self.before if self._held or data.startswith(b".") else b""
        rest = None
        window = before + self._held + data
        has_dots = _has_dots_after_newlines(window)
        end = window.find(_CRLF_END) if has_dots else -1
        if end >= 0:
            window, rest = window[: end + 2], window[end + len(_CRLF_END) :]
            self._held = b""
        else:
            self._held = _undecided(window)
            window = window[: len(window) - len(self._held)]
            self.before = _newline_at_the_end(window)
        seen = window[len(before) :]
        if not has_dots:
            return Scanned(seen, seen, rest)
        passed, dots = _SMUGGLED_DOT.subn(b"..", window)
        self.smuggled += dots
        return Scanned(seen, passed[len(before) :], rest)

    @property
    def held(self) -> bytes:
        """What is held back."""
        return self._held


def _has_dots_after_newlines(octets: bytes) -> bool:
    """True if anything here can end the content or be misread: seldom so. CPython finds pairs quickest backwards."""
    return octets.rfind(b"\n.") >= 0 or octets.rfind(b"\r.") >= 0


def _undecided(window: bytes) -> bytes:
    if window.endswith(b"\r"):
        return window[-2:] if window.endswith(b"\r\n.\r") else b"\r"
    return b"." if window.endswith(b"\r\n.") else b""


def _newline_at_the_end(window: bytes) -> bytes:
    if window.endswith(b"\r\n"):
        return b"\r\n"
    return window[-1:] if window.endswith((b"\n", b"\r")) else b""
