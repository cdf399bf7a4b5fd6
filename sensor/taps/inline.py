"""
What taps in line share: the core that their mail goes through, and a tap whose mail is handled by a loop of its own.

A relay feeds the core what both sides say; a milter and a receiver of copies begin mails with their envelope. Events
wait in the core until the analysis takes them. Where it is too slow they are dropped there and counted
(``inline_events_dropped``), so the mail itself never waits.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NotRequired, Required, TypedDict, Unpack

from sensor import _core
from sensor.model import InterestSpec, Missed, MissedWhy, Outcome, SessionProtocol, TapName, Transaction
from sensor.taps.base import Batch, DamageView
from sensor.taps.capture import TURN_S, CoreEvents, core_interest
from sensor.taps.missed import MissedBatch, MissedSoFar

Peer = tuple[str, int | None]
"""An IP address, and a port where there is one. IPv4 in IPv6 is taken for IPv4; a zone is left off."""

KnownPath = tuple[str, int | None, str | None, bool, str | None]
"""A forward-path: address, code and enhanced code of the reply to RCPT, whether it was accepted, ORCPT as written."""

MailReply = tuple[int, str | None, str]
"""Code, enhanced code, text."""

GATHER_S = 0.02
"""
Between batches while mail passes: taken one by one, mails would have the analysis and their loop pass the interpreter
to and fro for each. Of 10,000 mails a second that is 200 a batch, a hundredth of ``inline_events``.
"""

CoreShortcut = _core.Shortcut
"""What follows the plain part of a relayed dialogue."""


class Envelope(TypedDict):
    """What is known of a mail before its content; what is left out is unknown."""

    at_ns: Required[int]
    """The time of MAIL."""
    client: NotRequired[Peer | None]
    server: NotRequired[Peer | None]
    session_at_ns: NotRequired[int | None]
    """The time of the connection; by default that of MAIL."""
    protocol: NotRequired[SessionProtocol | None]
    helo: NotRequired[str | None]
    auth_user: NotRequired[str | None]
    tls: NotRequired[bool]
    client_ip: NotRequired[str | None]
    """The real client, where it isn't ``client``."""
    transaction_index: NotRequired[int]
    """0 for the session's first mail. With client, server and the time of the connection it makes the record's id."""
    reverse_path: NotRequired[str | None]
    """With or without angle brackets."""
    reverse_path_params: NotRequired[Sequence[tuple[str, str | None]]]
    """As written: xtext is undone."""
    forward_paths: NotRequired[Sequence[KnownPath]]


class InlineCore:
    """
    Mail that passes through somebody's hands, read by the code that captured mail meets.

    Sessions and mails have numbers; one that is not open is a ValueError. OverflowError where more would be open than
    the limits ``inline_sessions`` and ``session_octets`` allow: the mail may pass, unseen and counted. RuntimeError
    for a defect of the core. Any thread may call.
    """

    def __init__(self, interest: InterestSpec, *, limits: Mapping[str, int] | None = None) -> None:
        self._core = _core.Inline(core_interest(interest), limits=limits)

    # ---- sessions: both sides' octets as they come

    def open(self, *, client: Peer, server: Peer, at_ns: int) -> int:
        """Open a session before its first octet. What is spoken in it is recognised as on the wire."""
        return self._core.open(client=client, server=server, at_ns=at_ns)

    def feed(self, session: int, data: bytes | bytearray | memoryview, *, from_client: bool, at_ns: int) -> None:
        """Octets of one side, cut anywhere; a reply behind the command that it answers."""
        self._core.feed(session, data, from_client=from_client, at_ns=at_ns)

    def secured(self, session: int, *, at_ns: int) -> None:
        """A TLS handshake is done: what is fed from now on was inside."""
        self._core.secured(session, at_ns=at_ns)

    def provisional(self, session: int) -> Transaction | None:
        """
        The mail whose content is being fed, as it would be recorded if that ended here and it were delivered.

        None if no content is open. Feed all of it but the final dot first. Its id is that of the record to come.
        """
        return self._core.provisional(session)

    def close(self, session: int, *, at_ns: int, reset: bool = False) -> None:
        """The connection ended: what is open is told."""
        self._core.close(session, at_ns=at_ns, reset=reset)

    def shortcut(
        self,
        session: int | None,
        *,
        judges: bool,
        lmtp: bool,
        passes_content: bool,
        content: bytes | None,
        in_mail: bool,
        recipients: int,
    ) -> CoreShortcut:
        """Follow plain dialogue from a rest of it, and feed *session* with what passes: see ``_core.Shortcut``."""
        return _core.Shortcut(
            self._core,
            session,
            judges=judges,
            lmtp=lmtp,
            passes_content=passes_content,
            content=content,
            in_mail=in_mail,
            recipients=recipients,
        )

    # ---- mails: the envelope first, then the content

    def begin(self, **envelope: Unpack[Envelope]) -> int:
        """Begin a mail whose envelope is known."""
        return self._core.begin(**envelope)

    def content(self, mail: int, data: bytes | bytearray | memoryview) -> None:
        """
        The next octets of header section and body, cut anywhere, dots unstuffed, an empty line between the two.

        Lines end in CRLF or LF; the digest is that of other taps only where they end in CRLF.
        """
        self._core.content(mail, data)

    def drafted(self, mail: int) -> Transaction:
        """The mail as it would be recorded if its content ended here and it were delivered."""
        return self._core.drafted(mail)

    def end(
        self, mail: int, *, at_ns: int, outcome: Outcome, reply: MailReply | None = None, truncated: bool = False
    ) -> None:
        """Tell the mail. *truncated*: not all of its content was handed in; size and digest are then null."""
        self._core.end(mail, at_ns=at_ns, outcome=outcome, reply=reply, truncated=truncated)

    # ---- what is known

    def take(self) -> Batch:
        """The events that became known since the last call."""
        return self._core.take()

    def counters(self) -> Mapping[str, int]:
        return self._core.counters()

    def anomalies(self) -> Mapping[str, int]:
        return self._core.anomalies()


class InlineTap(CoreEvents, ABC):
    """
    A tap whose mail is handled by a loop on a thread of its own, which ``run`` starts.

    ``batches`` gives what the loop's mail told, and ends when the loop has ended; if that failed, it raises why.
    """

    def __init__(self, core: InlineCore) -> None:
        self.core = core
        self._over = threading.Event()
        self._failure: BaseException | None = None
        self._missed_so_far = MissedSoFar()

    @property
    @abstractmethod
    def name(self) -> TapName: ...

    @abstractmethod
    def stop(self) -> None:
        """Make the loop end when what is open is done. May be called from any thread, a signal handler, and again."""

    def run(self, loop: Callable[[], None]) -> None:
        """Run *loop* on a thread of its own. Called once, when all that can go wrong at the start is done."""
        threading.Thread(target=self._run, args=(loop,), name=f"tap-{self.name}", daemon=True).start()

    def batches(self) -> Iterator[Batch]:
        """Batches until the loop has ended. Ctrl-C while waiting stops it; a second one ends this."""
        interrupted = False
        while True:
            # Asked first: what the loop told before its end is there when it is over.
            over = self._over.is_set()
            missed = self.missed()
            batch = self.core.take()
            if missed:
                yield MissedBatch(missed)
            if len(batch) or not over:
                yield batch
            elif self._failure is not None:
                raise self._failure
            else:
                return
            try:
                self._over.wait(GATHER_S if len(batch) else TURN_S)
            except KeyboardInterrupt:
                if interrupted:
                    raise
                interrupted = True
                self.stop()

    def missed(self) -> Sequence[Missed]:
        """Mail that became known since the last call to have passed and to be in no record."""
        return tuple(self._missed_so_far.news(self.missed_counts()))

    def missed_counts(self) -> Mapping[MissedWhy, int]:
        """How many mails, at least, passed so far of which no more is known than that."""
        counters = self.core.counters()
        return {"unread": counters["inline_refused"], "dropped": counters["inline_events_dropped"]}

    def progress(self) -> tuple[int, int, str]:
        """Octets of mail content so far, no total, and in words how it goes."""
        counters = self.core.counters()
        return counters["content_octets"], 0, f"{counters['transactions']:,} mails"

    def counters(self) -> Mapping[str, int]:
        return self.core.counters()

    def anomalies(self) -> Mapping[str, int]:
        return self.core.anomalies()

    def damage(self) -> Sequence[DamageView]:
        return ()

    def _run(self, loop: Callable[[], None]) -> None:
        try:
            loop()
        except BaseException as error:  # noqa: BLE001 - whoever reads the batches is told of it
            self._failure = error
        finally:
            self._over.set()
