"""Events that wait for their turn, as a checkpoint keeps them: beside the states, each under a name of its own."""

from __future__ import annotations

import msgspec

from sensor.detect.base import BlobError
from sensor.detect.events import DetectorEvent

HELD = "held"
"""The name under which checkpoints keep waiting events, beside the detectors'."""

_FORMAT = 1


def held_name(stage: str, place: tuple[int, int]) -> str:
    """The key of the event that stands at *place* (``base.order``) in the queue of *stage*."""
    return f"{stage}/{place[0]}/{place[1]}"


def encode_held(stage: str, event: DetectorEvent) -> bytes:
    """*event*, and the stage that it waits in, as a blob."""
    return bytes((_FORMAT,)) + msgspec.msgpack.encode((stage, event))


def decode_held(blob: bytes) -> tuple[str, DetectorEvent]:
    """The stage and the event of a blob. Raises ``BlobError`` for anything else."""
    if blob[:1] != bytes((_FORMAT,)):
        raise BlobError("not a waiting event of a known format")
    try:
        return msgspec.msgpack.decode(blob[1:], type=tuple[str, DetectorEvent])
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BlobError(f"a damaged waiting event: {error}") from error
