"""Mail that passed a tap and is in no record: what the sensor knows that it did not see."""

from __future__ import annotations

from typing import Literal

import msgspec

MissedWhy = Literal["unshown", "unread", "dropped"]
"""The MTA did not show it; it could not be read, or its session not be followed; there was no room for its record."""


class Missed(msgspec.Struct, frozen=True, kw_only=True):
    """
    Mail that passed a tap in line and is in no record: so many ``mails`` at least, and when.

    ``mailboxes`` are those known to have sent or got it, in lower case. With no ``mails`` they are those of mail that
    was told before: an MTA logs whom a mail is for after it was queued.
    """

    at_ms: int
    why: MissedWhy
    mails: int = 1
    mailboxes: tuple[str, ...] = ()
