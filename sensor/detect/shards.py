"""
Virtual shards: the keys of all detectors in 256 parts that can be moved from one worker to another.

A key's shard follows from the key alone, so every worker knows where it belongs; how many workers there are only says
who has which shards. What is moved is a list of entries: detector, key, blob.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

import msgspec

from sensor.detect.base import BlobError

SHARDS = 256
"""Enough that 32 workers differ in load by an eighth at most, few enough to list."""

Entry = tuple[str, str, bytes]
"""A detector's name, a key, and the blob that the detector keeps under it."""

_FORMAT = 1


def shard_of(key: str) -> int:
    """The shard, from 0 to ``SHARDS - 1``, that *key* lives in, whichever detector it is of."""
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=1).digest()[0]


def pack(entries: Iterable[Entry]) -> bytes:
    """A shard's entries as one blob. It is as large as they are: the bound is that on what a worker keeps."""
    return bytes((_FORMAT,)) + msgspec.msgpack.encode(list(entries))


def unpack(packed: bytes) -> list[Entry]:
    """The entries that ``pack`` was given. Raises ``BlobError`` for anything else."""
    if packed[:1] != bytes((_FORMAT,)):
        raise BlobError("not a packed shard of a known format")
    try:
        return msgspec.msgpack.decode(packed[1:], type=list[Entry])
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BlobError(f"a damaged shard: {error}") from error
