"""A header section in segments of one octet."""

from tests.builders import Capture, Dialogue, capture, message


def make() -> Capture:
    """See README.md."""
    head = ("Received: from x.example\r\n\tby y.example;\r\n\tThu, 01 Jan 2026 00:00:00 +0000",)
    content = message("=?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n =?utf-8?B?IGFu?=\r\n dich", fields=head)
    return capture(Dialogue().greet().envelope().data(content).quit().flow().cut_all(1))
