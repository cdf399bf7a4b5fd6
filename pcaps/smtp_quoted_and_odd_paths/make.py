"""Paths that a simple pattern does not match."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().c('MAIL FROM:<"ann smith@home"@A.Example>').s("250 Ok")
    dialogue.c("RCPT TO:<@relay.example,@b.example:bob@CORP.Example>").s("250 Ok").c("RCPT TO: <cy@corp.example>").s(
        "250 Ok"
    )
    dialogue.c("rcpt to:dee@corp.example").s("250 Ok").c("RCPT TO:<Postmaster>").s("250 Ok").data().quit()
    return capture(dialogue.flow())
