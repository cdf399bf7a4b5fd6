"""The content of one mail on its way: its end found, its dots made harmless, its header held where rules tag."""

from __future__ import annotations

from collections.abc import Callable

from sensor.taps.relay.counts import Counts
from sensor.taps.relay.data import DataScanner, Scanned
from sensor.taps.relay.port import Ruling
from sensor.taps.relay.tagging import HeaderHold


class Content:
    """
    From the reply to DATA to the final dot. *out* takes what goes to the next hop; *judge* is asked at the blank line.

    ``smuggled`` counts dots that a lenient server would have misread. *before* is what its first octet stands behind.
    """

    def __init__(
        self,
        tag_name: bytes | None,
        out: Callable[[bytes], None],
        judge: Callable[[], Ruling],
        counts: Counts,
        before: bytes = b"\r\n",
    ) -> None:
        self._out, self._judge, self._counts = out, judge, counts
        self._scanner = DataScanner(before)
        self._hold = HeaderHold(tag_name) if tag_name is not None else None
        self._is_released = self._is_tagged = False

    @property
    def smuggled(self) -> int:
        return self._scanner.smuggled

    @property
    def before(self) -> bytes | None:
        """What the next octet stands behind; None where something is held back, or counted until the end."""
        return None if self._scanner.held or self._scanner.smuggled else self._scanner.before

    def scan(self, data: bytes) -> Scanned:
        """What the next octets of the client come to. Nothing is passed on yet."""
        return self._scanner.feed(data)

    def pass_on(self, content: bytes, *, is_last: bool) -> None:
        """Pass on what ``scan`` allowed, and was told to the observer: the judge may be asked about it."""
        hold = self._hold
        if hold is None:
            self._out(content)
        elif self._is_released:
            self._out(hold.strip(content, is_last=is_last))
        else:
            hold.feed(content)
            if hold.is_ready and not is_last:
                self._release(hold, self._judge())

    def end(self, ruling: Ruling) -> None:
        """Let out what is still held: all of the content has come, and this is the ruling on it."""
        hold = self._hold
        if hold is not None and not self._is_released:
            self._release(hold, ruling)
        elif ruling.tag is not None and not self._is_tagged:
            self._counts.add("mails_tag_too_late")
        if self._hold is not None:
            self._forget(self._hold)

    def _release(self, hold: HeaderHold, ruling: Ruling) -> None:
        """Let the header section go, with what the ruling puts above it."""
        tag = None if hold.overlong else ruling.tag
        self._counts.add("headers_too_long", hold.overlong)
        self._counts.add("mails_tagged", tag is not None)
        self._out(hold.release(tag))
        self._is_released, self._is_tagged = True, tag is not None
        if not hold.overlong:
            self._forget(hold)

    def _forget(self, hold: HeaderHold) -> None:
        self._counts.add("strange_tags_removed", hold.removed)
        self._hold = None
