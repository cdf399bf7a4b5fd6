"""Room on the disks that are written to."""

from __future__ import annotations

import os
from collections.abc import Iterator

from sensor.check.base import Check, Line, Subject, fail, ok, warn
from sensor.check.facts import in_words, nearest_folder
from sensor.check.files import written

_LEAST, _LITTLE = 64 << 20, 1 << 30
"""Less than the first, and a save of a large organisation may not fit; less than the second does not last."""


def _look(subject: Subject) -> Iterator[Line]:
    folders = dict.fromkeys(nearest_folder(path) for _, path in written(subject.settings) if path and path != "-")
    for folder in folders:
        yield _room(folder)
    alerts = subject.settings.alerts
    if alerts.spool_dir:
        wanted = alerts.spool_octets * max(1, len(alerts.sinks))
        free = _free(nearest_folder(os.path.join(alerts.spool_dir, "x")))
        if wanted > free:
            yield warn(
                "alerts.spool_octets",
                f"spools may grow to {in_words(wanted)}, and {in_words(free)} are free",
                "make room, or spools smaller",
            )


def _room(folder: str) -> Line:
    free = _free(folder)
    if free < _LEAST:
        return fail(folder, f"{in_words(free)} are free: a save may not fit", "make room")
    if free < _LITTLE:
        return warn(folder, f"{in_words(free)} are free", "make room, or have records moved away (logrotate)")
    return ok(folder, f"{in_words(free)} are free")


def _free(folder: str) -> int:
    """Octets for those who are not root."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


DISK = Check("disk", "room on disks that are written to", _look)
