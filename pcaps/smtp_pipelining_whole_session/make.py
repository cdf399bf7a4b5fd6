"""Everything up to QUIT in two segments."""

from tests.builders import Capture, Dialogue, capture, lines, message, stuffed


def make() -> Capture:
    """See README.md."""
    content = [stuffed(message(f"Mail {number}", message_id=f"{number}@a.example")) for number in (1, 2)]
    envelopes = [lines(f"MAIL FROM:<from{n}@a.example>", f"RCPT TO:<to{n}@corp.example>", "DATA") for n in (1, 2)]
    dialogue = Dialogue().greet().c_raw(envelopes[0]).s("250 Ok", "250 Ok", "354 Go")
    dialogue.c_raw(content[0] + envelopes[1]).s("250 Ok").s("250 Ok", "250 Ok", "354 Go")
    dialogue.c_raw(content[1] + b"QUIT\r\n").s("250 Ok").s("221 Bye")
    return capture(dialogue.flow())
