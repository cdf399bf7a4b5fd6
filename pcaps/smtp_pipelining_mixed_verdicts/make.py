"""A pipelined envelope whose recipients are answered differently."""

from tests.builders import Capture, Dialogue, capture, message, stuffed


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet()
    dialogue.c("MAIL FROM:<ann@a.example>", *(f"RCPT TO:<r{number}@corp.example>" for number in range(1, 5)), "DATA")
    dialogue.s(
        "250 2.1.0 Ok",
        "250 2.1.5 Ok",
        "550 5.1.1 No such user",
        "452 4.2.2 Mailbox full",
        "251 2.1.5 Will forward",
        "354 Go",
    )
    dialogue.c_raw(stuffed(message())).s("250 2.0.0 Ok").quit()
    return capture(dialogue.flow())
