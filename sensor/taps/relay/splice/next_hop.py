"""What the next hop says, by what it was asked, and what follows when it is gone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from sensor.taps.relay import answers, ehlo
from sensor.taps.relay.approach import Approach, Arrived, Failed, Secure, Send, Step
from sensor.taps.relay.commands import Kind
from sensor.taps.relay.counts import Counts
from sensor.taps.relay.identity import xforward
from sensor.taps.relay.port import Conduct, Port
from sensor.taps.relay.replies import Reply, ReplyReader
from sensor.taps.relay.splice.client import ClientSide
from sensor.taps.relay.state import GO_AHEADS, Mark, Own, State


class NextHopSide(ClientSide):
    """Takes replies, and passes on those that the relay has no part in."""

    def __init__(self, port: Port, conduct: Conduct, approach: Approach, counts: Counts) -> None:
        super().__init__(port, conduct, counts)
        self._approach = approach
        self._replies = ReplyReader()

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
            self._TAKERS.get(asked, NextHopSide._pass_reply)(self, reply)
        self._give_own()

    def _take_unasked(self, reply: Reply) -> None:
        """A reply that nothing asked for: 421 is the one that a server may give at any time (RFC 5321 3.8)."""
        if reply.code != 421:
            self._counts.add("next_hop_nonsense")
            self._port.tell("next_hop_nonsense", "a reply that nothing asked for")
        if self._state is State.CONTENT:
            self._fail_content(reply.octets if reply.code >= 400 else answers.NOT_TAKEN)
        elif self._state is not State.SECURING:
            self._say(reply.octets if reply.code == 421 else answers.LOST)
            self._end()
        else:
            self._end()

    # ---- replies, by what was asked

    def _pass_reply(self, reply: Reply) -> None:
        self._say(reply.octets)

    def _swallow(self, reply: Reply) -> None:
        """The reply to a command of our own: the client knows nothing of it."""

    def _take_greeting(self, reply: Reply) -> None:
        self._end_mail_if(reply)
        identity, offered = None if self._tells_identity else self._conduct.xforward, ehlo.offers(reply)
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
        self._begin_content()

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

    # ---- before the client hears a banner

    def _step(self, step: Step, *, is_clean: bool = True) -> None:
        if isinstance(step, Send):
            self._send(step.octets, Mark.APPROACH)
        elif isinstance(step, Arrived):
            self._say(step.banner.octets)
            self._state = State.COMMANDS
            if step.banner.code != 220:
                self._counts.add("next_hop_failed")
                self._port.tell("next_hop_refuses", f"its banner is {step.banner.code}")
                self._end()
        elif isinstance(step, Secure) and is_clean:
            self._flush()
            self._port.secure_next_hop()
        else:
            lacks_tls = isinstance(step, Failed)
            self._counts.add("tls_next_hop_failures" if lacks_tls else "tls_injections")
            self._port.tell(
                "next_hop_tls_failed",
                "it offers no STARTTLS, or refuses it" if lacks_tls else "octets in clear stood behind its STARTTLS",
            )
            self._fail_approach(answers.NO_TLS)

    def _fail_approach(self, octets: bytes) -> None:
        self._counts.add("next_hop_failed")
        self._say(octets)
        self._end()

    # ---- lost

    def _give_up_next_hop(self) -> None:
        self._counts.add("next_hop_nonsense")
        self._port.tell("next_hop_nonsense", self._replies.broken or "a reply that goes on where nothing does")
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
            self._port.tell("next_hop_lost", "it went away amid a mail")
            self._fail_content(answers.NOT_TAKEN)
        else:
            self._counts.add("next_hop_lost")
            if self._state is not State.SECURING:
                self._say(answers.LOST)
            self._end()

    _TAKERS: ClassVar[Mapping[Kind | Mark | Own, Callable[[NextHopSide, Reply], None]]] = {
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
