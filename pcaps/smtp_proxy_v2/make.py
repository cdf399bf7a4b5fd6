"""PROXY protocol, version 2."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    addresses = bytes([198, 51, 100, 77, 198, 51, 100, 25]) + (51234).to_bytes(2) + (25).to_bytes(2)
    tlv = b"\x04\x00\x03abc"
    header = b"\r\n\r\n\x00\r\nQUIT\n" + b"\x21\x11" + len(addresses + tlv).to_bytes(2) + addresses + tlv
    dialogue = Dialogue().c_raw(header).greet().envelope().data().quit()
    return capture(dialogue.flow())
