"""Two tags, the outer of the old type 9100."""

from tests.builders import Capture, Dialogue, capture, frames


def make() -> Capture:
    """See README.md."""
    return capture(
        Dialogue.plain().flow(),
        wrap=(
            frames.vlan(100),
            frames.vlan(2000, 0x9100),
        ),
    )
