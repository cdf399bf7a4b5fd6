"""BINARYMIME."""

from tests.builders import Capture, Dialogue, capture, message


def make() -> Capture:
    """See README.md."""
    head = message(fields=("Content-Type: application/octet-stream", "Content-Transfer-Encoding: binary"), body="")
    content = head + bytes(range(256)) * 12
    dialogue = Dialogue().greet().envelope("ann@a.example", params=" BODY=BINARYMIME").bdat(content, last=True).quit()
    return capture(dialogue.flow())
