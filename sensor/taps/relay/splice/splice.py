"""What happens to a session, and its road through the states: by the shortcut while it is plain, else the long way."""

from __future__ import annotations

from sensor.taps.relay import answers
from sensor.taps.relay.approach import Approach
from sensor.taps.relay.counts import Counts
from sensor.taps.relay.data import END
from sensor.taps.relay.port import PASS, Conduct, Port
from sensor.taps.relay.shortcut import ASKED, JUDGE, PASSED, TAKEN, Rest, Shortcut, state_of
from sensor.taps.relay.splice.next_hop import NextHopSide
from sensor.taps.relay.state import Mark, State

BUFFERED_OCTETS = 65_536
"""Of a client, before it is read no further: what TCP gives at once. What was read by then is kept."""


class Splice(NextHopSide):
    """
    One session. Tell it of what happens by the methods up to ``stop``; all of its answers go to *port*.

    Memory: ``BUFFERED_OCTETS`` and one read of the client's, one reply, and a header section where tags are in force.
    """

    def __init__(self, port: Port, conduct: Conduct, approach: Approach, counts: Counts) -> None:
        super().__init__(port, conduct, approach, counts)
        # While there is one, it knows where the dialogue stands: state, awaited replies and mail are those of before.
        self._shortcut: Shortcut | None = None

    # ---- what is asked of it

    @property
    def state(self) -> State:
        return self._state if self._shortcut is None else state_of(self._shortcut.stand())

    @property
    def wants_input(self) -> bool:
        """False while the client is to be read no further."""
        return len(self._buffer) <= BUFFERED_OCTETS

    @property
    def waits_for_next_hop(self) -> bool:
        """True if it is the next hop's turn to speak."""
        if self._shortcut is not None:
            return not self._shortcut.is_answered
        return bool(self._awaited) and not self._next_hop_is_gone

    @property
    def is_secured(self) -> bool:
        """True if the client speaks under TLS."""
        return self._is_secured

    # ---- what happens

    def from_client(self, data: bytes) -> None:
        """Octets of the client."""
        if self._shortcut is not None and self._passes_to_next_hop(self._shortcut, data):
            return
        self._buffer = self._buffer + data if self._buffer else data
        self._go_on()

    def from_next_hop(self, data: bytes) -> None:
        """Octets of the next hop."""
        if self._shortcut is not None and self._passes_to_client(self._shortcut, data):
            return
        replies = self._replies.feed(data)
        for number, reply in enumerate(replies, 1):
            self._take(reply, is_last=number == len(replies))
        if self._replies.broken is not None and not self._next_hop_is_gone:
            self._give_up_next_hop()
        if self._replies.cut:
            self._counts.add("replies_cut", self._replies.cut)
            self._replies.cut = 0
        self._go_on()

    def next_hop_failed(self) -> None:
        """It could not be reached."""
        self._next_hop_is_gone = True
        self._fail_approach(answers.NO_NEXT_HOP)
        self._go_on()

    def next_hop_lost(self) -> None:
        """Its connection is gone."""
        self._leave_shortcut()
        if self._next_hop_is_gone:
            return
        self._lose_next_hop()
        self._go_on()

    def next_hop_silent(self) -> None:
        """It has not answered for too long."""
        self._leave_shortcut()
        if self._next_hop_is_gone:
            return
        self._counts.add("next_hop_timeouts")
        self._port.tell("next_hop_silent", "no answer within relay.reply_timeout_s")
        self._port.close_next_hop(abort=True)
        self.next_hop_lost()

    def client_done(self) -> None:
        """The client will send no more, but may read on."""
        self._leave_shortcut()
        self._client_is_done = True
        self._go_on()

    def client_lost(self) -> None:
        """Its connection is gone."""
        self._leave_shortcut()
        self._client_is_gone = self._client_is_done = True
        self._buffer = b""
        self._go_on()

    def client_silent(self) -> None:
        """It has sent nothing for too long."""
        self._leave_shortcut()
        if self._state is State.OVER:
            return
        self._counts.add("client_timeouts")
        self._abort_mail()
        self._say(answers.CLIENT_SILENT)
        self._end()
        self._flush()

    def client_secured(self) -> None:
        """TLS with the client has begun: what it said in clear counts no more (RFC 3207 4.2)."""
        if self._state is not State.SECURING:
            return
        self._is_secured = True
        self._state = State.COMMANDS
        self._counts.add("tls_clients")
        if self._in_mail:
            self._send(b"RSET\r\n", Mark.SWALLOWED)
            self._end_mail()
        self._go_on()

    def next_hop_secured(self) -> None:
        """TLS with the next hop has begun."""
        if self._state is not State.APPROACH or self._next_hop_is_gone:
            return
        self._next_hop_is_secured = True
        self._counts.add("tls_next_hops")
        self._step(self._approach.secured())
        self._go_on()

    def stop(self) -> None:
        """Let the client go as soon as no mail of it is on its way."""
        self._leave_shortcut()
        self._is_stopping = True
        self._go_on()

    # ---- the road through the states

    def _go_on(self) -> None:
        """Read what can be read, see what has ended, and let out what gathered."""
        self._read()
        self._see_the_end()
        self._flush()
        self._find_shortcut()

    def _see_the_end(self) -> None:
        if self._state is State.OVER:
            self._buffer = b""
            return
        if self._is_stopping and self._is_idle:
            self._say(answers.LEAVE)
            self._end()
        elif self._client_is_done and not self._may_yet_matter:
            self._abort_mail()
            self._end()

    @property
    def _is_idle(self) -> bool:
        """True between mails."""
        at_rest = self._state in (State.COMMANDS, State.LEAVING) and not self._in_mail
        return at_rest and not self._awaited and not self._buffer

    @property
    def _may_yet_matter(self) -> bool:
        """True if something of a client that sends no more is still to be answered, or to be told to the observer."""
        if self._client_is_gone:
            return Mark.DOT in self._awaited and not self._next_hop_is_gone
        if self._state in (State.CONTENT, State.DRAINING, State.SECRET):
            return False
        return bool(self._awaited)

    # ---- the shortcut: what passes as it came

    def _find_shortcut(self) -> None:
        """Where no reply is awaited, what comes may well pass as it is."""
        if self._awaited or self._buffer or not self._is_undisturbed:
            return
        conduct, passes_content = self._conduct, self._conduct.tag_name is None
        before = self._content.before if self._state is State.CONTENT else None
        if self._state is State.COMMANDS or (passes_content and before is not None):
            self._shortcut = self._port.shortcut(
                Rest(conduct.judges, passes_content, before, self._is_lmtp, self._in_mail, self._accepted)
            )

    @property
    def _is_undisturbed(self) -> bool:
        is_ending = self._client_is_done or self._next_hop_is_gone or self._is_stopping
        is_ours = self._replies.is_amid or self._xforward or (self._conduct.requires_tls and not self._is_secured)
        return not (is_ending or is_ours)

    def _passes_to_next_hop(self, shortcut: Shortcut, data: bytes) -> bool:
        passage = shortcut.from_client(data)
        if passage == PASSED:
            self._port.to_next_hop(data)
            return True
        if not passage:
            self._leave_shortcut()
            return False
        if passage == JUDGE:
            ruling = self._port.judge()
            if ruling is not PASS:
                self._leave_shortcut()
                self._fore.append(data[: -len(END)])
                self._follow(ruling)
                self._go_on()
                return True
            shortcut.end()
        self._counts.add("mails_passed")
        self._port.to_next_hop(data)
        return True

    def _passes_to_client(self, shortcut: Shortcut, data: bytes) -> bool:
        passage = shortcut.from_next_hop(data)
        if not passage:
            self._leave_shortcut()
            return False
        if passage >= TAKEN:
            self._counts.add("mails_taken", passage // TAKEN)
        self._port.to_client(data)
        return True

    def _leave_shortcut(self) -> None:
        """Go on by the long way from where the dialogue stands."""
        if self._shortcut is None:
            return
        stand = self._shortcut.stand()
        self._shortcut = None
        self._state = state_of(stand)
        before, awaited, self._in_mail, self._accepted = stand
        self._awaited.extend(ASKED[name] for name in awaited)
        if before is not None:
            self._begin_content(before)
