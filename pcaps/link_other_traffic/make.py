"""ARP, spanning tree, LLDP, ICMP and UDP between the segments."""

from tests.builders import Capture, Dialogue, files, frames, frames_of


def make() -> Capture:
    """See README.md."""
    flow = Dialogue.plain().flow()
    made = frames_of(flow.segments)
    mac = bytes.fromhex("ffffffffffff02005e000001")
    noise = [
        mac + bytes.fromhex("0806") + bytes(46),
        mac + bytes.fromhex("0026424203") + bytes(47),
        mac + bytes.fromhex("88cc") + bytes(50),
        frames.ETHERNET.frame(frames.ip("192.0.2.1", "192.0.2.2", 1, bytes(32))),
        frames.ETHERNET.frame(frames.ip("2001:db8::1", "2001:db8::2", 17, bytes(32))),
    ]
    made += [
        frames.Frame(frame.at_ns + 1, 1, noise[place % 5], len(noise[place % 5])) for place, frame in enumerate(made)
    ]
    return Capture(files.pcap(sorted(made)), story=flow.story())
