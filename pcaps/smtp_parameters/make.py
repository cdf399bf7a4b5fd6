"""Every parameter of MAIL and RCPT."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .greet()
        .c("MAIL FROM:<ann@a.example> SIZE=12345 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=QQ+2B314159 AUTH=<> REQUIRETLS")
        .s("250 Ok")
        .c("RCPT TO:<bob@corp.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Bob+2Bx@corp.example")
        .s("250 Ok")
        .data()
        .quit()
    )
    return capture(dialogue.flow())
