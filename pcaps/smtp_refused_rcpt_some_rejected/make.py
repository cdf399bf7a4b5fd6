"""Some recipients refused."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .greet()
        .envelope("ann@a.example", "bob@corp.example")
        .c("RCPT TO:<no@corp.example>")
        .s("550 5.1.1 No such user")
        .data()
        .quit()
    )
    return capture(dialogue.flow())
