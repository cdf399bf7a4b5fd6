"""XEXCH50 refused."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .greet(extensions=("XEXCH50",))
        .envelope()
        .c("XEXCH50 300 2")
        .s("504 5.7.0 Need to authenticate")
        .data()
        .quit()
    )
    return capture(dialogue.flow())
