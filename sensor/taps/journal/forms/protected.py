"""Journal reports that nobody but their addressee can read: S/MIME (RFC 8551), or rights management."""

from __future__ import annotations

from sensor.taps.journal.copy import Copy, Form, Reading, as_it_came
from sensor.taps.journal.forms.exchange import is_report
from sensor.taps.journal.mime import Entity

_TYPES = ("application/pkcs7-mime", "application/x-pkcs7-mime", "application/x-microsoft-rpmsg-message")


def read(copy: Copy, mail: Entity) -> Reading | None:
    """That the report can't be read; none for all that is not encrypted."""
    if is_report(mail) and mail.content_type in _TYPES:
        return Reading((as_it_came(copy),), "report_encrypted")
    return None


PROTECTED = Form("protected", "Journal reports that are encrypted; counted, not read.", read)
