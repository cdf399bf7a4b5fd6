"""SSH."""

from tests.builders import Capture, Dialogue, capture, tls


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .s("SSH-2.0-OpenSSH_9.2")
        .c("SSH-2.0-OpenSSH_9.2")
        .c_raw(tls.application_data(800))
        .s_raw(tls.application_data(800))
    )
    return capture(dialogue.flow(port=22))
