"""PROXY protocol, version 2, LOCAL."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    header = b"\r\n\r\n\x00\r\nQUIT\n" + b"\x20\x00\x00\x00"
    dialogue = Dialogue().c_raw(header).greet().envelope().data().quit()
    return capture(dialogue.flow())
