"""BDAT replies of several lines."""

from tests.builders import Capture, Dialogue, capture, message


def make() -> Capture:
    """See README.md."""
    content = message()
    dialogue = (
        Dialogue()
        .greet()
        .envelope()
        .bdat(content[:10], reply=None)
        .s("250-2.0.0 one", "250-2.0.0 two", "250 2.0.0 three")
    )
    dialogue.bdat(content[10:], last=True, reply=None).s("250-2.6.0 <1@a.example>", "250 2.6.0 Queued").mail(2).quit()
    return capture(dialogue.flow())
