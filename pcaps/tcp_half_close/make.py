"""The client closes its half before the server has answered."""

from tests.builders import FIN, Capture, Dialogue, capture, message, stuffed


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .greet()
        .c("MAIL FROM:<ann@a.example>", "RCPT TO:<bob@corp.example>", "DATA")
        .s("250 Ok", "250 Ok", "354 Go")
    )
    dialogue.c_raw(stuffed(message()) + b"QUIT\r\n").fin("c").s("250 2.0.0 Ok").s("221 Bye").fin("s")
    flow = dialogue.flow()
    last, fin = flow[b"QUIT"], flow.index("c.fin")
    del flow.segments[fin]
    return capture(flow.alter(b"QUIT", flags=last.flags | FIN))
