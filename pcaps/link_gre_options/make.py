"""GRE with checksum, key and sequence number."""

from tests.builders import Capture, Dialogue, capture, frames


def make() -> Capture:
    """See README.md."""
    return capture(Dialogue.plain().flow(), wrap=(frames.gre(key=0x01020304, sequence=77, checksummed=True),))
