"""One of two RCPT commands is lost."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    return capture(
        Dialogue()
        .greet()
        .envelope("ann@a.example", "lost@corp.example")
        .c("RCPT TO:<no@corp.example>")
        .s("550 No")
        .data()
        .quit()
        .flow()
        .lose(b"RCPT TO:<lost")
    )
