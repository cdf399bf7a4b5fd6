"""What the running sensor writes, and as whom it runs: ``[run]``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sensor.settings.checks import file, one_of, true_or_false, whole
from sensor.settings.section import Section


@dataclass(frozen=True, slots=True)
class RunSettings:
    """
    What `run` writes: files of records and of alerts, "" for none. ``drain_s`` bounds the time between SIGTERM and
    the last save.

    ``user`` and ``group`` are whom a process that is started by root becomes, "" for what the command chooses. A group
    is that of a user: who stays root can have none. With
    ``keep_net_raw`` it can open interfaces again that were removed and came back.
    """

    records: str = ""
    alerts: str = ""
    alerts_format: str = "jsonl"
    drain_s: int = 10
    user: str = ""
    group: str = ""
    keep_net_raw: bool = False

    @property
    def stays_root(self) -> bool:
        return self.user in ("root", "0")


def account(value: object) -> str:
    """The name or number of a user or a group."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not re.fullmatch(r"([A-Za-z_][A-Za-z0-9_.-]{0,31}|[0-9]{1,9})?", text):
        raise ValueError('must be a name such as "mailsensor", a number, or "" for none')
    return text


RUN = Section(
    "run",
    RunSettings,
    {
        "records": file,
        "alerts": file,
        "alerts_format": one_of("jsonl", "ocsf"),
        "drain_s": whole(1, 600),
        "user": account,
        "group": account,
        "keep_net_raw": true_or_false,
    },
)
