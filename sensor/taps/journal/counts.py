"""Everything that the journal counts, each with its meaning."""

from __future__ import annotations

from collections.abc import Mapping

from sensor.taps.journal.forms import FORMS

PROBLEMS: Mapping[str, str] = {
    "recipient_lost": "Copies that do not show whom the mail was for: told without recipients.",
    "recipients_truncated": "Reports with more recipients than are kept.",
    "report_unreadable": "Journal reports whose text is none: the original is told without its envelope.",
    "report_encrypted": "Journal reports that are encrypted: told as they came.",
    "original_missing": "Journal reports without the mail that they are about: told as they came.",
    "original_in_tnef": "Journal reports with their mail in Exchange's own format (TNEF): told as they came.",
    "form_failed": "Copies that broke their reader, a fault of the sensor: told as they came.",
}
"""What a copy may lack."""

REACHED: Mapping[str, str] = {
    "lines_refused": "Commands and mails refused, since a line of them was longer than is taken.",
    "headers_unread": "Header sections of copies and of their parts that were too long: their fields were not read.",
    "fields_unread": "Fields that name a type and were too long to be read: the part was taken for plain text.",
    "parts_left_out": "Copies and parts with more parts than are looked at.",
    "reports_too_long": "Texts too long to be read as a journal report.",
    "sent_on_in_one": "Journal reports of mail sent on to more than are told each in a mail of its own.",
}
"""Bounds that were reached: what ``Bounds.reached`` counts."""

COUNTERS: Mapping[str, str] = {
    "copies": "Copies taken in.",
    "copies_recorded": "Copies answered 250, their records written.",
    "copies_not_written": "Copies deferred, since their records could not be written.",
    "copies_late": "Copies deferred, since their records were not written in time. They may have been since.",
    "copies_failed": "Copies deferred for a fault of the sensor.",
    "mails_told": "Mails that the copies told of; a journal report may tell of several.",
    **{f"form_{form.name}": f"Copies of the form {form.name}: {form.meaning}" for form in FORMS},
    **PROBLEMS,
    **REACHED,
    "refused_peer": "Connections refused: not from a named peer.",
    "refused_sessions": "Connections refused: too many of one peer, or in all.",
    "refused_recipient": "Recipients refused: no address of the journal.",
    "refused_recipients": "Recipients refused: too many of one mail.",
    "refused_octets": "Mails refused: too much was being taken in.",
}
"""By name."""
