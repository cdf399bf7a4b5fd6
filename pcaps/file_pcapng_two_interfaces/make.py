"""Client and server captured on two interfaces with different link types and clocks."""

from tests.builders import Capture, Dialogue, files, frames, frames_of


def make() -> Capture:
    """See README.md."""
    segments = Dialogue.plain().flow(step_ms=10).segments
    kinds = {"c": files.Interface(1, 0x80 | 20, offset_s=3600), "s": files.Interface(101, 3)}
    parts = [files.section(), *(files.interface(kind) for kind in kinds.values())]
    for segment in segments:
        (frame,) = frames_of([segment], link=frames.ETHERNET if segment.side == "c" else frames.RAW)
        parts.append(files.enhanced(frame, "cs".index(segment.side), kinds[segment.side]))
    return Capture(b"".join(parts), ".pcapng", Dialogue.plain().transcript())
