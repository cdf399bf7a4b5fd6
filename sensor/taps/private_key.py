"""The key of a certificate that a tap shows: not for everybody on the machine to read."""

from __future__ import annotations

import errno
import os
import stat


def check_private_key(path: str) -> None:
    """Raises ``OSError`` where the file is not there, or is for everybody to read or write; it says what to do."""
    mode = os.stat(path).st_mode
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        why = f"everybody may read or write this key (mode {stat.S_IMODE(mode):04o}); chmod o-rw {path}"
        raise OSError(errno.EACCES, why, path)
