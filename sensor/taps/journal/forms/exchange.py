"""
Exchange and Microsoft 365: journal reports. A text says who wrote to whom, and the mail itself is attached as it was.

A recipient that the mail was sent on to (``Forwarded``) is told as a mail of its own, to that recipient alone and for
the mailbox that it was sent on from: so it goes over the wire, too, and so a forward stays apart from the mail that
others got in the same report.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from sensor.taps.journal.copy import Copy, Form, Reading, Recipient, Told, as_it_came
from sensor.taps.journal.mime import MAX_PARTS, Entity, leaves
from sensor.taps.journal.report import MAX_REPORT_OCTETS, Report, read_report

MAX_SENT_ON = 256
"""Mails that one report is told as for those it was sent on to. A mail has a few; of more, all are told in one."""

MESSAGE_TYPES = ("message/rfc822", "message/global")
_TNEF = "application/ms-tnef"


def read(copy: Copy, mail: Entity) -> Reading | None:
    """The mail of a journal report; none where the copy is no report."""
    return read_entity(mail, copy) if is_report(mail) else None


def is_report(mail: Entity) -> bool:
    """
    True for a journal report: of Exchange 2007 and later, or of 2003, which misspells the field's name.
    """
    if mail.header.get("x-ms-journal-report") is not None:
        return True
    identifier = mail.value("content-identifier") or mail.value("content-identifer") or ""
    return identifier.lower() == "exjournalreport"


def read_entity(mail: Entity, copy: Copy) -> Reading:
    """The mail of the journal report *mail*, which came in *copy*."""
    parts = list(islice(leaves(mail), MAX_PARTS))
    attached = next((part for part in parts if part.content_type in MESSAGE_TYPES), None)
    original = None if attached is None else _unwrapped(attached)
    if original is None:
        tnef = any(part.content_type == _TNEF for part in parts) or mail.content_type == _TNEF
        return Reading((as_it_came(copy),), "original_in_tnef" if tnef else "original_missing")
    report = next(filter(None, map(_report, parts)), None)
    if report is None:
        return Reading((Told(_as_transferred(original)),), "report_unreadable")
    problem = "recipients_truncated" if report.truncated else None
    return Reading(tuple(_told(report, _as_transferred(original))), problem)


def _report(part: Entity) -> Report | None:
    if part.content_type != "text/plain" or len(part.body) > MAX_REPORT_OCTETS:
        return None
    try:
        return read_report(part.text())
    except ValueError:  # its transfer encoding is broken
        return None


def _unwrapped(attached: Entity) -> bytes | memoryview | None:
    """The mail that is attached; none where its transfer encoding, which it should not have, is broken."""
    try:
        return attached.octets()
    except ValueError:
        return None


def _told(report: Report, content: bytes | memoryview) -> Iterator[Told]:
    straight = [each for each in report.recipients if each.original is None]
    sent_on = [each for each in report.recipients if each.original is not None]
    if straight or not sent_on:
        yield Told(content, report.sender, tuple(straight))
    groups: Sequence[tuple[Recipient, ...]] = [(each,) for each in sent_on[:MAX_SENT_ON]]
    for group in (*groups, tuple(sent_on[MAX_SENT_ON:])):
        if group:
            yield Told(content, report.sender, group)


def _as_transferred(octets: bytes | memoryview) -> bytes | memoryview:
    """
    With a line end at its end: over SMTP a mail always has one (RFC 5321 4.1.1.4), and the last one before a delimiter
    belongs to that. So the digest of its body is that of other taps.
    """
    return octets if bytes(octets[-2:]) == b"\r\n" else bytes(octets) + b"\r\n"


EXCHANGE = Form("exchange", "Journal reports of Exchange and Microsoft 365, with envelope and original.", read)
