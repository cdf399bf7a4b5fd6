"""How a state stands in its row: text that SQLite can hold, a checksum and, in a sealed file, encrypted."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

from sensor.sealing import Seal


@dataclass(frozen=True, slots=True)
class Form:
    """
    The form of all rows of a file: clear without a *seal*, else key and blob encrypted with it.

    A row is kind, key, blob and the checksum of these three as they stand there.
    """

    seal: Seal | None = None

    def key(self, kind: str, key: str) -> str:
        """The key as it stands in the row."""
        return key if self.seal is None else self.seal.key(kind, key)

    def row(self, kind: str, key: str, blob: bytes) -> tuple[str, str, bytes, int]:
        """A state as its row."""
        if self.seal is not None:
            key, blob = self.seal.key(kind, key), self.seal.blob(kind, key, blob)
        return kind, key, blob, checksum_of(kind, key, blob)

    def opened_key(self, kind: str, key: str) -> str | None:
        """The key that stands in a row, as its owner knows it; none if it is damaged."""
        return key if self.seal is None else self.seal.opened_key(kind, key)

    def opened(self, kind: str, key: str, blob: object, checksum: object) -> tuple[str, bytes] | None:
        """Key and blob of a row, as their owner knows them; none if any part of the row is damaged."""
        if not isinstance(blob, bytes) or checksum != checksum_of(kind, key, blob):
            return None
        if self.seal is None:
            return key, blob
        plain = self.seal.opened_key(kind, key)
        opened = None if plain is None else self.seal.opened_blob(kind, plain, blob)
        return None if plain is None or opened is None else (plain, opened)


def storable(value: str) -> str:
    """*value* as SQLite can hold it: addresses on the wire may hold what no encoding of text has."""
    return value.encode("utf-8", "backslashreplace").decode()


def read_text(octets: bytes) -> str:
    """Text as it is read: a damaged one is to fail its checksum, not the whole reading."""
    return octets.decode("utf-8", "surrogateescape")


def as_read(text: str) -> bytes:
    """The octets that ``read_text`` made *text* of: a query finds what they stand for by CAST(? AS TEXT)."""
    return text.encode("utf-8", "surrogateescape")


def checksum_of(kind: str, key: str, blob: bytes) -> int:
    """CRC-32 of a row."""
    return crc32(blob, crc32(f"{kind}\0{key}\0".encode("utf-8", "backslashreplace")))
