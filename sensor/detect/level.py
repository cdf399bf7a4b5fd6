"""
Who set a forward up: a user in the mailbox, or an administrator around it.

Marks speak first. Some are written by what only a mailbox's owner makes (a rule's loop header, Gmail's ``+caf_=``, a
sieve redirect), some by what only an administrator makes (a transport rule, a route), and some by what both can set
(the mailbox's forwarding property). Whoever administers a mailbox can act as its owner too, so "user" names the kind
of object, not the person.

The share speaks second, and only as a hint. ATT&CK (T1114.003) holds that many automatic forwards with hardly any
that look forwarded point at an administrator. But a user's *redirect* rule leaves a mail as it was, so its copies
look unforwarded too: the hint is told, and never decides.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from sensor.detect.claim import MAX_NAME_OCTETS, cut
from sensor.intervals import jeffreys
from sensor.model import Artifact, Level

MAX_NAMED = 16
"""Different marks counted by name of one mailbox. A mechanism writes two to five."""

HINT_SHARE = 0.9
"""The lower bound of the share of forwards without a forwarded look from which ATT&CK's hint is told."""

MARKS: dict[str, tuple[Level, str]] = {
    "google_caf": ("user", "Gmail's +caf_= reverse-path, written for a user's forwarding or filter"),
    "google_forwarded_for": ("user", "Gmail's X-Forwarded-For, written for a user's forwarding or filter"),
    "google_forwarded_to": ("user", "Gmail's X-Forwarded-To, written for a user's forwarding or filter"),
    "exchange_inbox_rules_loop": ("user", "X-MS-Exchange-Inbox-Rules-Loop, written by the mailbox's own inbox rules"),
    "exchange_rules_agent": ("user", "the stamp of Exchange's Mailbox Rules Agent, which runs inbox rules"),
    "exchange_auto_forwarded": ("user", "X-MS-Exchange-Organization-AutoForwarded, written by inbox rules"),
    "sieve_redirected_from": ("user", "X-Sieve-Redirected-From, written by a sieve redirect"),
    "cyrus_sieve_redirect": ("user", "X-Sieve-Action: redirect, written by a sieve redirect"),
    "zimbra_forwarded": ("user", "X-Zimbra-Forwarded, written by a mailbox's filter"),
    "power_automate_forward": ("user", "x-ms-mail-operation-type: Forward, written by a flow of Power Automate"),
    "exchange_transport_rules_loop": ("admin", "X-MS-Exchange-Transport-Rules-Loop, written by a transport rule"),
    "google_original_to": ("admin", "X-Gm-Original-To, written by an administrator's routing in Google Workspace"),
    "cpanel_forwarder": ("admin", "the trace of a cPanel forwarder, which the hosting account's owner sets"),
    "exchange_forwarding_loop": (
        "either",
        "X-MS-Exchange-ForwardingLoop: the mailbox's forwarding property, which users can set as well",
    ),
    "delivered_to": ("either", "Delivered-To, left by an alias or a .forward file"),
    "resent_from_alone": ("either", "Resent-From without a date, left by a redirect rule or the forwarding property"),
}
"""What the better-known marks say, best first among those of a level. Others are called by their slug."""


class Marks(msgspec.Struct):
    """How many forwards speak for which level, and which marks they carry; part of a detector's state."""

    user: int = 0
    admin: int = 0
    either: int = 0
    unknown: int = 0
    named: dict[str, int] = {}

    @property
    def total(self) -> int:
        return self.user + self.admin + self.either + self.unknown

    def add(self, level: Level, lines: Iterable[Artifact] = ()) -> None:
        """
        Count one automatic forward: the level that the classifier drew from its marks, and the marks themselves.

        Forwards by hand are not counted: that they are a user's says nothing of the rules beside them.
        """
        setattr(self, level, getattr(self, level) + 1)
        for slug in dict.fromkeys(cut(line.slug, MAX_NAME_OCTETS) for line in lines):
            if slug in self.named or len(self.named) < MAX_NAMED:
                self.named[slug] = self.named.get(slug, 0) + 1


def argue(marks: Marks, *, unforwarded: int = 0, looking_forwarded: int = 0) -> tuple[Level, str]:
    """
    The level that *marks* speak for, and the sentences an analyst gets to judge it.

    *unforwarded* are forwards by a rule that do not look forwarded, *looking_forwarded* all that do.
    """
    level, reason = _by_marks(marks)
    hint = _hint(unforwarded, looking_forwarded) if level in ("either", "unknown") else ""
    return level, f"{reason} {hint}".strip()


def _by_marks(marks: Marks) -> tuple[Level, str]:
    if marks.user and marks.admin:
        return _in_conflict(marks)
    if marks.user:
        return "user", (
            f"{_of(marks.user, marks.total)} what a user's own rule writes{_naming(marks, 'user')}. "
            "Somebody with rights on the mailbox can set such a rule as well."
        )
    if marks.admin:
        return "admin", f"{_of(marks.admin, marks.total)} what only an administrator sets up{_naming(marks, 'admin')}."
    if marks.either:
        return "either", (
            f"{_of(marks.either, marks.total)} marks that a user's and an administrator's setting both leave"
            f"{_naming(marks, 'either')}."
        )
    return "unknown", "No mark tells who set this up."


def _in_conflict(marks: Marks) -> tuple[Level, str]:
    """Both levels are marked: the greater part decides if it is plainly the greater, and the conflict is told."""
    told = (
        f"{_forwards(marks.user)} a user's mark{_naming(marks, 'user')}, {marks.admin} an administrator's"
        f"{_naming(marks, 'admin')}: the two disagree"
    )
    low, high = jeffreys(marks.user, marks.user + marks.admin)
    if low > 0.5:
        return "user", f"{told}, and most speak for a user."
    if high < 0.5:
        return "admin", f"{told}, and most speak for an administrator."
    return "either", f"{told}, or both are at work."


def _hint(unforwarded: int, looking_forwarded: int) -> str:
    total = unforwarded + looking_forwarded
    if not total or jeffreys(unforwarded, total)[0] < HINT_SHARE:
        return ""
    return (
        f"{unforwarded} of {total} do not look forwarded, which ATT&CK takes as a hint at an administrator's setting; "
        "a user's redirect rule looks the same."
    )


def _of(count: int, total: int) -> str:
    return _forwards(count) if count == total else f"{count} of {total} forwards {_carry(count)}"


def _forwards(count: int) -> str:
    return f"{count} forward{'' if count == 1 else 's'} {_carry(count)}"


def _carry(count: int) -> str:
    return "carries" if count == 1 else "carry"


def _naming(marks: Marks, level: Level) -> str:
    """The best known mark of *level* that was met, in brackets."""
    for slug, (speaks_for, meaning) in MARKS.items():
        if speaks_for == level and slug in marks.named:
            return f" ({meaning})"
    return ""
