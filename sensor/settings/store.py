"""Where the running sensor saves, and for how long: ``[store]``."""

from __future__ import annotations

from dataclasses import dataclass

from sensor.settings.checks import file, whole
from sensor.settings.section import Section


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """
    The file that `run` goes on from and saves to every ``checkpoint_s`` seconds; "" for none.

    What nothing happened to for ``keep_days`` days is deleted, 0 for never: from the file, and of the files of records
    and alerts those moved aside. Those of `[run]` are moved aside at ``rotate_octets``, and in ``keep_days`` several
    times; ``keep_files`` of each are kept. With 0 octets and 0 days they are logrotate's business.
    """

    path: str = ""
    checkpoint_s: int = 5
    keep_days: int = 0
    rotate_octets: int = 0
    keep_files: int = 8


STORE = Section(
    "store",
    StoreSettings,
    {
        "path": file,
        "checkpoint_s": whole(1, 3_600),
        "keep_days": whole(0, 36_500),
        "rotate_octets": whole(0, 2**40),
        "keep_files": whole(1, 1_000),
    },
)
