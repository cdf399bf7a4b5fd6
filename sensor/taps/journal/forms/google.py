"""
Google Workspace: copies that a routing rule adds a recipient for ("Also deliver to"), with the option "Add
X-Gm-Original-To header". That field is the only place that says whom the mail was for; the reverse-path is kept.
"""

from __future__ import annotations

from sensor.taps.journal.copy import Copy, Form, Reading, sent_to
from sensor.taps.journal.mime import Entity

_MARKS = ("x-gm-spam", "x-gm-phishy")


def read(copy: Copy, mail: Entity) -> Reading | None:
    """The mail, to whom the topmost X-Gm-Original-To names; none where no field shows Google's routing."""
    original = mail.value("x-gm-original-to")
    if original is None:
        # With its other options alone, the rule tells of itself but not of the recipient.
        shows = any(mail.header.get(each) is not None for each in _MARKS)
        return Reading((sent_to(copy, ()),), "recipient_lost") if shows else None
    address = original.strip("<> ")
    return Reading((sent_to(copy, [address] if "@" in address else []),))


GOOGLE = Form("google", "Copies by a routing rule of Google Workspace, with X-Gm-Original-To.", read)
