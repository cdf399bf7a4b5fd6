"""Where the running sensor takes captures from: ``[capture]``."""

from __future__ import annotations

from dataclasses import dataclass

from sensor.settings.checks import files, folder, whole
from sensor.settings.section import Section


@dataclass(frozen=True, slots=True)
class CaptureSettings:
    """
    Where `run` takes mail from beside interfaces: capture files read once, a folder that captures are put into.

    A file in the folder is read when nobody has written to it for ``settle_s`` seconds.
    """

    files: tuple[str, ...] = ()
    folder: str = ""
    settle_s: int = 10


CAPTURE = Section("capture", CaptureSettings, {"files": files, "folder": folder, "settle_s": whole(0, 3_600)})
