"""What all parts of a splice share: where it stands, what goes out, and the replies of its own."""

from __future__ import annotations

from collections import deque

from sensor.taps.relay import answers
from sensor.taps.relay.commands import Kind
from sensor.taps.relay.counts import Counts
from sensor.taps.relay.port import Conduct, Port
from sensor.taps.relay.state import Mark, Own, State, Then


class Ground:
    """The state of one session, and what can be done whatever that is."""

    def __init__(self, port: Port, conduct: Conduct, counts: Counts) -> None:
        self._state = State.APPROACH
        self._port, self._conduct, self._counts = port, conduct, counts
        self._buffer = b""
        # The banner is awaited from the beginning: a next hop may be quicker than whoever connected to it.
        self._awaited: deque[Kind | Mark | Own] = deque((Mark.APPROACH,))
        self._is_secured = self._next_hop_is_secured = False
        self._client_is_done = self._client_is_gone = self._next_hop_is_gone = self._is_stopping = False
        # What goes to the next hop and back to the client when all that came has been read: few large writes.
        self._fore: list[bytes] = []
        self._back: list[bytes] = []

    # ---- what goes out

    def _send(self, octets: bytes, asked: Kind | Mark) -> None:
        self._fore.append(octets)
        self._awaited.append(asked)

    def _say(self, octets: bytes) -> None:
        self._port.seen(octets, from_client=False)
        self._back.append(octets)

    def _flush(self) -> None:
        if self._fore:
            fore, self._fore = b"".join(self._fore), []
            if fore and not self._next_hop_is_gone:
                self._port.to_next_hop(fore)
        if self._back:
            back, self._back = b"".join(self._back), []
            if not self._client_is_gone:
                self._port.to_client(back)

    # ---- replies of its own

    def _refuse(self, octets: bytes, then: Then = Then.NOTHING) -> None:
        """Answer a command ourselves, when its turn has come."""
        self._counts.add("commands_refused")
        if then is Then.CLOSE:
            self._state = State.ENDING
        self._queue(Own(octets, then))

    def _queue(self, own: Own) -> None:
        self._awaited.append(own)
        self._give_own()

    def _give_own(self) -> None:
        """Give the replies of our own whose turn has come."""
        while self._awaited and isinstance(self._awaited[0], Own):
            own = self._awaited.popleft()
            assert isinstance(own, Own)  # noqa: S101 - looked at above
            if own.then is Then.SECURE and self._buffer:
                self._counts.add("tls_injections")
                own = Own(answers.INJECTION, Then.CLOSE)
            self._say(own.octets)
            if own.then is Then.CLOSE:
                self._end()
            elif own.then is Then.SECURE:
                self._flush()
                self._port.secure_client()

    # ---- the end

    def _drop_next_hop(self) -> None:
        self._fore.clear()
        if not self._next_hop_is_gone:
            self._next_hop_is_gone = True
            self._port.close_next_hop(abort=True)

    def _end(self) -> None:
        """Let both go, with what was said to them."""
        if self._state is State.OVER:
            return
        self._state = State.OVER
        self._flush()
        self._port.close_client()
        if not self._next_hop_is_gone:
            self._next_hop_is_gone = True
            self._port.close_next_hop(abort=False)
