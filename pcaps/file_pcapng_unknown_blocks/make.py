"""Blocks and options that nobody knows, between the packets."""

from tests.builders import Capture, Dialogue, files, frames_of


def make() -> Capture:
    """See README.md."""
    made, kind = frames_of(Dialogue.plain().flow().segments), files.Interface()
    options = files.option(1, b"a comment") + files.option(0x7FFF, b"unknown") + files.option(0, b"")
    parts = [files.section(options=files.option(4, b"craft") + files.option(0, b"")), files.interface(kind)]
    for number, frame in enumerate(made):
        parts.append(files.block((4, 5, 0xBAD, 0x40000BAD, 0x0BADF00D)[number % 5], bytes(range(number % 11))))
        parts.append(files.enhanced(frame, 0, kind, options=options))
    return Capture(b"".join(parts), ".pcapng", Dialogue.plain().transcript())
