"""What of addresses is told: ``[privacy]``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sensor.settings.checks import file, one_of, true_or_false
from sensor.settings.section import Section


@dataclass(frozen=True, slots=True)
class PrivacySettings:
    """
    In mode "pseudonym" no address leaves the sensor in clear, and the store is sealed; domains that are
    ``clear_domains`` stay. Metrics name mailboxes by a pseudonym in both modes, unless ``clear_labels``.

    Pseudonyms are made with the newest key in ``key_file``.
    """

    mode: Literal["clear", "pseudonym"] = "clear"
    clear_domains: Literal["none", "internal", "all"] = "none"
    clear_labels: bool = False
    key_file: str = ""


PRIVACY = Section(
    "privacy",
    PrivacySettings,
    {
        "mode": one_of("clear", "pseudonym"),
        "clear_domains": one_of("none", "internal", "all"),
        "clear_labels": true_or_false,
        "key_file": file,
    },
)
