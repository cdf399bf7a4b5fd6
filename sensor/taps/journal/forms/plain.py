"""Any other copy: a mail as it is. Its recipients are known only where the peer keeps them in the envelope."""

from __future__ import annotations

from sensor.taps.journal.copy import Copy, Form, Reading, as_it_came
from sensor.taps.journal.mime import Entity


def read(copy: Copy, mail: Entity) -> Reading:
    """The copy itself."""
    return Reading((as_it_came(copy),), None if copy.others else "recipient_lost")


PLAIN = Form("plain", "Any other copy, told as it is.", read)
