"""GENEVE with options."""

from tests.builders import Capture, Dialogue, capture, frames


def make() -> Capture:
    """See README.md."""
    return capture(
        Dialogue.plain().flow(),
        wrap=(frames.geneve(options=bytes.fromhex("010800010000000001080002000000000108000300000000")),),
    )
