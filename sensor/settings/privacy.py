"""What of addresses is told: ``[privacy]``."""

from __future__ import annotations

from dataclasses import dataclass

from sensor.settings.checks import file, true_or_false
from sensor.settings.section import Section


@dataclass(frozen=True, slots=True)
class PrivacySettings:
    """Metrics name mailboxes by a pseudonym made with the key in ``key_file``, unless ``clear_labels``."""

    clear_labels: bool = False
    key_file: str = ""


PRIVACY = Section("privacy", PrivacySettings, {"clear_labels": true_or_false, "key_file": file})
