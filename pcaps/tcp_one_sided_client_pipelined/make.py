"""Only the client is mirrored, and it pipelines."""

from tests.builders import Capture, Dialogue, capture, message, stuffed


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet()
    for number in (1, 2):
        content = stuffed(message(f"Mail {number}", message_id=f"{number}@a.example"))
        dialogue.c(f"MAIL FROM:<from{number}@a.example>", f"RCPT TO:<to{number}@corp.example>", "DATA").s(
            "250 Ok", "250 Ok", "354 Go"
        )
        dialogue.c_raw(content).s("250 Ok")
    return capture(dialogue.quit().flow().only("c"))
