"""NNTP."""

from tests.builders import Capture, Dialogue, capture, message, stuffed


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .s("200 news ready")
        .c("POST")
        .s("340 Send it")
        .c_raw(stuffed(message()))
        .s("240 Posted")
        .c("QUIT")
        .s("205 Bye")
    )
    return capture(dialogue.flow(port=119))
