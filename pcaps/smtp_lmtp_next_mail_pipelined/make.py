"""LMTP: the next envelope follows before the final replies."""

from tests.builders import Capture, Dialogue, capture, lines, message, stuffed


def make() -> Capture:
    """See README.md."""

    def envelope(number: int) -> bytes:
        return lines(
            f"MAIL FROM:<from{number}@a.example>",
            f"RCPT TO:<x{number}@corp.example>",
            f"RCPT TO:<y{number}@corp.example>",
            "DATA",
        )

    def content(number: int) -> bytes:
        return stuffed(message(f"Mail {number}", message_id=f"{number}@a.example"))

    dialogue = Dialogue().greet("LHLO a.example").c_raw(envelope(1)).s("250 Ok", "250 Ok", "250 Ok", "354 Go")
    dialogue.c_raw(content(1) + envelope(2)).s("250 x1", "452 y1", "250 Ok", "250 Ok", "550 No", "354 Go").c_raw(
        content(2)
    ).s("250 x2").quit()
    return capture(dialogue.flow(port=24))
