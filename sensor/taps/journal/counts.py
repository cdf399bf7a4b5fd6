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

COUNTERS: Mapping[str, str] = {
    "copies": "Copies taken in.",
    "copies_recorded": "Copies answered 250, their records written.",
    "copies_not_written": "Copies deferred, since their records could not be written.",
    "copies_late": "Copies deferred, since their records were not written in time. They may have been since.",
    "copies_failed": "Copies deferred for a fault of the sensor.",
    "mails_told": "Mails that the copies told of; a journal report may tell of several.",
    **{f"form_{form.name}": f"Copies of the form {form.name}: {form.meaning}" for form in FORMS},
    **PROBLEMS,
    "refused_peer": "Connections refused: not from a named peer.",
    "refused_sessions": "Connections refused: too many of one peer, or in all.",
    "refused_recipient": "Recipients refused: no address of the journal.",
    "refused_recipients": "Recipients refused: too many of one mail.",
    "refused_octets": "Mails refused: too much was being taken in.",
}
"""By name."""
