"""
One connection of an MTA: what it told of clients and mails, and what it is answered.

The session meets no socket and no clock: events and their time go in, octets to send come out. Mail goes to an
``Observer``, piece by piece; at the end of each message a ``Judge`` says what becomes of it.

Nothing that was told of one mail is left when the next begins: all that is known of a mail is held by its ``Message``,
and macros are used up by the command that they come before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol

from sensor.model import Outcome, Transaction
from sensor.settings import Action as InlineAction
from sensor.taps.milter import answers
from sensor.taps.milter.counts import Counts
from sensor.taps.milter.deed import Deed, VerdictView, deed_of, strip
from sensor.taps.milter.envelope import (
    Envelope,
    client_of,
    forward_path_of,
    parameters_of,
    path_of,
    protocol_of,
    server_of,
    text,
)
from sensor.taps.milter.message import Conduct, Message, Observer
from sensor.taps.milter.negotiation import Action, Step, Terms, agree
from sensor.taps.milter.protocol import (
    Abort,
    Body,
    Connect,
    EndOfHeader,
    EndOfMessage,
    Event,
    Field,
    Helo,
    Macros,
    Mail,
    Offer,
    Quit,
    QuitForNext,
    Rcpt,
    ViolationError,
)
from sensor.taps.milter.state import NEXT, State

_CONNECT, _HELO, _MAIL, _RCPT = b"CHMR"
_READ = frozenset(
    b"i r auth_authen client_addr client_port daemon_addr daemon_port if_addr tls_version "
    b"rcpt_mailer rcpt_host rcpt_addr".split()
)

_Told = Mapping[bytes, bytes]


class Judge(Protocol):
    """Says what becomes of a mail. Never raises."""

    def judge(self, transaction: Transaction) -> VerdictView: ...
    def counters(self) -> Mapping[str, int]: ...
    def counts(self) -> Mapping[tuple[InlineAction, str, bool], int]: ...


class Session:
    """Takes one event after the other. ``is_done`` when the connection is to be closed."""

    def __init__(self, observer: Observer, judge: Judge, conduct: Conduct, counts: Counts) -> None:
        self._observer, self._judge, self._conduct, self._counts = observer, judge, conduct, counts
        self._state, self._moves = State.START, NEXT[State.START]
        self._terms = Terms(0, Action(0), Step(0))
        self._answered: frozenset[type[Event]] = frozenset()
        self._macros: dict[int, _Told] = {}
        self._client: Connect | None = None
        self._connected_at_ns: int | None = None
        self._of_client: _Told = {}
        self._helo: str | None = None
        self._of_helo: _Told = {}
        self._mails = 0
        self._message: Message | None = None

    @property
    def is_done(self) -> bool:
        return self._state is State.DONE

    @property
    def is_in_mail(self) -> bool:
        """True from MAIL to what ends it."""
        return self._message is not None

    def take(self, event: Event, at_ns: int) -> bytes:
        """What to answer, if anything. Raises ``ViolationError`` for a first command that is no offer."""
        kind = type(event)
        following = self._moves.get(kind)
        if following is None:
            return self._out_of_order(kind)
        handle = self._HANDLERS.get(kind)
        answer: bytes = b"" if handle is None else handle(self, event, at_ns)
        if following is not self._state:
            self._enter(following)
        if not answer and kind in self._answered:
            return answers.CONTINUE
        return answer

    def lost(self, at_ns: int) -> None:
        """
        The connection is gone. What becomes of the mail at hand is not told: an MTA may go on without us.
        """
        message, self._message = self._message, None
        if message is not None:
            self._counts.mails_lost += 1
            message.truncated = True
            message.end(at_ns, "unknown")
        self._enter(State.DONE)

    def _enter(self, state: State) -> None:
        self._state, self._moves = state, NEXT[state]

    def _out_of_order(self, kind: type[Event]) -> bytes:
        """It moves nothing; an MTA that waits for an answer gets one all the same."""
        self._counts.out_of_order += 1
        if self._state is State.START:
            raise ViolationError(f"it began with {kind.__name__}, not with an offer")
        return answers.CONTINUE if kind in self._answered or kind is EndOfMessage else b""

    # ---- the connection and its clients

    def _offer(self, event: Offer, at_ns: int) -> bytes:
        self._terms = agree(event, self._conduct.body)
        self._answered = self._terms.answered
        return answers.terms(self._terms)

    def _take_macros(self, event: Macros, at_ns: int) -> bytes:
        if event.command in b"CHMR":
            read = {name: value for name, value in event.values.items() if name in _READ}
            kept = {name: value for name, value in read.items() if self._is_short(value)}
            self._counts.texts_cut += len(read) - len(kept)
            self._macros[event.command] = kept
            if event.command != _MAIL:
                self._note_queue_id(kept)
        else:
            self._note_queue_id(event.values)
        return b""

    def _connect(self, event: Connect, at_ns: int) -> bytes:
        self._client, self._of_client = event, self._macros.pop(_CONNECT, {})
        self._helo, self._of_helo, self._mails = None, {}, 0
        self._connected_at_ns = at_ns
        return b""

    def _greet(self, event: Helo, at_ns: int) -> bytes:
        self._end("aborted", at_ns)
        self._counts.texts_cut += not self._is_short(event.name)
        self._helo = text(event.name[: self._conduct.bounds.text_octets])
        self._of_helo = self._macros.pop(_HELO, {})
        return b""

    def _part(self, event: Abort | Quit | QuitForNext, at_ns: int) -> bytes:
        self._end("aborted", at_ns)
        if not isinstance(event, Abort):
            self._macros.clear()
        return b""

    def _is_short(self, octets: bytes) -> bool:
        return len(octets) <= self._conduct.bounds.text_octets

    # ---- a mail

    def _begin(self, event: Mail, at_ns: int) -> bytes:
        self._end("aborted", at_ns)
        told = {**self._of_client, **self._of_helo, **self._macros.pop(_MAIL, {})}
        parameters = parameters_of(event.arguments[1:])
        envelope = Envelope(
            started_at_ns=at_ns,
            connected_at_ns=at_ns if self._connected_at_ns is None else self._connected_at_ns,
            client=client_of(self._client, told),
            server=server_of(told),
            protocol=protocol_of(told, parameters),
            helo=self._helo,
            auth_user=text(told[b"auth_authen"]) if told.get(b"auth_authen") else None,
            tls=bool(told.get(b"tls_version")),
            transaction_index=self._mails,
            reverse_path=path_of(event.arguments[0]),
            parameters=parameters,
        )
        self._mails += 1
        self._message = Message(envelope, self._observer, self._conduct, leading_space=self._terms.leading_space)
        self._note_queue_id(told)
        return b""

    def _note_queue_id(self, told: _Told) -> None:
        """MTAs that make a queue file late tell of it with any command from RCPT on."""
        queue_id = told.get(b"i")
        if queue_id is not None and not self._is_short(queue_id):
            self._counts.texts_cut += 1
        elif queue_id is not None and self._message is not None:
            self._message.queue_id = queue_id

    def _add_path(self, event: Rcpt, at_ns: int) -> bytes:
        path = forward_path_of(event.arguments, self._macros.pop(_RCPT, {}))
        message = self._message
        if message is not None and not message.add(path, sum(map(len, event.arguments))):
            self._counts.envelopes_cut += 1
        return b""

    def _add_field(self, event: Field, at_ns: int) -> bytes:
        if self._message is not None:
            self._message.add_field(event.name, event.value)
        return b""

    def _end_header(self, event: EndOfHeader, at_ns: int) -> bytes:
        if self._message is not None:
            self._message.end_header()
        return b""

    def _add_body(self, event: Body, at_ns: int) -> bytes:
        if self._message is None or self._message.add_body(event.octets) or Step.SKIP_BODY not in self._terms.steps:
            return b""
        return answers.SKIP

    def _conclude(self, event: EndOfMessage, at_ns: int) -> bytes:
        """All of the mail was shown: judge it, and do what the verdict says."""
        message, self._message = self._message, None
        if message is None:
            return answers.CONTINUE
        if event.octets:
            message.add_body(event.octets)
        message.end_header()
        if message.queue_id is not None:
            self._conduct.passed(text(message.queue_id))
        deed = self._deed(message)
        message.end(at_ns, deed.outcome, deed.reply)
        self._counts.mails += 1
        self._counts.verdicts_not_done += deed.not_done is not None
        return self._stripped(message) + deed.packets if deed.outcome == "delivered" else deed.packets

    def _deed(self, message: Message) -> Deed:
        drafted = message.drafted()
        if drafted is not None:
            return deed_of(self._judge.judge(drafted), self._terms)
        self._counts.mails_unjudged += 1
        if self._conduct.fails_open:
            return Deed(answers.CONTINUE, "delivered")
        return Deed(answers.TEMPFAIL, "deferred")

    def _stripped(self, message: Message) -> bytes:
        if self._conduct.own_field is None or not message.own_fields:
            return b""
        copies = min(message.own_fields, self._conduct.bounds.stripped_fields)
        self._counts.fields_stripped += copies
        self._counts.fields_left += message.own_fields > copies
        return strip(self._conduct.own_field, copies, self._terms)

    def _end(self, outcome: Outcome, at_ns: int) -> None:
        message, self._message = self._message, None
        if message is not None:
            message.end(at_ns, outcome)

    _HANDLERS: ClassVar[Mapping[type[Event], Callable[[Session, Any, int], bytes]]] = {
        Offer: _offer,
        Macros: _take_macros,
        Connect: _connect,
        Helo: _greet,
        Mail: _begin,
        Rcpt: _add_path,
        Field: _add_field,
        EndOfHeader: _end_header,
        Body: _add_body,
        EndOfMessage: _conclude,
        Abort: _part,
        Quit: _part,
        QuitForNext: _part,
    }
