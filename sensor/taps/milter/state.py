"""
Where a milter connection stands, and which event leads where.

An MTA connection begins with an offer and shows one SMTP client after another (``QuitForNext``), each with any number
of mails. What is not in ``NEXT`` is out of order: it moves nothing and means nothing. An MTA that asks for a body or an
end of message out of order still gets its answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

from sensor.taps.milter.protocol import (
    Abort,
    Body,
    Connect,
    Data,
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
    Unknown,
)


class State(Enum):
    """``READY``: no client yet. ``CLIENT``: between mails. ``ENVELOPE`` and ``CONTENT``: within one."""

    START = auto()
    READY = auto()
    CLIENT = auto()
    ENVELOPE = auto()
    HEADER = auto()
    BODY = auto()
    DONE = auto()


NEXT: Mapping[State, Mapping[type[Event], State]] = {
    State.START: {Offer: State.READY, Quit: State.DONE},
    State.READY: {
        Macros: State.READY,
        Connect: State.CLIENT,
        Abort: State.READY,
        QuitForNext: State.READY,
        Quit: State.DONE,
    },
    State.CLIENT: {
        Macros: State.CLIENT,
        Helo: State.CLIENT,
        Unknown: State.CLIENT,
        Mail: State.ENVELOPE,
        Abort: State.CLIENT,
        QuitForNext: State.READY,
        Quit: State.DONE,
    },
    # A greeting or another MAIL without an abort before it: the mail at hand came to nothing all the same.
    State.ENVELOPE: {
        Macros: State.ENVELOPE,
        Helo: State.CLIENT,
        Unknown: State.ENVELOPE,
        Mail: State.ENVELOPE,
        Rcpt: State.ENVELOPE,
        Data: State.ENVELOPE,
        Field: State.HEADER,
        EndOfHeader: State.BODY,
        Body: State.BODY,
        EndOfMessage: State.CLIENT,
        Abort: State.CLIENT,
        QuitForNext: State.READY,
        Quit: State.DONE,
    },
    State.HEADER: {
        Macros: State.HEADER,
        Field: State.HEADER,
        EndOfHeader: State.BODY,
        Body: State.BODY,
        EndOfMessage: State.CLIENT,
        Abort: State.CLIENT,
        QuitForNext: State.READY,
        Quit: State.DONE,
    },
    State.BODY: {
        Macros: State.BODY,
        Body: State.BODY,
        EndOfMessage: State.CLIENT,
        Abort: State.CLIENT,
        QuitForNext: State.READY,
        Quit: State.DONE,
    },
    State.DONE: {},
}
