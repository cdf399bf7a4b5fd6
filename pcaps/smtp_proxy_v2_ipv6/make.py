"""PROXY protocol, version 2, over IPv6."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    real = bytes.fromhex("20010db8000000000000000000000077")
    addresses = real + bytes.fromhex("20010db8000000000000000000000025") + (51234).to_bytes(2) + (25).to_bytes(2)
    header = b"\r\n\r\n\x00\r\nQUIT\n" + b"\x21\x21" + len(addresses).to_bytes(2) + addresses
    dialogue = Dialogue().c_raw(header).greet().envelope().data().quit()
    return capture(dialogue.flow())
