"""The span shows replies before the commands they answer."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().c("MAIL FROM:<ann@a.example>").s("250 Ok")
    dialogue.c("RCPT TO:<bob@corp.example>").s("250 Ok").c("RCPT TO:<no@corp.example>").s("550 5.1.1 No such user")
    flow = dialogue.data().quit().flow()
    for number in range(1, 8):
        flow.move(f"s{number + 1}", before=f"c{number}")
    return capture(flow)
