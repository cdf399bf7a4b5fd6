"""Where the running sensor saves: ``[store]``."""

from __future__ import annotations

from dataclasses import dataclass

from sensor.settings.checks import file, whole
from sensor.settings.section import Section


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """The file that `run` goes on from and saves to every ``checkpoint_s`` seconds; "" for none."""

    path: str = ""
    checkpoint_s: int = 5


STORE = Section("store", StoreSettings, {"path": file, "checkpoint_s": whole(1, 3_600)})
