"""A ClientHello cut into many segments."""

from tests.builders import Capture, Dialogue, capture, tls


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .greet()
        .c("STARTTLS")
        .s("220 Go")
        .c_raw(tls.client_hello("mx.corp.example"))
        .s_raw(tls.server_hello() + tls.application_data(900))
        .c_raw(tls.application_data(700))
        .s_raw(tls.application_data(80))
    )
    return capture(dialogue.flow(mss=5))
