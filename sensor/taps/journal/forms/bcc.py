"""
Postfix: blind copies by ``recipient_bcc_maps``, ``sender_bcc_maps`` or ``always_bcc``. The reverse-path is the mail's,
but the recipient is the journal. The mail's own recipients are found in three places.

1. In the address of the journal itself, where the map writes them there: ``journal+ann=corp.example@sensor.example``
   is a copy of mail to ann@corp.example. The last = stands for the @.
2. In ``X-Original-To`` or ``Delivered-To`` above the topmost Received, where the copy took a way that writes them.
3. Behind ``for`` in the topmost Received, which Postfix writes where a mail has one recipient, before it adds the copy.

What stands further below was written by others, and is not believed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sensor.taps.journal.copy import Copy, Form, Reading, sent_to
from sensor.taps.journal.mime import Entity

_IN_ADDRESS = re.compile(r"[^+@]+\+([^@]+)=([^@=]+)@[^@]+")
_BY_POSTFIX = re.compile(r"\(Postfix[^()]*\).{0,200}?\bfor <([^<>\s]+@[^<>\s]+)>", re.DOTALL)


def read(copy: Copy, mail: Entity) -> Reading | None:
    """The mail, to whom is found by the ways above; none where none of them leads anywhere."""
    recipients = list(_in_addresses(copy.ours))
    if not recipients:
        ours = {each.lower() for each in copy.ours}
        recipients = [each for each in _above(mail) if each.lower() not in ours][:1]
    return Reading((sent_to(copy, recipients),)) if recipients else None


def _in_addresses(ours: tuple[str, ...]) -> Iterator[str]:
    for address in ours:
        found = _IN_ADDRESS.fullmatch(address)
        if found is not None:
            yield f"{found[1]}@{found[2]}"


def _above(mail: Entity) -> Iterator[str]:
    """The recipient by the fields above the topmost Received, and by that one itself."""
    for name, value in mail.header.items():
        if name.lower() in ("x-original-to", "delivered-to"):
            address = str(value).strip().strip("<>")
            if "@" in address:
                yield address
        elif name.lower() == "received":
            found = _BY_POSTFIX.search(" ".join(str(value)[:2_000].split()))
            if found is not None:
                yield found[1]
            return


BCC = Form(
    "bcc", "Blind copies of Postfix, whose recipient shows in the journal's address or the topmost Received.", read
)
