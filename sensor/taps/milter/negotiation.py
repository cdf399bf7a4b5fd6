"""
What MTA and milter agree on at the start: the version, what we may do to mail, and which steps we are shown.

Everything asked for is masked by what the MTA offers. Which steps are answered follows from what was agreed: an answer
that is not awaited would be read as the answer to the next step.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntFlag
from typing import Literal

from sensor.taps.milter.protocol import (
    Body,
    Connect,
    Data,
    EndOfHeader,
    Event,
    Field,
    Helo,
    Mail,
    Offer,
    Rcpt,
    Unknown,
    ViolationError,
)

LEAST_VERSION, GREATEST_VERSION = 2, 6

BodyWanted = Literal["all", "window", "none"]
"""How much of a body is asked for."""


class Action(IntFlag):
    """What the MTA lets a milter do (``SMFIF_*``)."""

    ADD_FIELDS = 0x01
    CHANGE_FIELDS = 0x10
    QUARANTINE = 0x20
    CHOOSE_MACROS = 0x100


class Step(IntFlag):
    """Which steps are passed over, which are not answered, and how the others come (``SMFIP_*``)."""

    NO_BODY = 0x10
    NO_END_OF_HEADER = 0x40
    FIELD_UNANSWERED = 0x80
    NO_UNKNOWN = 0x100
    NO_DATA = 0x200
    SKIP_BODY = 0x400
    REFUSED_RECIPIENTS = 0x800
    CONNECT_UNANSWERED = 0x1000
    HELO_UNANSWERED = 0x2000
    MAIL_UNANSWERED = 0x4000
    RCPT_UNANSWERED = 0x8000
    DATA_UNANSWERED = 0x1_0000
    UNKNOWN_UNANSWERED = 0x2_0000
    END_OF_HEADER_UNANSWERED = 0x4_0000
    BODY_UNANSWERED = 0x8_0000
    LEADING_SPACE = 0x10_0000


UNANSWERED: Mapping[type[Event], Step] = {
    Connect: Step.CONNECT_UNANSWERED,
    Helo: Step.HELO_UNANSWERED,
    Mail: Step.MAIL_UNANSWERED,
    Rcpt: Step.RCPT_UNANSWERED,
    Data: Step.DATA_UNANSWERED,
    Field: Step.FIELD_UNANSWERED,
    EndOfHeader: Step.END_OF_HEADER_UNANSWERED,
    Body: Step.BODY_UNANSWERED,
    Unknown: Step.UNKNOWN_UNANSWERED,
}
"""By event, the flag that says it is not answered. Those that are not named here never are, or always."""

# What is asked for in any case: end of header, DATA and commands unknown to the MTA tell us nothing.
_STEPS = (
    Step.NO_END_OF_HEADER
    | Step.NO_UNKNOWN
    | Step.NO_DATA
    | Step.REFUSED_RECIPIENTS
    | Step.LEADING_SPACE
    | Step.CONNECT_UNANSWERED
    | Step.HELO_UNANSWERED
    | Step.MAIL_UNANSWERED
    | Step.RCPT_UNANSWERED
    | Step.DATA_UNANSWERED
    | Step.FIELD_UNANSWERED
    | Step.UNKNOWN_UNANSWERED
    | Step.END_OF_HEADER_UNANSWERED
)
# A step that is not answered can't be broken off: what looks at the beginning of bodies alone answers each piece.
_BODY_STEPS: Mapping[BodyWanted, Step] = {
    "all": Step.BODY_UNANSWERED,
    "window": Step.SKIP_BODY,
    "none": Step.NO_BODY,
}

MACROS: Mapping[int, bytes] = {
    0: b"j _ {client_addr} {client_port} {daemon_addr} {daemon_port} {if_addr}",
    1: b"{tls_version}",
    2: b"i r {auth_authen}",
    3: b"i {rcpt_mailer} {rcpt_host} {rcpt_addr}",
    5: b"i",
}
"""By stage (connection, HELO, MAIL, RCPT, end of message), the facts that are asked for where we may choose."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What was agreed. ``actions`` are what may be done, ``steps`` the flags that hold."""

    version: int
    actions: Action
    steps: Step

    @property
    def answered(self) -> frozenset[type[Event]]:
        """The events that the MTA waits for an answer to, beside the offer and the end of a message."""
        return frozenset(event for event, flag in UNANSWERED.items() if flag not in self.steps)

    @property
    def leading_space(self) -> bool:
        """True if the blank behind a field's colon is part of its value, in both directions."""
        return Step.LEADING_SPACE in self.steps


def agree(offer: Offer, body: BodyWanted) -> Terms:
    """The terms that both can keep. Raises ``ViolationError`` for a version that is not spoken any more."""
    if offer.version < LEAST_VERSION:
        raise ViolationError(f"version {offer.version} of the protocol")
    wanted = Action.ADD_FIELDS | Action.CHANGE_FIELDS | Action.QUARANTINE | Action.CHOOSE_MACROS
    return Terms(
        min(offer.version, GREATEST_VERSION),
        Action(offer.actions & wanted),
        Step(offer.steps & (_STEPS | _BODY_STEPS[body])),
    )


def accepted(terms: Terms) -> bytes:
    """The data of our answer to the offer: the terms, then the macros wanted where they may be chosen."""
    told = struct.pack(">III", terms.version, terms.actions, terms.steps)
    if Action.CHOOSE_MACROS in terms.actions:
        told += b"".join(stage.to_bytes(4) + names + b"\0" for stage, names in MACROS.items())
    return told
