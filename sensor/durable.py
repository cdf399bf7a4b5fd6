"""What it takes for a file to be there after a power cut."""

from __future__ import annotations

import os


def sync_folder(path: str) -> None:
    """A file at *path* that was made or renamed is there again when its folder was synced. Raises ``OSError``."""
    folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
