"""The second of three chunks is refused."""

from tests.builders import Capture, Dialogue, capture, lines, message


def make() -> Capture:
    """See README.md."""
    content = message()
    octets = lines("BDAT 60") + content[:60] + lines("BDAT 60") + content[60:120] + lines("BDAT 4 LAST") + b"end\n"
    dialogue = Dialogue().greet().envelope().c_raw(octets)
    dialogue.s("250 Ok").s("552 5.3.4 Too large").s("503 5.5.1 No transaction").c("RSET").s("250 Ok").mail(2).quit()
    return capture(dialogue.flow())
