"""Envelope and chunks in one go."""

from tests.builders import Capture, Dialogue, capture, lines, message


def make() -> Capture:
    """See README.md."""
    content = message()
    chunks = [content[:50], content[50:51], content[51:]]
    octets = (
        lines("MAIL FROM:<ann@a.example>", "RCPT TO:<bob@corp.example>")
        + lines("BDAT 50")
        + chunks[0]
        + lines("BDAT 1")
    )
    octets += chunks[1] + lines(f"BDAT {len(chunks[2])} LAST") + chunks[2] + lines("QUIT")
    dialogue = (
        Dialogue()
        .greet()
        .c_raw(octets)
        .s("250 Ok", "250 Ok", "250 50 octets", "250 1 octet", "250 2.0.0 Ok", "221 Bye")
    )
    return capture(dialogue.flow())
