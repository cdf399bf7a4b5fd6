"""
The text of an Exchange journal report: the envelope of the mail that it is about.

    Sender: sue@other.example
    Subject: Invoice
    Message-Id: <1@other.example>
    To: ann@corp.example
    Cc: eve@corp.example, Expanded: sales@corp.example
    Recipient: drop@evil.example, Forwarded: bob@corp.example

One field a line (Exchange 2007 and later, Exchange Online). ``Expanded`` names the group that a recipient was written
to by, ``Forwarded`` the mailbox whose mail is sent on to it: an alternative recipient, set up by an administrator, or
by the user in Outlook on the web. The names of the fields are English whatever the server's language. Exchange 2003
wrote ``Recipients:`` and then an address a line.

The subject was written by the mail's sender. So that no line end in it makes recipients up, those count alone that
stand behind the last Message-Id. Where there is none, the sender counts that the text begins with.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sensor.taps.journal.copy import Recipient

MAX_REPORT_OCTETS = 4 << 20
"""Of the text: Exchange takes mail to a few thousand recipients, of which each has a line of some 100 octets."""
MAX_RECIPIENTS = 10_000
"""Of one report. What stands behind them is not looked at, and counted."""

_FIELD = re.compile(r"([A-Za-z][A-Za-z-]{0,30})[ \t]*:[ \t]*(.*)", re.DOTALL)
_RECIPIENT_FIELDS = frozenset(("to", "cc", "bcc", "recipient"))
_REDIRECTION = re.compile(r",[ \t]*(Expanded|Forwarded)[ \t]*:[ \t]*", re.IGNORECASE)
# Between the parts of a recipient's line, where a gateway wrapped it.
_FOLDED = re.compile(r",[ \t]*\n[ \t]+")
# A local part in quotes (RFC 5321 4.1.2) may hold whatever it likes.
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"@')
_BRACKETED = re.compile(r"<([^<>]*)>[ \t]*\Z")


@dataclass(frozen=True, slots=True)
class Report:
    """
    What a report says. ``sender`` is none where it says nothing of it, and "" where that is empty. ``truncated``: it
    names more recipients than are kept.
    """

    sender: str | None
    message_id: str | None
    recipients: tuple[Recipient, ...]
    truncated: bool = False


def read_report(text: str) -> Report | None:
    """What the *text* of a report says; none where it is no report: it names neither sender nor recipients."""
    lines = _FOLDED.sub(", ", text.replace("\r\n", "\n")).lstrip().split("\n")
    fields = [_field(line) for line in lines]
    last_id = max((place for place, (name, _) in enumerate(fields) if name == "message-id"), default=0)
    # The first of a name counts: what the subject brings along stands behind it.
    head = dict(reversed(fields[: last_id + 1]))
    recipients = list(_recipients(fields[last_id:]))
    if "sender" not in head and not recipients:
        return None
    return Report(
        _address(head["sender"]) if "sender" in head else None,
        head.get("message-id") or None,
        tuple(recipients[:MAX_RECIPIENTS]),
        len(recipients) > MAX_RECIPIENTS,
    )


def _field(line: str) -> tuple[str, str]:
    """Name in lower case and value; a line without a name has the name ""."""
    found = _FIELD.fullmatch(line.strip())
    return (found[1].lower(), found[2]) if found else ("", line.strip())


def _recipients(fields: Sequence[tuple[str, str]]) -> Iterator[Recipient]:
    """Of the lines that name a recipient; behind ``Recipients:``, each line does until a further field comes."""
    listing = False
    for name, value in fields:
        if name in _RECIPIENT_FIELDS or (not name and listing and value):
            yield _recipient(value)
        elif name:
            listing = name == "recipients"


def _recipient(value: str) -> Recipient:
    """
    Of ``x, Forwarded: y`` the recipient x, who was y before; of several redirections, the first mailbox counts.
    """
    quoted = _QUOTED.match(value)
    start = quoted.end() if quoted else 0
    address, *redirections = _REDIRECTION.split(value[start:])
    forwarded = [whom for how, whom in zip(redirections[::2], redirections[1::2], strict=True) if how[0] in "Ff"]
    return Recipient(_address(value[:start] + address), _address(forwarded[-1]) if forwarded else None)


def _address(value: str) -> str:
    """The bare address: ``x@y`` of ``x@y``, of ``<x@y>`` and of ``Name <x@y>``."""
    bracketed = _BRACKETED.search(value)
    return (bracketed[1] if bracketed else value).strip()
