"""Attachments, an attached message, and fields inside them."""

from tests.builders import Capture, Dialogue, capture, lines, message


def make() -> Capture:
    """See README.md."""
    parts = [
        lines("Content-Type: text/plain", "", "See attached."),
        lines(
            "Content-Type: application/pdf",
            "Content-Disposition: attachment; filename*=utf-8''B%C3%BCro.pdf",
            "Content-Transfer-Encoding: base64",
            "",
            "AAECAwQFBgcICQ==",
        ),
        lines("Content-Type: text/csv; name=a.csv", "Content-Transfer-Encoding: quoted-printable", "", "a=3Db,=", "c"),
        lines("Content-Type: message/rfc822", "") + message("inner", message_id="inner@x.example"),
    ]
    body = b"".join(lines("--b") + part for part in parts) + lines("--b--")
    dialogue = (
        Dialogue()
        .greet()
        .envelope()
        .data(message(fields=("Content-Type: multipart/mixed; boundary=b",), body=body))
        .quit()
    )
    return capture(dialogue.flow())
