"""
What a mail gives the detectors to work on: small events, made from a transaction and the verdict on it.

Everything here is a plain function from a mail to an event; who knows the ledger fills the events' context in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from sensor.classify import Organisation
from sensor.detect.events import (
    Attached,
    AttachmentsSent,
    Cell,
    DestinationSeen,
    ForwardRefused,
    ForwardSeen,
    stable_id,
)
from sensor.model import Actor, Artifact, Forwarding, Kind, Transaction
from sensor.tally import fingerprint

CELLS: dict[Kind, Cell] = {"auto": "auto_only", "both": "auto_visible", "visible": "visible_only"}

MAX_LINES = 16
"""Header lines that an event shows; a real forward bears three to eight marks, only a hostile mail more."""
MAX_LINE_CHARS = 1_024
"""Of each line: what is longer than RFC 5322 2.1.1 allows is no mark that a rule wrote."""
MAX_DESTINATIONS = 64
"""Destinations that an event names. Rules have a few, and a person's mail to more is a circular."""
MAX_ATTACHMENTS = 32
MAX_NAME_CHARS = 256
MAX_REPLY_CHARS = 512


def forward_seen(transaction: Transaction, forwarding: Forwarding, organisation: Organisation) -> ForwardSeen | None:
    """The forward that *forwarding* says *transaction* is; none where it names no mailbox of ours or is no forward."""
    mailbox = (forwarding.mailbox or "").lower()
    if not mailbox or forwarding.kind == "none" or forwarding.look_alike is not None or not ours(mailbox, organisation):
        return None
    destinations = named(forwarding.destinations)
    return ForwardSeen(
        id=stable_id("forward", transaction.id, mailbox),
        at_ms=transaction.started_at_ns // 1_000_000,
        transaction_id=transaction.id,
        mailbox=mailbox,
        cell=CELLS[forwarding.kind],
        destinations=destinations,
        outside=outside(destinations, organisation),
        direction=forwarding.direction,
        level=forwarding.level,
        evidence=forwarding.evidence or "weak",
        octets=transaction.size_octets,
        missing_octets=transaction.completeness.missing_octets,
        actor=actor_of(transaction),
        lines=lines_of(forwarding.artifacts),
    )


def destinations_seen(forward: ForwardSeen) -> Iterator[DestinationSeen]:
    """The same forward as each of its outside destinations sees it."""
    for address in forward.outside:
        yield DestinationSeen(
            id=stable_id("destination", forward.id, address),
            at_ms=forward.at_ms,
            destination=address,
            domain=address.rpartition("@")[2].rstrip("."),
            forward=forward,
        )


def forward_tried(
    transaction: Transaction, forwarding: Forwarding, organisation: Organisation, policy_slugs: frozenset[str]
) -> ForwardRefused | None:
    """
    The forward that no server took, as the mail is one or tells of one; none where it names no mailbox of ours.

    *policy_slugs* are the rows by which a refusal says that forwarding itself is forbidden. The same mail tried again
    gives the same event.
    """
    mailbox = (forwarding.mailbox or "").lower()
    if not mailbox or not ours(mailbox, organisation):
        return None
    telling = [artifact for artifact in forwarding.artifacts if artifact.slug in policy_slugs]
    destinations = named(forwarding.destinations)
    reply = telling[0].value[:MAX_REPLY_CHARS] if telling and forwarding.kind == "none" else _reply_of(transaction)
    return ForwardRefused(
        id=stable_id("refused", _message_of(transaction), mailbox, *destinations),
        at_ms=transaction.started_at_ns // 1_000_000,
        transaction_id=transaction.id,
        mailbox=mailbox,
        destinations=destinations,
        is_policy=bool(telling),
        reply=reply,
        level=forwarding.level,
        actor=actor_of(transaction),
        lines=lines_of(forwarding.artifacts),
    )


def attachments_sent(
    transaction: Transaction, mailbox: str, destinations: Sequence[str], lines: Iterable[Artifact] = ()
) -> AttachmentsSent:
    """
    The attachments of a mail that *mailbox* sent to *destinations* outside, those that may be archives first.

    Hops of one mail give the same event.
    """
    told = named(destinations)
    attachments = sorted(transaction.attachments, key=lambda each: not may_be_archive(each.filename, each.content_type))
    return AttachmentsSent(
        id=stable_id("attachments", _message_of(transaction), mailbox, *told),
        at_ms=transaction.started_at_ns // 1_000_000,
        transaction_id=transaction.id,
        mailbox=mailbox,
        destinations=told,
        attachments=tuple(
            Attached(
                filename=None if each.filename is None else each.filename[:MAX_NAME_CHARS],
                content_type=each.content_type[:MAX_NAME_CHARS],
                octets=each.size_octets,
            )
            for each in attachments[:MAX_ATTACHMENTS]
        ),
        attached_messages=transaction.attached_messages,
        octets=transaction.size_octets,
        actor=actor_of(transaction),
        lines=lines_of(lines),
    )


_ARCHIVE_NAME = re.compile(
    r"\.(?:pst|ost|olm|nsf|dbx|mbox|mbx|nst|eml|emlx|msg|zip|zipx|7z|rar|tar|tgz|tbz2?|txz|gz|bz2|xz|zst|cab|ace|arj"
    r"|z\d\d|r\d\d|7z\.\d{3}|zip\.\d{3}|part\d+|\d{3})$",
    re.IGNORECASE,
)
_ARCHIVE_TYPE = re.compile(
    r"application/(?:mbox|vnd\.ms-outlook(?:-pst)?|zip|x-zip|x-zip-compressed|x-7z-compressed|vnd\.rar|x-rar.*|gzip"
    r"|x-gzip|x-tar|x-gtar|x-bzip2?|x-xz|zstd)|message/(?:rfc822|global)"
)


def may_be_archive(filename: str | None, content_type: str) -> bool:
    """
    True for a mail archive or a container that may hold one, by name or type: a cheap look that a detector sharpens.
    """
    if filename is not None and _ARCHIVE_NAME.search(filename.strip()):
        return True
    return _ARCHIVE_TYPE.fullmatch(content_type) is not None


def actor_of(transaction: Transaction) -> Actor:
    """Who handed the mail over."""
    session = transaction.session
    return Actor(
        auth_user=session.auth_user,
        helo=session.helo,
        client_ip=session.client_ip,
        server_ip=transaction.flow.dst_ip,
    )


def lines_of(artifacts: Iterable[Artifact]) -> tuple[Artifact, ...]:
    """The lines that an event shows, each once, cut to what is bounded."""
    kept = dict.fromkeys(artifacts)
    return tuple(
        each
        if len(each.value) <= MAX_LINE_CHARS
        else Artifact(slug=each.slug, field=each.field, value=_cut(each.value))
        for each in list(kept)[:MAX_LINES]
    )


def _cut(value: str) -> str:
    return value[: MAX_LINE_CHARS - 1] + "…"


def ours(address: str, organisation: Organisation) -> bool:
    """True for the organisation's own; where no domain is known to be, everybody's mailbox may be."""
    return not organisation.known or organisation.owns(address)


def outside(addresses: Iterable[str], organisation: Organisation) -> tuple[str, ...]:
    """Those that are not the organisation's; all, where no domain is known to be."""
    return tuple(address for address in addresses if not organisation.known or not organisation.owns(address))


def named(addresses: Iterable[str]) -> tuple[str, ...]:
    """Addresses as events name them: each once, in lower case, at most ``MAX_DESTINATIONS``."""
    return tuple(dict.fromkeys(address.lower() for address in addresses))[:MAX_DESTINATIONS]


def _reply_of(transaction: Transaction) -> str | None:
    reply = transaction.reply
    if reply is None:
        return None
    return " ".join(filter(None, (str(reply.code), reply.enhanced, reply.text)))[:MAX_REPLY_CHARS]


def fingerprint_of_short(transaction: Transaction) -> int:
    """
    What a mail without Message-ID, and with too short a body to be told by it, is told by: date, author and body. 0
    where one of them is not known.
    """
    header, digest = transaction.header, transaction.body_digest
    if header is None or not header.date or not header.from_ or digest is None:
        return 0
    return fingerprint("\n".join((header.date, header.from_[0].lower(), digest)))


def _message_of(transaction: Transaction) -> str:
    """What the hops of one mail have in common, or the transaction itself where that is too little."""
    header = transaction.header
    if header is not None and header.message_id:
        return header.message_id
    short = fingerprint_of_short(transaction)
    return f"{short:016x}" if short else transaction.id
