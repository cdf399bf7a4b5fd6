"""What the replay of captures tells: ``[replay]``."""

from __future__ import annotations

from dataclasses import dataclass

from sensor.settings.checks import whole
from sensor.settings.section import Section


@dataclass(frozen=True, slots=True)
class ReplaySettings:
    """``top_mailboxes`` is how many mailboxes the summary names before it says "and N more"."""

    top_mailboxes: int = 20


REPLAY = Section("replay", ReplaySettings, {"top_mailboxes": whole(1, 1_000_000)})
