"""Where a session stands, what it waits for, and where commands lead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from sensor.taps.relay.commands import Kind


class State(Enum):
    """What the client's next octets are, or what they wait for."""

    __hash__ = object.__hash__  # as of Kind

    APPROACH = auto()  # wait: the next hop has not greeted
    COMMANDS = auto()
    DATA_ASKED = auto()  # wait for the reply to DATA
    CONTENT = auto()
    DRAINING = auto()  # content that nobody gets; its reply is known
    AUTH_ASKED = auto()  # wait for the reply to AUTH or to a line of it
    SECRET = auto()  # one line that is no command
    SECURING = auto()  # wait for TLS
    ENDING = auto()  # wait for the replies that are still to come; the last one ends the session
    LEAVING = auto()  # commands that are answered 421, but for QUIT
    OVER = auto()


class Mark(Enum):
    """Replies that are awaited though no command of the client asks for them, or that are more than a command's."""

    __hash__ = object.__hash__  # as of Kind

    APPROACH = auto()
    SWALLOWED = auto()  # to a command of the relay's own
    DOT = auto()


class Then(Enum):
    """What follows a reply of the relay's own."""

    NOTHING = auto()
    CLOSE = auto()
    SECURE = auto()


@dataclass(frozen=True, slots=True)
class Own:
    """A reply of the relay's own, given when those before it were."""

    octets: bytes
    then: Then = Then.NOTHING


AFTER: Mapping[Kind, State] = {
    Kind.DATA: State.DATA_ASKED,
    Kind.AUTH: State.AUTH_ASKED,
    Kind.QUIT: State.ENDING,
}
"""Where a command leads that the next one has to wait for."""

GO_AHEADS = frozenset(((Kind.DATA, 354), (Kind.AUTH, 334)))
"""RFC 5321 4.2.1, RFC 4954 4: who may be told to go on."""
