"""What the client says, by where the session stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from sensor.taps.relay import answers, commands
from sensor.taps.relay.commands import Kind
from sensor.taps.relay.counts import Counts
from sensor.taps.relay.port import Conduct, Port
from sensor.taps.relay.splice.mails import Mails
from sensor.taps.relay.state import AFTER, Mark, Own, State, Then

MAX_PIPELINED = 1_000
"""Commands whose replies are awaited; more wait unread. RFC 2920 sets no bound; Postfix's clients send 20 or so."""


class ClientSide(Mails):
    """Reads commands, and passes on those that the relay has no part in."""

    def __init__(self, port: Port, conduct: Conduct, counts: Counts) -> None:
        super().__init__(port, conduct, counts)
        self._xforward: bytes | None = None
        self._tells_identity = False

    def _read(self) -> None:
        """Read what can be read."""
        while self._buffer:
            read = self._READERS.get(self._state)
            if read is None or not read(self):
                break

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
            self._say(answers.BYE if commands.kind_of(line) is Kind.QUIT else answers.NO_MORE)
            self._end()
        return False

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
        elif kind in self._NOT_OFFERED:
            self._refuse(*self._NOT_OFFERED[kind])
        elif kind is Kind.IDENTITY and not self._conduct.is_trusted:
            self._refuse(answers.NOT_TRUSTED)
        elif kind is Kind.AUTH and self._hides_auth:
            self._refuse(answers.TLS_FIRST)
        else:
            self._pass_command(line, kind)

    def _pass_command(self, line: bytes, kind: Kind) -> None:
        if kind is Kind.IDENTITY:
            # The client tells whose mail it brings; what we could tell would stand in for that.
            self._tells_identity, self._xforward = True, None
        elif kind is Kind.MAIL and self._xforward is not None:
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

    @property
    def _hides_auth(self) -> bool:
        """A next hop under TLS may offer AUTH, since a secret is safe on its leg; on a leg in clear it is not."""
        return self._next_hop_is_secured and not self._is_secured

    _READERS: ClassVar[Mapping[State, Callable[[ClientSide], bool]]] = {
        State.COMMANDS: _read_commands,
        State.SECRET: _read_secret,
        State.CONTENT: _read_content,
        State.DRAINING: _read_in_vain,
        State.LEAVING: _read_farewell,
    }
    """What reads the client's next octets; in other states they wait. True if what is left may be read by another."""

    _NOT_OFFERED: ClassVar[Mapping[Kind, tuple[bytes, Then]]] = {
        Kind.CHUNK: (answers.NO_CHUNKING, Then.CLOSE),
        Kind.REFERENCE: (answers.NO_BURL, Then.NOTHING),
        Kind.PROXY: (answers.NO_PROXY, Then.CLOSE),
    }
    """What nobody may ask, and whether more of the client could be taken for commands after it."""
