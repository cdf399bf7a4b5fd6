"""The STARTTLS command is lost."""

from tests.builders import Capture, Dialogue, capture, tls


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().c("STARTTLS").s("220 Go").c_raw(tls.client_hello("mx.corp.example"))
    dialogue.s_raw(tls.server_hello() + tls.application_data(900)).c_raw(tls.application_data(700))
    return capture(dialogue.flow().lose(b"STARTTLS"))
