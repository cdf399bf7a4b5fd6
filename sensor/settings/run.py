"""What the running sensor writes: ``[run]``."""

from __future__ import annotations

from dataclasses import dataclass

from sensor.settings.checks import file, one_of, whole
from sensor.settings.section import Section


@dataclass(frozen=True, slots=True)
class RunSettings:
    """
    What `run` writes: files of records and of alerts, "" for none. ``drain_s`` bounds the time between SIGTERM and
    the last save.
    """

    records: str = ""
    alerts: str = ""
    alerts_format: str = "jsonl"
    drain_s: int = 10


RUN = Section(
    "run",
    RunSettings,
    {
        "records": file,
        "alerts": file,
        "alerts_format": one_of("jsonl", "ocsf"),
        "drain_s": whole(1, 600),
    },
)
