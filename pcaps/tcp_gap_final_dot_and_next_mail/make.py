"""The end of data and the next MAIL are lost together."""

from tests.builders import Capture, Dialogue, capture, message


def make() -> Capture:
    """See README.md."""
    return capture(
        Dialogue()
        .greet()
        .envelope("from1@a.example", "to1@corp.example")
        .c("DATA")
        .s("354 Go")
        .c_raw(message("Mail 1", sender="from1@a.example", to="to1@corp.example", message_id="1@a.example"))
        .c_raw(b".\r\n")
        .s("250 Ok")
        .mail(2)
        .quit()
        .flow()
        .lose(lambda segment: segment.payload == b".\r\n")
        .lose(b"MAIL FROM:<from2")
    )
