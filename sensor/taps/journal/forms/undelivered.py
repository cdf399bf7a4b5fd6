"""
Exchange and Microsoft 365: journal reports that could not be delivered, as they come to the alternate journaling
mailbox: each is attached to a report of non-delivery (RFC 3464).
"""

from __future__ import annotations

from sensor.taps.journal.copy import Copy, Form, Reading
from sensor.taps.journal.forms.exchange import MESSAGE_TYPES, is_report, read_entity
from sensor.taps.journal.mime import Entity, entity_of


def read(copy: Copy, mail: Entity) -> Reading | None:
    """The mail of the journal report that is attached; none where none is, or the copy is a journal report itself."""
    if mail.content_type != "multipart/report" or is_report(mail):
        return None
    for part in mail.parts():
        if part.content_type in MESSAGE_TYPES:
            attached = entity_of(part.octets(), mail.bounds)
            if is_report(attached):
                return read_entity(attached, copy)
    return None


UNDELIVERED = Form("undelivered", "Journal reports that came back, from the alternate journaling mailbox.", read)
