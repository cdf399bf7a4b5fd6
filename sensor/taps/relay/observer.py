"""
Who looks on: the core that captures meet, fed with the dialogue as the client has it, and the judge.

Nothing here may hold mail up or break it. What goes wrong is counted and told, and the session goes on unobserved.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from sensor.inline import Verdict
from sensor.log import Log
from sensor.model import Transaction
from sensor.taps.inline import CoreShortcut, Peer
from sensor.taps.relay.counts import Counts
from sensor.taps.relay.port import PASS, Ruling
from sensor.taps.relay.shortcut import UNSEEN, Rest, Shortcut, Stand

NOT_JUDGED = Ruling(refusal=b"451 4.3.0 This mail could not be checked, try again later\r\n")
"""Where nothing passes unjudged, what a mail gets that could not be observed. Never a 5xx: the fault is ours."""

HELD = b"451 4.7.1 This mail is held back here, try again later\r\n"
"""For quarantine: a relay has no hold queue, so the mail stays in the client's."""


class Core(Protocol):
    """What is needed of ``InlineCore``."""

    def open(self, *, client: Peer, server: Peer, at_ns: int) -> int: ...
    def feed(self, session: int, data: bytes, *, from_client: bool, at_ns: int) -> None: ...
    def secured(self, session: int, *, at_ns: int) -> None: ...
    def provisional(self, session: int) -> Transaction | None: ...
    def close(self, session: int, *, at_ns: int, reset: bool = False) -> None: ...
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
    ) -> CoreShortcut: ...


class Judging(Protocol):
    """What is needed of ``Judge``."""

    def judge(self, transaction: Transaction) -> Verdict: ...


class Observer:
    """
    Opens a view of each session. Without a *judge* all mail passes; where *fails_closed*, mail that could not be
    observed does not.
    """

    def __init__(
        self,
        core: Core,
        judge: Judging | None,
        counts: Counts,
        *,
        fails_closed: bool = False,
        log: Log | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.core, self.judge, self.counts, self.clock = core, judge, counts, clock
        self.fails_closed = fails_closed
        self._log = log or Log()
        self._is_told = False

    def open(self, client: Peer, server: Peer) -> View:
        """The view of a new session."""
        view = View(self)
        view.open(client, server)
        return view

    def failed(self, why: str) -> None:
        """An error in the core or the judge, the first of which is told: the others are counted."""
        self.counts.add("observer_failures")
        if not self._is_told:
            self._is_told = True
            self._log.error("relay_observer_failed", why=why)


class View:
    """One session as it is observed. Never raises."""

    __slots__ = ("_observer", "_session")

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._session: int | None = None

    def open(self, client: Peer, server: Peer) -> None:
        observer = self._observer
        try:
            self._session = observer.core.open(client=client, server=server, at_ns=observer.clock())
        except OverflowError:
            # As many are observed as the limits allow; the core counts it.
            return
        except Exception as error:  # noqa: BLE001 - mail goes on, whatever the observer does
            self._fail(error)

    def seen(self, octets: bytes, *, from_client: bool) -> None:
        """The next octets of the dialogue."""
        if self._session is None or not octets:
            return
        observer = self._observer
        try:
            observer.core.feed(self._session, octets, from_client=from_client, at_ns=observer.clock())
        except Exception as error:  # noqa: BLE001 - mail goes on, whatever the observer does
            self._fail(error)

    def secured(self) -> None:
        """The client is under TLS from here on."""
        if self._session is None:
            return
        try:
            self._observer.core.secured(self._session, at_ns=self._observer.clock())
        except Exception as error:  # noqa: BLE001 - mail goes on, whatever the observer does
            self._fail(error)

    def close(self, *, reset: bool) -> None:
        """The session is over."""
        session, self._session = self._session, None
        if session is None:
            return
        try:
            self._observer.core.close(session, at_ns=self._observer.clock(), reset=reset)
        except Exception as error:  # noqa: BLE001 - mail goes on, whatever the observer does
            self._observer.failed(type(error).__name__)

    def shortcut(self, rest: Rest) -> Shortcut | None:
        """One that tells this view of what it lets pass."""
        core = self._observer.core
        try:
            followed = core.shortcut(
                self._session,
                judges=rest.judges and self._observer.judge is not None,
                lmtp=rest.is_lmtp,
                passes_content=rest.passes_content,
                content=rest.content,
                in_mail=rest.in_mail,
                recipients=rest.recipients,
            )
        except Exception as error:  # noqa: BLE001 - mail goes on, whatever the observer does
            self._fail(error)
            return None
        return SeenShortcut(followed, self, self._observer.clock)

    def missed(self) -> None:
        """The core failed on what passed by a shortcut."""
        self._observer.failed("RuntimeError")
        self.close(reset=True)

    def judge(self) -> Ruling:
        """What is to become of the mail whose content was seen so far."""
        observer = self._observer
        if observer.judge is None:
            return PASS
        transaction = None
        try:
            if self._session is not None:
                transaction = observer.core.provisional(self._session)
            if transaction is not None:
                return self._ruling(observer.judge.judge(transaction))
        except Exception as error:  # noqa: BLE001 - mail goes on, whatever the observer does
            self._fail(error)
        observer.counts.add("mails_unjudged")
        return NOT_JUDGED if observer.fails_closed else PASS

    def _ruling(self, verdict: Verdict) -> Ruling:
        if verdict.action == "observe":
            return PASS
        if verdict.tag is not None:
            name, value = verdict.tag
            return Ruling(tag=name + b": " + value + b"\r\n")
        if verdict.reply is not None:
            code, enhanced, text = verdict.reply
            return Ruling(refusal=f"{code} {enhanced} {text}\r\n".encode("ascii"))
        self._observer.counts.add("mails_quarantine_deferred")
        return Ruling(refusal=HELD)

    def _fail(self, error: Exception) -> None:
        """Look on no further. The core is told that the session ended, so that it keeps nothing of it."""
        # Its kind alone: an error's text may quote the mail.
        self._observer.failed(type(error).__name__)
        self.close(reset=True)


class SeenShortcut:
    """What the core follows, with the time of it. Where the observer fails, what passes goes on."""

    __slots__ = ("_clock", "_core", "_view")

    def __init__(self, core: CoreShortcut, view: View, clock: Callable[[], int]) -> None:
        self._core, self._view, self._clock = core, view, clock

    @property
    def is_answered(self) -> bool:
        return self._core.is_answered

    def from_client(self, octets: bytes, /) -> int:
        passage = self._core.client(octets, self._clock())
        return self._without_failure(passage) if passage & UNSEEN else passage

    def from_next_hop(self, octets: bytes, /) -> int:
        passage = self._core.server(octets, self._clock())
        return self._without_failure(passage) if passage & UNSEEN else passage

    def end(self) -> None:
        if self._core.end(self._clock()) & UNSEEN:
            self._view.missed()

    def stand(self) -> Stand:
        return self._core.stand()

    def _without_failure(self, passage: int) -> int:
        self._view.missed()
        return passage & ~UNSEEN
