"""421 in the middle of the content."""

from tests.builders import Capture, Dialogue, capture, message


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .greet()
        .envelope()
        .c("DATA")
        .s("354 Go")
        .c_raw(message()[:120])
        .wait(300)
        .s("421 4.4.2 Timeout exceeded")
        .fin("s")
    )
    return capture(dialogue.flow())
