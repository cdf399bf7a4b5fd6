"""
The small events that detectors work on: what one mail showed, without the mail.

An event's ``id`` follows from what it tells of, so the same mail seen again, or delivered again by a stream engine,
gives the same event. Times are milliseconds of packet time since the epoch. Addresses are in lower case.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Literal

import msgspec

from sensor.model import Actor, Artifact, Direction, Evidence, Level

Cell = Literal["auto_only", "auto_visible", "visible_only", "paired"]
"""How a forward shows: by a rule's marks alone, by those and by its look, by its look alone, by pairing alone."""


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """
    What was known of mailbox, organisation and sensor when the event happened, so that a detector needs no ledger.

    ``clear_share`` is the share of mail sessions seen in clear in the last 24 hours; null where nothing tells. Mails
    that passed a tap in line unseen count against it like sessions; ``unseen_24h`` are those mails, and
    ``mailbox_unseen_24h`` those of them that the mailbox is known to have sent or got.
    ``mailbox_since_ms`` and ``sensor_since_ms`` are the first mail seen of the mailbox and at all. ``mailboxes`` and
    ``forwarders`` count those of the organisation that had mail, and that forwarded to outside by a rule, in 7 days.
    """

    received_1h: int = 0
    received_24h: int = 0
    received_7d: int = 0
    sent_24h: int = 0
    sent_7d: int = 0
    mailbox_since_ms: int | None = None
    sensor_since_ms: int | None = None
    mailboxes: int = 0
    forwarders: int = 0
    clear_share: float | None = None
    unseen_24h: int = 0
    mailbox_unseen_24h: int = 0


class ForwardSeen(msgspec.Struct, frozen=True, kw_only=True, tag="forward"):
    """
    One mail that a mailbox forwarded, counted once however many hops showed it.

    ``outside`` are those of ``destinations`` that are not the organisation's (all, where no domain is known to be).
    ``original_id`` and ``original_at_ms`` are the transaction that brought the original, where both legs were seen.
    """

    id: str
    at_ms: int
    transaction_id: str
    mailbox: str
    cell: Cell
    destinations: tuple[str, ...]
    outside: tuple[str, ...]
    direction: Direction = "unknown"
    level: Level = "unknown"
    evidence: Evidence = "strong"
    octets: int | None = None
    missing_octets: int = 0
    original_id: str | None = None
    original_at_ms: int | None = None
    actor: Actor = Actor()
    lines: tuple[Artifact, ...] = ()
    context: Context = Context()


class DestinationSeen(msgspec.Struct, frozen=True, kw_only=True, tag="destination"):
    """One forward as one of its outside destinations sees it: made from a ``ForwardSeen`` for each of them."""

    id: str
    at_ms: int
    destination: str
    domain: str
    forward: ForwardSeen


class ForwardRefused(msgspec.Struct, frozen=True, kw_only=True, tag="refused"):
    """
    A forward that somebody on the way refused: the mailbox that tried, and what was answered.

    ``is_policy`` is true where the answer says that forwarding itself is forbidden, not merely this mail.
    """

    id: str
    at_ms: int
    transaction_id: str
    mailbox: str
    destinations: tuple[str, ...]
    is_policy: bool
    reply: str | None = None
    level: Level = "unknown"
    actor: Actor = Actor()
    lines: tuple[Artifact, ...] = ()
    context: Context = Context()


class Attached(msgspec.Struct, frozen=True, kw_only=True):
    """One attachment: its name cut to 256 characters, its type, its decoded size."""

    filename: str | None
    content_type: str
    octets: int


class AttachmentsSent(msgspec.Struct, frozen=True, kw_only=True, tag="attachments"):
    """A mail with attachments that may be mail archives, sent by one of ours to *destinations* outside."""

    id: str
    at_ms: int
    transaction_id: str
    mailbox: str
    destinations: tuple[str, ...]
    attachments: tuple[Attached, ...]
    attached_messages: int = 0
    octets: int | None = None
    actor: Actor = Actor()
    lines: tuple[Artifact, ...] = ()
    context: Context = Context()


class Leg(msgspec.Struct, frozen=True, kw_only=True, tag="leg"):
    """
    One mail as one of its fingerprints sees it: delivered to mailboxes of ours (``side`` "in"), or leaving ("out").

    A fingerprint is of a Message-ID or of a body. ``basis`` says what of this mail it is: its own Message-ID, its
    parent's, or its body. ``sender`` is the reverse-path, ``author`` the first of From. ``recipients`` are those of
    ours on the way in, and those outside on the way out.

    The rest concerns outgoing legs: ``message`` is the fingerprint of its own Message-ID, ``unaddressed`` are
    recipients that neither To nor Cc names, ``written_to`` all that those name, ``addressed`` those of them that are
    ours, ``named`` the mailboxes that the mail says it came through (ORCPT, Resent-From, Delivered-To). ``from_ours``
    is true if its author is the organisation's, ``is_reply`` if the subject says so, and ``needs_sign`` where nothing
    tells whose mail is whose, so that only a mail that names a mailbox can be paired.
    """

    id: str
    at_ms: int
    transaction_id: str
    fingerprint: str
    basis: Literal["message_id", "parent", "body"]
    side: Literal["in", "out"]
    sender: str
    recipients: tuple[str, ...]
    author: str = ""
    message: str = ""
    unaddressed: tuple[str, ...] = ()
    written_to: tuple[str, ...] = ()
    addressed: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    from_ours: bool = False
    is_reply: bool = False
    needs_sign: bool = False
    octets: int | None = None
    missing_octets: int = 0
    actor: Actor = Actor()
    lines: tuple[Artifact, ...] = ()
    context: Context = Context()


DetectorEvent = ForwardSeen | DestinationSeen | ForwardRefused | AttachmentsSent | Leg


def stable_id(*parts: str) -> str:
    """32 hex digits that follow from *parts* alone: the same on every machine, run and Python."""
    octets = [part.encode("utf-8", "surrogatepass") for part in parts]
    content = b"".join([len(each).to_bytes(4, "big") + each for each in octets])
    return blake2b(content, digest_size=16).hexdigest()
