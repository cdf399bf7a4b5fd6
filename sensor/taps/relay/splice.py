"""
The splice between a client and its next hop, without a socket or a clock: octets in, calls on a ``Port`` out.

Commands and replies pass as they come. Content streams, and only its final dot is held back until the verdict: what the
next hop has not seen the dot of, it throws away. A positive reply to a mail is always the next hop's own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import ClassVar

from sensor.taps.relay import answers, commands, ehlo
from sensor.taps.relay.approach import Approach, Arrived, Failed, Secure, Send, Step
from sensor.taps.relay.commands import Kind
from sensor.taps.relay.content import Content
from sensor.taps.relay.counts import Counts
from sensor.taps.relay.data import END
from sensor.taps.relay.identity import xforward
from sensor.taps.relay.port import PASS, Conduct, Port, Ruling
from sensor.taps.relay.replies import Reply, ReplyReader
from sensor.taps.relay.shortcut import ASKED, JUDGE, PASSED, TAKEN, Rest, Shortcut, state_of
from sensor.taps.relay.state import AFTER, GO_AHEADS, Mark, Own, State, Then

MAX_PIPELINED = 1_000
"""Commands whose replies are awaited; more wait unread. RFC 2920 sets no bound; Postfix's clients send 20 or so."""

BUFFERED_OCTETS = 65_536
"""Of a client, before it is read no further: what TCP gives at once. What was read by then is kept."""


class Splice:
    """
    One session. Tell it of what happens by the methods up to ``stop``; all of its answers go to *port*.

    Memory: ``BUFFERED_OCTETS`` and one read of the client's, one reply, and a header section where tags are in force.
    """

    def __init__(self, port: Port, conduct: Conduct, approach: Approach, counts: Counts) -> None:
        self._state = State.APPROACH
        self._port, self._conduct, self._approach, self._counts = port, conduct, approach, counts
        self._buffer = b""
        self._replies = ReplyReader()
        # The banner is awaited from the beginning: a next hop may be quicker than whoever connected to it.
        self._awaited: deque[Kind | Mark | Own] = deque((Mark.APPROACH,))
        self._is_secured = self._next_hop_is_secured = False
        self._client_is_done = self._client_is_gone = self._next_hop_is_gone = self._is_stopping = False
        # What goes to the next hop and back to the client when all that came has been read: few large writes.
        self._fore: list[bytes] = []
        self._back: list[bytes] = []
        self._is_lmtp = self._in_mail = False
        self._accepted = 0
        self._xforward: bytes | None = None
        self._content: Content = self._new_content()
        self._reply_to_content = b""
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
        while self._buffer:
            read = self._READERS.get(self._state)
            if read is None or not read(self):
                break
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

    def _read_commands(self) -> bool:
        buffer, at = self._buffer, 0
        while self._state is State.COMMANDS and len(self._awaited) < MAX_PIPELINED:
            end = buffer.find(b"\n", at) + 1
            if not end:
                if len(buffer) - at > commands.LINE_OCTETS:
                    self._refuse(answers.TOO_LONG, Then.CLOSE)
                break
            line, at = buffer[at:end], end
            self._command(line, is_last=at == len(buffer))
        self._buffer = buffer[at:]
        return self._state is not State.COMMANDS

    def _read_secret(self) -> bool:
        """A line within AUTH (RFC 4954 4): whatever it looks like, it is no command."""
        end = self._buffer.find(b"\n") + 1
        if not end and len(self._buffer) <= commands.LINE_OCTETS:
            return False
        line, self._buffer = self._buffer[:end], self._buffer[end:]
        if not line.endswith(b"\r\n"):
            self._refuse(answers.BARE_NEWLINE if end else answers.TOO_LONG, Then.CLOSE)
        else:
            self._port.seen(line, from_client=True)
            self._send(line, Kind.AUTH)
            self._state = State.AUTH_ASKED
        return True

    def _read_content(self) -> bool:
        scanned = self._content.scan(self._buffer)
        self._port.seen(scanned.seen, from_client=True)
        self._content.pass_on(scanned.passed, is_last=scanned.rest is not None)
        if scanned.rest is None:
            self._buffer = b""
            return False
        self._buffer = scanned.rest
        self._end_content()
        return True

    def _read_in_vain(self) -> bool:
        """Content that nobody gets is read to its end all the same: only then a client hears a reply."""
        scanned = self._content.scan(self._buffer)
        self._port.seen(scanned.seen, from_client=True)
        self._buffer = scanned.rest or b""
        if scanned.rest is not None:
            self._answer_mail(self._reply_to_content)
        return scanned.rest is not None

    def _read_farewell(self) -> bool:
        end = self._buffer.find(b"\n") + 1
        if end or len(self._buffer) > commands.LINE_OCTETS:
            line = self._buffer[:end]
            self._port.seen(line, from_client=True)
            self._say(answers.BYE if commands.kind_of(line) is Kind.QUIT else answers.LOST)
            self._end()
        return False

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
            self._content = self._new_content(before)

    # ---- commands

    def _command(self, line: bytes, *, is_last: bool) -> None:
        if not line.endswith(b"\r\n"):
            self._counts.add("bare_newlines_refused")
            self._refuse(answers.BARE_NEWLINE, Then.CLOSE)
            return
        self._port.seen(line, from_client=True)
        kind = commands.kind_of(line)
        if b"\0" in line:
            self._refuse(answers.NUL)
        elif self._conduct.requires_tls and not self._is_secured and kind not in commands.IN_CLEAR:
            self._refuse(answers.TLS_FIRST)
        elif kind is Kind.STARTTLS:
            self._start_tls(is_last=is_last)
        elif kind in commands.GREETINGS and self._conduct.token and self._conduct.token in line.lower():
            self._counts.add("loops_refused")
            self._refuse(answers.LOOP, Then.CLOSE)
        elif kind is Kind.CHUNK or kind is Kind.PROXY:
            self._refuse(answers.NO_CHUNKING if kind is Kind.CHUNK else answers.NO_PROXY, Then.CLOSE)
        elif kind is Kind.IDENTITY and not self._conduct.is_trusted:
            self._refuse(answers.NOT_TRUSTED)
        elif kind is Kind.AUTH and self._hides_auth:
            self._refuse(answers.TLS_FIRST)
        else:
            if kind is Kind.MAIL and self._xforward is not None:
                self._send(self._xforward, Mark.SWALLOWED)
            self._send(line, kind)
            self._state = AFTER.get(kind, self._state)

    def _start_tls(self, *, is_last: bool) -> None:
        if not self._conduct.offers_tls or self._is_secured:
            self._refuse(answers.NO_STARTTLS)
        elif not is_last:
            self._counts.add("tls_injections")
            self._refuse(answers.INJECTION, Then.CLOSE)
        else:
            self._buffer = b""
            self._state = State.SECURING
            self._queue(Own(answers.GO_AHEAD, Then.SECURE))

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

    @property
    def _hides_auth(self) -> bool:
        """A next hop under TLS may offer AUTH, since a secret is safe on its leg; on a leg in clear it is not."""
        return self._next_hop_is_secured and not self._is_secured

    # ---- replies

    def _take(self, reply: Reply, *, is_last: bool) -> None:
        if self._next_hop_is_gone or self._state is State.OVER:
            return
        if not self._awaited:
            self._take_unasked(reply)
            return
        asked = self._awaited.popleft()
        if asked is Mark.APPROACH:
            self._step(self._approach.reply(reply), is_clean=is_last and not self._replies.is_amid)
        elif 300 <= reply.code < 400 and (asked, reply.code) not in GO_AHEADS:
            # Whatever it thinks it was told, its state and ours are not the same any more.
            self._awaited.appendleft(asked)
            self._give_up_next_hop()
        else:
            self._TAKERS.get(asked, Splice._pass_reply)(self, reply)
        self._give_own()

    def _pass_reply(self, reply: Reply) -> None:
        self._say(reply.octets)

    def _swallow(self, reply: Reply) -> None:
        """The reply to a command of our own: the client knows nothing of it."""

    def _take_greeting(self, reply: Reply) -> None:
        self._end_mail_if(reply)
        identity, offered = self._conduct.xforward, ehlo.offers(reply)
        told = offered.get(b"XFORWARD") if identity is not None else None
        self._xforward = xforward(identity, told) if identity is not None and told is not None else None
        passed = set(ehlo.PASSED)
        if self._conduct.is_trusted:
            passed |= {b"XCLIENT", b"XFORWARD"}
        if self._is_secured and self._next_hop_is_secured:
            passed.add(b"REQUIRETLS")
        if self._hides_auth:
            passed.discard(b"AUTH")
        offers_tls = self._conduct.offers_tls and not self._is_secured
        self._say(ehlo.filtered(reply, passed, (b"STARTTLS",) if offers_tls else ()))

    def _take_lmtp_greeting(self, reply: Reply) -> None:
        self._is_lmtp = reply.is_positive
        self._take_greeting(reply)

    def _take_reset(self, reply: Reply) -> None:
        self._end_mail_if(reply)
        self._say(reply.octets)

    def _take_mail(self, reply: Reply) -> None:
        if reply.is_positive:
            self._in_mail, self._accepted = True, 0
        self._say(reply.octets)

    def _take_recipient(self, reply: Reply) -> None:
        self._accepted += reply.is_positive
        self._say(reply.octets)

    def _take_data(self, reply: Reply) -> None:
        self._say(reply.octets)
        if reply.code != 354:
            self._state = State.COMMANDS
            return
        self._state = State.CONTENT
        self._content = self._new_content()

    def _take_auth(self, reply: Reply) -> None:
        self._say(reply.octets)
        self._state = State.SECRET if reply.code == 334 else State.COMMANDS

    def _take_goodbye(self, reply: Reply) -> None:
        self._say(reply.octets)
        self._end()

    def _take_verdict(self, reply: Reply) -> None:
        """What the next hop says to the final dot: in LMTP once for each recipient (RFC 2033 4.2)."""
        self._say(reply.octets)
        self._counts.add("mails_taken", reply.is_positive)
        if Mark.DOT not in self._awaited:
            self._end_mail()

    def _take_unasked(self, reply: Reply) -> None:
        """A reply that nothing asked for: 421 is the one that a server may give at any time (RFC 5321 3.8)."""
        if reply.code != 421:
            self._counts.add("next_hop_nonsense")
        if self._state is State.CONTENT:
            self._fail_content(reply.octets if reply.code >= 400 else answers.NOT_TAKEN)
        elif self._state is not State.SECURING:
            self._say(reply.octets if reply.code == 421 else answers.LOST)
            self._end()
        else:
            self._end()

    # ---- the next hop: approached, lost

    def _step(self, step: Step, *, is_clean: bool = True) -> None:
        if isinstance(step, Send):
            self._send(step.octets, Mark.APPROACH)
        elif isinstance(step, Arrived):
            self._say(step.banner.octets)
            self._state = State.COMMANDS
            if step.banner.code != 220:
                self._counts.add("next_hop_failed")
                self._end()
        elif isinstance(step, Secure) and is_clean:
            self._flush()
            self._port.secure_next_hop()
        else:
            self._counts.add("tls_next_hop_failures" if isinstance(step, Failed) else "tls_injections")
            self._fail_approach(answers.NO_TLS)

    def _fail_approach(self, octets: bytes) -> None:
        self._counts.add("next_hop_failed")
        self._say(octets)
        self._end()

    def _give_up_next_hop(self) -> None:
        self._counts.add("next_hop_nonsense")
        self._port.close_next_hop(abort=True)
        self._lose_next_hop()

    def _lose_next_hop(self) -> None:
        self._next_hop_is_gone = True
        self._fore.clear()
        dots = self._awaited.count(Mark.DOT)
        if self._state is State.APPROACH:
            self._fail_approach(answers.NO_NEXT_HOP)
        elif self._state in (State.OVER, State.LEAVING, State.DRAINING):
            return
        elif self._awaited and self._awaited[0] is Kind.QUIT:
            self._say(answers.BYE)
            self._end()
        elif dots:
            self._lose_verdict(dots)
        elif self._state is State.CONTENT:
            self._counts.add("next_hop_lost")
            self._fail_content(answers.NOT_TAKEN)
        else:
            self._counts.add("next_hop_lost")
            if self._state is not State.SECURING:
                self._say(answers.LOST)
            self._end()

    def _lose_verdict(self, dots: int) -> None:
        """The next hop may have taken the mail or not; the client is told to come again, and never are we."""
        self._counts.add("next_hop_lost")
        self._counts.add("mails_ambiguous")
        self._say(answers.AMBIGUOUS * dots)
        self._end_mail()
        asks_more = len(self._awaited) > dots or self._state is not State.COMMANDS
        self._awaited.clear()
        self._state = State.LEAVING
        if asks_more:
            self._say(answers.LOST)
            self._end()

    # ---- content

    def _new_content(self, before: bytes = b"\r\n") -> Content:
        return Content(self._conduct.tag_name, self._forward, self._port.judge, self._counts, before)

    def _forward(self, content: bytes) -> None:
        self._fore.append(content)

    def _end_content(self) -> None:
        """All of the content but its dot has passed: now it is told whether the dot follows."""
        self._counts.add("smuggled_dots", self._content.smuggled)
        if self._content.smuggled and self._conduct.refuses_smuggling:
            self._counts.add("mails_smuggling_refused")
            self._refuse_mail(answers.SMUGGLING)
            return
        self._follow(self._port.judge() if self._conduct.judges else PASS)

    def _follow(self, ruling: Ruling) -> None:
        if ruling.refusal is not None:
            self._counts.add("mails_refused")
            self._refuse_mail(ruling.refusal)
            return
        self._content.end(ruling)
        self._port.seen(END, from_client=True)
        self._counts.add("mails_passed")
        self._fore.append(END)
        # LMTP answers once for each recipient that it accepted (RFC 2033 4.2).
        self._awaited.extend([Mark.DOT] * (max(1, self._accepted) if self._is_lmtp else 1))
        self._state = State.COMMANDS

    def _refuse_mail(self, octets: bytes) -> None:
        """Never send the dot: a next hop that loses its client before it throws the content away (RFC 5321 4.1.1.5)."""
        self._drop_next_hop()
        self._answer_mail(octets)

    def _fail_content(self, octets: bytes) -> None:
        self._counts.add("mails_failed")
        self._drop_next_hop()
        self._reply_to_content = octets
        self._state = State.DRAINING

    def _drop_next_hop(self) -> None:
        self._fore.clear()
        if not self._next_hop_is_gone:
            self._next_hop_is_gone = True
            self._port.close_next_hop(abort=True)

    def _answer_mail(self, octets: bytes) -> None:
        """Answer the content ourselves. Without a next hop the session goes no further."""
        self._port.seen(END, from_client=True)
        self._say(octets * (max(1, self._accepted) if self._is_lmtp else 1))
        self._end_mail()
        self._state = State.LEAVING

    def _abort_mail(self) -> None:
        """The client is gone: what it had not ended is not to be delivered."""
        if self._state in (State.CONTENT, State.DRAINING, State.DATA_ASKED):
            self._counts.add("mails_aborted")
            self._drop_next_hop()

    def _end_mail_if(self, reply: Reply) -> None:
        if reply.is_positive:
            self._end_mail()

    def _end_mail(self) -> None:
        self._in_mail, self._accepted = False, 0

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

    # ---- the tables

    _READERS: ClassVar[Mapping[State, Callable[[Splice], bool]]] = {
        State.COMMANDS: _read_commands,
        State.SECRET: _read_secret,
        State.CONTENT: _read_content,
        State.DRAINING: _read_in_vain,
        State.LEAVING: _read_farewell,
    }
    """What reads the client's next octets; in other states they wait. True if what is left may be read by another."""

    _TAKERS: ClassVar[Mapping[Kind | Mark | Own, Callable[[Splice, Reply], None]]] = {
        Kind.EHLO: _take_greeting,
        Kind.HELO: _take_reset,
        Kind.LHLO: _take_lmtp_greeting,
        Kind.RESET: _take_reset,
        Kind.MAIL: _take_mail,
        Kind.RCPT: _take_recipient,
        Kind.DATA: _take_data,
        Kind.AUTH: _take_auth,
        Kind.QUIT: _take_goodbye,
        Mark.SWALLOWED: _swallow,
        Mark.DOT: _take_verdict,
    }
    """What becomes of the reply to what was asked. Other replies pass as they come."""
