"""Tags inside each other beyond every limit."""

from tests.builders import Capture, Dialogue, Endpoint, files, frames, frames_of


def make() -> Capture:
    """See README.md."""
    deep = Dialogue().greet().mail(1).quit().flow()
    made = frames_of(deep.segments, tuple(frames.vlan(number) for number in range(1, 41)))
    beside = Dialogue().greet().mail(2).quit().flow(client=Endpoint("192.0.2.11", 40000))
    made += frames_of(beside.segments)
    return Capture(files.pcap(sorted(made)), story=deep.story() + "\n\n" + beside.story())
