"""LMTP: one final reply for each accepted recipient."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet("LHLO a.example").envelope("ann@a.example", "r1@corp.example", "r2@corp.example")
    dialogue.c("RCPT TO:<no@corp.example>").s("550 5.1.1 No").c("RCPT TO:<r3@corp.example>").s("250 Ok")
    dialogue.data(reply=None).s("250 2.0.0 <r1> Ok").s("552 5.2.2 <r2> Quota").s("250 2.0.0 <r3> Ok").quit()
    return capture(dialogue.flow(port=24))
