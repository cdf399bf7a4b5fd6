"""Blocks and options that nobody knows, between the packets."""

from tests.builders import Capture, Dialogue, files, frames_of


def make() -> Capture:
    """See README.md."""
    made, kind = frames_of(Dialogue.plain().flow().segments), files.Interface()
    options = files.option(1, b"a comment") + files.option(0x7FFF, b"unknown") + files.option(0, b"")
    between = [
        files.block(4, files.option(0, b"")),  # name resolution, without a name
        files.block(5, bytes(12)),  # interface statistics
        files.block(0xBAD, bytes(range(7))),  # custom, to be copied
        files.block(0x40000BAD, bytes(range(9))),  # custom, not to be copied
        files.block(0x0BADF00D, bytes(range(10))),  # unknown
        files.block(0x0000000A, files.option(0, b"") * 3),  # decryption secrets
    ]
    parts = [files.section(options=files.option(4, b"craft") + files.option(0, b"")), files.interface(kind)]
    for number, frame in enumerate(made):
        parts.append(between[number % len(between)])
        parts.append(files.enhanced(frame, 0, kind, options=options))
    return Capture(b"".join(parts), ".pcapng", Dialogue.plain().transcript())
