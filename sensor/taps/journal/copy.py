"""What comes in (a copy, with the envelope of its own journey) and what it tells (mails, with theirs)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sensor.taps.journal.mime import Entity


@dataclass(frozen=True, slots=True)
class Copy:
    """
    A mail as it was handed to us. ``reverse_path`` is "" for ``<>``; ``content`` has its dots unstuffed.

    Of the recipients, ``ours`` are addresses of the journal itself, written to nobody; ``others`` are true recipients,
    where the peers keep them.
    """

    content: bytes
    reverse_path: str = ""
    ours: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recipient:
    """One recipient of a mail; ``original`` is whom it was sent on for, as ORCPT would say it, in clear text."""

    address: str
    original: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """
    One mail that a copy tells of. ``reverse_path`` is none where nobody knows; without ``recipients`` nobody knows
    those. ``content`` is as it was transferred.
    """

    content: bytes | memoryview
    reverse_path: str | None = None
    recipients: tuple[Recipient, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """
    What a form made of a copy. ``problem`` says in a word why it could not be read as what it claims to be; then it is
    told as a mail like any other.
    """

    told: tuple[Told, ...]
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """
    One form of copies: ``read`` gives what such a copy tells, none where it is of another form; it is given the
    copy and its outermost entity. ``meaning`` says who sends such copies.
    """

    name: str
    meaning: str
    read: Callable[[Copy, Entity], Reading | None]


def as_it_came(copy: Copy) -> Told:
    """The copy itself as a mail: its own reverse-path, and the recipients that are not only ours."""
    return Told(copy.content, copy.reverse_path, tuple(Recipient(address) for address in copy.others))


def sent_to(copy: Copy, addresses: Sequence[str]) -> Told:
    """The copy as a mail to *addresses*, each once, and to those recipients that are not only ours."""
    return Told(copy.content, copy.reverse_path, tuple(map(Recipient, dict.fromkeys((*addresses, *copy.others)))))
