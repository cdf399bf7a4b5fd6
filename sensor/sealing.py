"""
Sealing: what is kept on disk so that nobody reads it without the key.

Each state is encrypted by itself, its key as well, with AES-256-SIV (RFC 5297): the same state is sealed the same, so
a row can be found by its key. Kind and key are bound to the blob: a blob can't be moved to another row. What stays
visible are the kinds, how many states there are of each, their sizes, and the day on which each was saved.
"""

from __future__ import annotations

from base64 import b32decode, b32encode

from sensor.pseudonym import Key, KeyRing


class Seal:
    """Seals with one *key*."""

    def __init__(self, key: Key) -> None:
        self.key_id = key.id
        self._key = key

    def key(self, kind: str, key: str) -> str:
        """The key of a state as it is kept."""
        # An octet before it, since the cipher takes no empty text.
        return b32encode(self._key.sealed(b"\0" + key.encode(), _about_key(kind))).decode()

    def opened_key(self, kind: str, sealed: str) -> str | None:
        """The key again; none if it was not sealed so."""
        try:
            octets = self._key.opened(b32decode(sealed), _about_key(kind))
        except ValueError:  # no base32
            return None
        return None if octets is None else octets[1:].decode()

    def blob(self, kind: str, key: str, blob: bytes) -> bytes:
        """A state as it is kept."""
        return self._key.sealed(blob, _about_blob(kind, key))

    def opened_blob(self, kind: str, key: str, sealed: bytes) -> bytes | None:
        """The state again; none if it was not sealed so."""
        return self._key.opened(sealed, _about_blob(kind, key))


def _about_key(kind: str) -> list[bytes]:
    return [b"key of a state", kind.encode()]


def _about_blob(kind: str, key: str) -> list[bytes]:
    return [b"state", kind.encode(), b"\0" + key.encode()]


def seal_of(keys: KeyRing, key_id: str) -> Seal | None:
    """The seal made with the key of that id, if it is at hand."""
    key = keys.get(key_id)
    return None if key is None else Seal(key)
