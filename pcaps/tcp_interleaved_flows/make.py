"""Twenty sessions at once."""

from tests.builders import Capture, Dialogue, Endpoint, capture


def make() -> Capture:
    """See README.md."""
    flows = [
        Dialogue()
        .greet(f"EHLO h{number}.example")
        .mail(number)
        .quit()
        .flow(client=Endpoint("192.0.2.10", 40000 + number), start_s=number / 10_000)
        for number in range(20)
    ]
    return capture(flows[0].beside(*flows[1:]))
