"""Random mails with the truth about them, written here octet by octet, so that no library's idea of MIME is in them."""

from __future__ import annotations

import base64
import quopri
from dataclasses import dataclass, field
from string import ascii_letters, digits

from hypothesis import strategies as st

from tests.craft.dialogue import lines

LOCALS = st.text(ascii_letters + digits + ".+=_-/", min_size=1, max_size=12).map(lambda text: text.strip(".") or "x")
LOCAL_PARTS = LOCALS.map(lambda text: ".".join(part for part in text.split(".") if part))
DOMAINS = st.sampled_from(["corp.example", "a.example", "mail.b.example", "dst.example", "partner.example"])
ADDRESSES = st.builds("{}@{}".format, LOCAL_PARTS, DOMAINS)
WORDS = st.text(ascii_letters + digits + "äöüßéñ中文ж✓", min_size=1, max_size=10)
SUBJECTS = st.lists(WORDS, min_size=1, max_size=6).map(" ".join)
FILE_NAMES = st.builds("{}.{}".format, WORDS, st.sampled_from(["pdf", "zip", "txt", "mbox"]))
BODY_LINES = st.one_of(
    st.text(ascii_letters + digits + " .,:;-", max_size=90),
    st.sampled_from(
        [".", "..", ".hidden", "", "QUIT", "MAIL FROM:<x@y.example>", "RSET", "250 Ok", "--", "From me", "DATA"]
    ),
)
"""Lines that a careless reader takes for dialogue are frequent on purpose."""


@dataclass
class Mail:
    """One mail: its content with CRLF line ends, and what is true of it (keys as in `pcaps/CASES.md`)."""

    content: bytes
    truth: dict[str, object]


@dataclass
class _Part:
    """A MIME entity: its own header lines, its octets, the attachments in it."""

    head: list[str]
    octets: bytes
    attachments: list[dict[str, object]] = field(default_factory=list)


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """A body in 7-bit lines."""
    return lines(*draw(st.lists(BODY_LINES, max_size=12)))


@st.composite
def attachments(draw: st.DrawFn) -> _Part:
    """A leaf with a file name, in base64, quoted-printable or as it is."""
    name, kind = draw(FILE_NAMES), draw(st.sampled_from(["application/pdf", "application/octet-stream", "image/png"]))
    octets = draw(st.binary(max_size=300))
    coding = draw(st.sampled_from(["base64", "quoted-printable", "7bit"]))
    if coding == "7bit":
        octets = draw(texts())
    encoded = {"base64": _base64, "quoted-printable": _quoted_printable}.get(coding, bytes)(octets)
    disposition = f"Content-Disposition: attachment;\r\n filename{_parameter(name, draw(st.booleans()))}"
    size = len(octets)
    told: dict[str, object] = {"filename": name, "content_type": kind, "size_octets": size}
    return _Part([f"Content-Type: {kind}", disposition, f"Content-Transfer-Encoding: {coding}"], encoded, [told])


@st.composite
def attached_messages(draw: st.DrawFn) -> _Part:
    """A message/rfc822 part, whose inner header is not the mail's."""
    inner = lines(
        f"From: {draw(ADDRESSES)}", "Subject: inner", f"Message-ID: <inner.{draw(LOCAL_PARTS)}@x.example>", ""
    )
    inner += draw(texts())
    told: dict[str, object] = {"filename": None, "content_type": "message/rfc822", "size_octets": len(inner)}
    return _Part(["Content-Type: message/rfc822"], inner, [told])


def _multipart(children: list[_Part], subtype: str, boundary: str) -> _Part:
    octets = b"This is a multi-part message.\r\n"
    for child in children:
        octets += lines(f"--{boundary}", *child.head, "") + child.octets + b"\r\n"
    octets += lines(f"--{boundary}--")
    told = [one for child in children for one in child.attachments]
    return _Part([f'Content-Type: multipart/{subtype}; boundary="{boundary}"'], octets, told)


@st.composite
def parts(draw: st.DrawFn, depth: int = 0) -> _Part:
    """A text, or a multipart of texts, attachments, attached messages and further multiparts."""
    if depth == 2 or draw(st.booleans()):
        charset = draw(st.sampled_from(["", "; charset=utf-8", "; charset=us-ascii"]))
        return _Part([f"Content-Type: text/plain{charset}"], draw(texts()))
    kinds = st.one_of(parts(depth + 1), attachments(), attached_messages())
    children = draw(st.lists(kinds, min_size=1, max_size=3))
    mark = draw(st.text(ascii_letters + digits, min_size=8, max_size=16))
    return _multipart(children, draw(st.sampled_from(["mixed", "alternative", "related"])), f"=_{depth}{mark}")


@st.composite
def mails(draw: st.DrawFn) -> Mail:
    """A mail with header oddities that are legal: folding, odd case, encoded-words, comments, a Received chain."""
    sender, recipients = draw(ADDRESSES), draw(st.lists(ADDRESSES, min_size=1, max_size=3))
    subject, message_id = draw(SUBJECTS), f"{draw(LOCAL_PARTS)}@{draw(DOMAINS)}"
    fold = draw(st.sampled_from([" ", "\r\n ", "\r\n\t"]))
    named = draw(
        st.sampled_from(["From: {}", "from: <{}>", 'From: "Ann, of A" <{}>', "FROM: Ann (Comment <no@c.example>) <{}>"])
    )
    head = [
        f"Received: from h{place}.example by i.example;{fold}Thu, 01 Jan 2026 00:00:00 +0000"
        for place in range(draw(st.integers(0, 3)))
    ]
    fields = [
        named.format(sender),
        f"To:{fold}" + f",{fold}".join(recipients),
        f"Subject:{fold}{_subject(subject, draw(st.booleans()))}",
        f"Message-ID:{fold}<{message_id}>",
        "MIME-Version: 1.0",
    ]
    root = draw(parts())
    content = lines(*head, *draw(st.permutations(fields)), *root.head, "") + root.octets
    truth: dict[str, object] = {"subject": subject, "message_id": message_id, "from": [sender], "to": recipients}
    return Mail(content, truth | {"attachments": root.attachments, "size_octets": len(content)})


def _subject(text: str, base_64: bool) -> str:
    """RFC 2047: as it is where it is ASCII, else one encoded-word a word, with the blanks inside the words."""
    if text.isascii():
        return text
    words = [word if place == 0 else f" {word}" for place, word in enumerate(text.split(" "))]
    return "\r\n ".join(_encoded_word(word.encode(), base_64) for word in words)


def _encoded_word(octets: bytes, base_64: bool) -> str:
    if base_64:
        return f"=?utf-8?B?{base64.b64encode(octets).decode()}?="
    return "=?UTF-8?q?" + "".join("_" if octet == 32 else f"={octet:02X}" for octet in octets) + "?="


def _parameter(text: str, quoted: bool) -> str:
    """A parameter's value: plain, or by RFC 2231 where it is not ASCII."""
    if text.isascii():
        return f'="{text}"' if quoted else f"={text}"
    return "*=utf-8''" + "".join(f"%{octet:02X}" for octet in text.encode())


def _base64(octets: bytes) -> bytes:
    return base64.encodebytes(octets).replace(b"\n", b"\r\n")


def _quoted_printable(octets: bytes) -> bytes:
    # As binary: line ends are encoded too, so that what comes back is what went in.
    encoded = quopri.encodestring(octets.replace(b"\n", b"\0LF\0"), quotetabs=True)
    return encoded.replace(b"=00LF=00", b"=0A").replace(b"\n", b"\r\n")
