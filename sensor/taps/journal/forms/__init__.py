"""
The forms in which copies of mail come, in the order in which they are tried. A further one is a file and a line here.
"""

from sensor.taps.journal.copy import Copy, Form, Reading, as_it_came
from sensor.taps.journal.forms.bcc import BCC
from sensor.taps.journal.forms.exchange import EXCHANGE
from sensor.taps.journal.forms.google import GOOGLE
from sensor.taps.journal.forms.plain import PLAIN
from sensor.taps.journal.forms.protected import PROTECTED
from sensor.taps.journal.forms.undelivered import UNDELIVERED
from sensor.taps.journal.limits import Bounds
from sensor.taps.journal.mime import entity_of

FORMS: tuple[Form, ...] = (PROTECTED, UNDELIVERED, EXCHANGE, GOOGLE, BCC, PLAIN)
"""The last one is every copy's."""


def read_copy(copy: Copy, bounds: Bounds) -> tuple[str, Reading]:
    """
    The form of a copy, by name, and what it tells: at least one mail. Never raises: a copy that breaks a form is told
    as it came, with the problem "form_failed".
    """
    mail = entity_of(copy.content, bounds)
    for form in FORMS:
        try:
            reading = form.read(copy, mail)
        except Exception:  # noqa: BLE001 - whoever wrote the mail in a copy may have tried to break its reader
            return form.name, Reading((as_it_came(copy),), "form_failed")
        if reading is not None:
            return form.name, reading
    return PLAIN.name, Reading((as_it_came(copy),))
