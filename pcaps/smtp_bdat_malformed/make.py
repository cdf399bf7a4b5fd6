"""BDAT with a size that is no number."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .greet()
        .envelope()
        .c("BDAT many LAST")
        .s("501 5.5.4 Syntax")
        .c("BDAT 99999999999999999999")
        .s("501 5.5.4 Syntax")
        .data()
        .quit()
    )
    return capture(dialogue.flow())
