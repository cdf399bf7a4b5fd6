"""What classification asks a tap to look for, and what it says of one mail."""

from __future__ import annotations

import msgspec

from sensor.model.terms import Direction, Evidence, Kind, Level


class InterestSpec(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a tap should look for in mail; a mail's ``body_marks`` are indices into the ``body_marks`` here.

    ``fields``, ``reverse_path_marks``, ``subject_prefixes`` and ``body_marks`` make the mail that holds one
    ``touched``. ``context_fields`` are kept beside them. ``labels`` are (language, field it stands for, text) of the
    header blocks that clients quote. ``reply_prefixes`` begin the subjects of replies; ``reply_marks`` stand in SMTP
    replies that refuse a mail because it is forwarded. Texts compare without ASCII case.
    """

    fields: tuple[str, ...]
    reverse_path_marks: tuple[str, ...]
    subject_prefixes: tuple[str, ...]
    body_marks: tuple[str, ...]
    context_fields: tuple[str, ...] = ()
    reply_prefixes: tuple[str, ...] = ()
    labels: tuple[tuple[int, int, str], ...] = ()
    reply_marks: tuple[str, ...] = ()


class Artifact(msgspec.Struct, frozen=True, kw_only=True):
    """A fact in header or envelope that the artifact table names: the row, where it stood, and what stood there."""

    slug: str
    field: str
    value: str


class Forwarding(msgspec.Struct, frozen=True, kw_only=True):
    """
    What one mail shows of forwarding. ``evidence`` is null exactly when ``kind`` is "none". A report that a forward was
    refused is of kind "none" and names in ``mailbox`` who tried.

    A mail with ``look_alike`` set is never counted as a mailbox's forward. ``artifacts`` lists every row that
    matched, also those that a rule of trust or a look-alike spoke against.
    """

    kind: Kind = "none"
    level: Level = "unknown"
    evidence: Evidence | None = None
    mailbox: str | None = None
    destinations: tuple[str, ...] = ()
    direction: Direction = "unknown"
    look_alike: str | None = None
    artifacts: tuple[Artifact, ...] = ()
