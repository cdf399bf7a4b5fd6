"""Six layers inside each other."""

from tests.builders import Capture, Dialogue, capture, frames


def make() -> Capture:
    """See README.md."""
    return capture(
        Dialogue.plain().flow(),
        wrap=(
            frames.vlan(5),
            frames.vxlan(),
            frames.mpls(30),
            frames.vlan(7),
            frames.erspan(2),
            frames.vlan(8),
        ),
    )
