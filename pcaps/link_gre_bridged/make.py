"""A whole Ethernet frame in GRE."""

from tests.builders import Capture, Dialogue, capture, frames


def make() -> Capture:
    """See README.md."""
    return capture(
        Dialogue.plain().flow(),
        wrap=(
            frames.vlan(5),
            frames.bridged,
            frames.gre(key=9),
        ),
    )
