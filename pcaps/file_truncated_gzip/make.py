"""A gzip file that ends early."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    packed = capture(
        Dialogue().greet().mail(1).quit().flow().then(Dialogue().greet().mail(2).quit().flow(isn=(9, 9)))
    ).gzipped(3)
    return packed.edited(packed.octets[:-40], "the file ends 40 octets early")
