"""
Pseudonyms: names for addresses that stay the same under one key, and that nobody finds the address of without it.

The key is 32 octets in a file of its own, readable by its owner alone. Without a file a key is made for the life of
the process: names then change at each start.
"""

from __future__ import annotations

import os
import secrets
import stat
from hashlib import blake2b

from sensor.errors import UserError

KEY_OCTETS = 32
_LEAST_OCTETS = 16


class KeyFileError(UserError):
    """A key file can't be used; the message says why and what to do."""


class Pseudonyms:
    """Names addresses under *key*."""

    def __init__(self, key: bytes) -> None:
        # BLAKE2b takes keys of up to 64 octets; what is longer is digested first.
        self._key = key if len(key) <= blake2b.MAX_KEY_SIZE else blake2b(key).digest()

    def name(self, address: str) -> str:
        """``m-`` and 16 hex digits: of a million mailboxes, two share a name once in 37 million organisations."""
        digest = blake2b(address.encode("utf-8", "surrogatepass"), digest_size=8, key=self._key)
        return f"m-{digest.hexdigest()}"


def key_from(path: str) -> bytes:
    """
    The key in the file at *path*, which is made, mode 0600, if it is not there; with no path, a key of the moment.

    Raises ``KeyFileError`` for a file that others can read, or that holds too little.
    """
    if not path:
        return secrets.token_bytes(KEY_OCTETS)
    try:
        _make(path)
        with open(path, "rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                raise KeyFileError(f"{path}: others can read this key (mode {mode:04o}); chmod 600 {path}")
            key = file.read(4096).strip()
    except OSError as error:
        raise KeyFileError(f"{path}: key file not read: {error.strerror}") from None
    if len(key) < _LEAST_OCTETS:
        raise KeyFileError(f"{path}: holds {len(key)} octets; a key has at least {_LEAST_OCTETS}")
    return key


def _make(path: str) -> None:
    """Make a key file where there is none."""
    try:
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return
    with os.fdopen(made, "wb") as file:
        # In hex, so that an editor or a secret store does not change it.
        file.write(secrets.token_hex(KEY_OCTETS).encode() + b"\n")
