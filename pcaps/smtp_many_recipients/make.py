"""Three hundred recipients, pipelined in bursts of fifty."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().c("MAIL FROM:<ann@a.example>").s("250 Ok")
    for start in range(0, 300, 50):
        dialogue.c(*(f"RCPT TO:<r{number}@corp.example>" for number in range(start, start + 50)))
        dialogue.s(*("550 5.1.1 No" if number % 3 == 0 else "250 Ok" for number in range(start, start + 50)))
    dialogue.data().quit()
    return capture(dialogue.flow())
