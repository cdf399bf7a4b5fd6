"""A mail's content on its way through a splice: to the next hop but for its dot, then the verdict, then the dot."""

from __future__ import annotations

from sensor.taps.relay import answers
from sensor.taps.relay.content import Content
from sensor.taps.relay.counts import Counts
from sensor.taps.relay.data import END
from sensor.taps.relay.port import PASS, Conduct, Port, Ruling
from sensor.taps.relay.replies import Reply
from sensor.taps.relay.splice.ground import Ground
from sensor.taps.relay.state import Mark, State


class Mails(Ground):
    """What becomes of mails: they pass, are refused, fail, or are left off."""

    def __init__(self, port: Port, conduct: Conduct, counts: Counts) -> None:
        super().__init__(port, conduct, counts)
        self._is_lmtp = self._in_mail = False
        self._accepted = 0
        self._content = Content(None, self._forward, port.judge, counts)
        self._reply_to_content = b""

    # ---- content as it comes

    def _begin_content(self, before: bytes = b"\r\n") -> None:
        """From here the client's octets are content, whose first one stands behind *before*."""
        self._state = State.CONTENT
        self._content = Content(self._conduct.tag_name, self._forward, self._port.judge, self._counts, before)

    def _forward(self, content: bytes) -> None:
        self._fore.append(content)

    # ---- its end

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

    def _answer_mail(self, octets: bytes) -> None:
        """Answer the content ourselves. Without a next hop the session goes no further."""
        self._port.seen(END, from_client=True)
        self._say(octets * (max(1, self._accepted) if self._is_lmtp else 1))
        self._end_mail()
        self._state = State.LEAVING

    # ---- its failing

    def _fail_content(self, octets: bytes) -> None:
        self._counts.add("mails_failed")
        self._drop_next_hop()
        self._reply_to_content = octets
        self._state = State.DRAINING

    def _lose_verdict(self, dots: int) -> None:
        """The next hop may have taken the mail or not; the client is told to come again, and never are we."""
        self._counts.add("next_hop_lost")
        self._counts.add("mails_ambiguous")
        self._port.tell("mail_ambiguous", "the next hop was lost after a final dot: it may come twice")
        self._say(answers.AMBIGUOUS * dots)
        self._end_mail()
        asks_more = len(self._awaited) > dots or self._state is not State.COMMANDS
        self._awaited.clear()
        self._state = State.LEAVING
        if asks_more:
            self._say(answers.LOST)
            self._end()

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
