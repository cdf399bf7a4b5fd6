"""The mail at hand: its content handed on in pieces, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from sensor.model import Outcome, Transaction
from sensor.taps.milter.deed import Reply
from sensor.taps.milter.envelope import Envelope, ForwardPath
from sensor.taps.milter.limits import Bounds
from sensor.taps.milter.negotiation import BodyWanted

HEADER_PIECE_OCTETS = 65_536
"""Header fields are handed on together, and no more than so many octets wait."""

PATH_OVERHEAD_OCTETS = 256
"""What a path takes in memory beside its text."""


class Observer(Protocol):
    """Where mail goes to be read. Never raises; a mail that it can't take has no number."""

    def begin(self, envelope: Envelope) -> int | None: ...
    def content(self, mail: int, octets: bytes) -> None: ...
    def drafted(self, mail: int) -> Transaction | None: ...
    def end(self, mail: int, *, at_ns: int, outcome: Outcome, reply: Reply | None, truncated: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class Conduct:
    """
    How sessions behave. *own_field* is the name of the field that tags mail, none where no mail is tagged. A mail that
    could not be judged passes, or where not *fails_open*, is to come again. *passed* is told the queue id of each mail
    that was shown to its end.
    """

    body: BodyWanted = "all"
    window_octets: int = 65_536
    own_field: bytes | None = None
    fails_open: bool = True
    passed: Callable[[str], None] = lambda _: None
    bounds: Bounds = field(default_factory=Bounds)


class Message:
    """
    One mail, from MAIL to whatever ends it.

    ``truncated`` is true from when a part of it was not looked at; ``own_fields`` counts the header fields that
    have the name of our own. *leading_space* is true if fields bring the blank behind their colon.
    """

    def __init__(self, envelope: Envelope, observer: Observer, conduct: Conduct, *, leading_space: bool) -> None:
        self.envelope = envelope
        self.queue_id: bytes | None = None
        self.own_fields = 0
        self.truncated = conduct.body == "none"
        self._observer, self._bounds = observer, conduct.bounds
        self._number: int | None = None
        self._has_begun = False
        self._envelope_octets = 0
        self._colon = b":" if leading_space else b": "
        self._own_field = conduct.own_field.lower() if conduct.own_field is not None else None
        self._lines: list[bytes] = []
        self._line_octets = 0
        self._in_header = True
        self._body_room = _room(conduct)

    def add(self, path: ForwardPath, octets: int) -> bool:
        """Take a forward-path whose command was of so many octets; false if there are more than are kept."""
        octets += PATH_OVERHEAD_OCTETS
        if self._envelope_octets + octets > self._bounds.envelope_octets:
            self.truncated = True
            return False
        self._envelope_octets += octets
        self.envelope.forward_paths.append(path)
        return True

    def add_field(self, name: bytes, value: bytes) -> None:
        """Take a header field as it was on the wire, but for its line ends, which are CRLF there."""
        if name.lower() == self._own_field:
            self.own_fields += 1
        if b"\n" in value:
            value = value.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        line = name + self._colon + value + b"\r\n"
        self._lines.append(line)
        self._line_octets += len(line)
        if self._line_octets >= HEADER_PIECE_OCTETS:
            self._hand_on(self._take_lines())

    def add_body(self, octets: bytes) -> bool:
        """Take a piece of the body; false if it, or a part of it, was not looked at, so that no more need come."""
        self.end_header()
        kept = octets
        if self._body_room is not None:
            kept = octets[: self._body_room]
            self._body_room -= len(kept)
        if kept:
            self._hand_on(kept)
        if len(kept) < len(octets):
            self.truncated = True
            return False
        return True

    def end_header(self) -> None:
        """The blank line, which each mail has that came to its body or its end."""
        if self._in_header:
            self._in_header = False
            self._lines.append(b"\r\n")
            self._hand_on(self._take_lines())

    def drafted(self) -> Transaction | None:
        """The mail as its record would be now; none if it can't be read."""
        return None if self._number is None else self._observer.drafted(self._number)

    def end(self, at_ns: int, outcome: Outcome, reply: Reply | None = None) -> None:
        """It is over: its record is made. Nothing may come after this."""
        self._hand_on(self._take_lines())
        if self._number is not None:
            self._observer.end(self._number, at_ns=at_ns, outcome=outcome, reply=reply, truncated=self.truncated)

    def _take_lines(self) -> bytes:
        octets = b"".join(self._lines)
        self._lines.clear()
        self._line_octets = 0
        return octets

    def _hand_on(self, octets: bytes) -> None:
        if not self._has_begun:
            # Not before: the observer is given the envelope whole.
            self._has_begun, self._number = True, self._observer.begin(self.envelope)
        if octets and self._number is not None:
            self._observer.content(self._number, octets)


def _room(conduct: Conduct) -> int | None:
    """Octets of a body that are looked at; none for all."""
    if conduct.body == "all":
        return None
    return conduct.window_octets if conduct.body == "window" else 0
