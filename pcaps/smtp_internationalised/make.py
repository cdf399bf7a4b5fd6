"""SMTPUTF8 addresses."""

from tests.builders import Capture, Dialogue, capture, message


def make() -> Capture:
    """See README.md."""
    content = message("Grüße 你好", sender="用户@例え.example", to="bøb@corp.example")
    dialogue = (
        Dialogue().greet().envelope("用户@例え.example", "bøb@corp.example", params=" SMTPUTF8").data(content).quit()
    )
    return capture(dialogue.flow())
