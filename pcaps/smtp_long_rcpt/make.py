"""A RCPT line beyond the limit in an envelope."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue().greet().envelope().c("RCPT TO:<cy@corp.example> XLONG=" + "x" * 20_000).s("250 Ok").data().quit()
    )
    return capture(dialogue.flow())
