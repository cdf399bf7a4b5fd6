"""XEXCH50 and its payload."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    blob = b"\x00\x01\r\n.\r\nQUIT\r\nMAIL FROM:<blob@a.example>\r\n" + bytes(range(256))
    dialogue = Dialogue().greet(extensions=("XEXCH50", "PIPELINING")).envelope()
    dialogue.c(f"XEXCH50 {len(blob)} 2").s("354 Send binary data").c_raw(blob).s("250 XEXCH50 OK").data().quit()
    return capture(dialogue.flow())
