"""
As much of a mail's structure as copies need: the header section, and the parts of the outermost multipart.

What the mail in a copy says is read by the core, as all mail is. This here only finds where that mail begins and ends,
in one pass, without copying it.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser

MAX_HEADER_OCTETS = 262_144
"""Of a header section. Exchange's own limit is 64 KB to 256 KB; what is longer has no fields that we could name."""
MAX_FIELD_OCTETS = 4_096
"""Of a field whose parameters are read: a boundary has 70 characters (RFC 2046 5.1.1), and reading is slow."""
MAX_PARTS = 64
"""A journal report has two or three parts; what is behind the last of these is not looked at."""
MAX_DEPTH = 3
"""Of multiparts in each other: a report has one, and each gateway that adds its words to mail may put one around it."""

_NO_CHARSETS = frozenset(("idna", "mbcs", "oem", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"))
"""What Python takes for character sets and no mail has. One takes time with the square of the text, others escape."""

_HEADER_END = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, slots=True)
class Entity:
    """A mail or a part of one: its header fields, and its body as it stands there."""

    header: Message
    body: memoryview

    @property
    def content_type(self) -> str:
        """Type and subtype in lower case; text/plain where none is named (RFC 2045 5.2)."""
        return self.header.get_content_type() if _is_short(self.header) else "text/plain"

    def value(self, name: str) -> str | None:
        """What the topmost field of that name says, unfolded; none where there is none."""
        value = self.header.get(name)
        return None if value is None else " ".join(str(value).split())

    def octets(self) -> bytes | memoryview:
        """The body, its transfer encoding undone. Raises ``ValueError`` where that can't be."""
        encoding = (self.value("content-transfer-encoding") or "").lower()
        if encoding == "base64":
            try:
                return base64.b64decode(bytes(self.body))
            except binascii.Error as error:
                raise ValueError(str(error)) from None
        return quopri.decodestring(bytes(self.body)) if encoding == "quoted-printable" else self.body

    def text(self) -> str:
        """
        The body as text. What its character set has not, or that is not known, is replaced. Raises ``ValueError`` as
        ``octets`` does.
        """
        octets = bytes(self.octets())
        try:
            text = octets.decode(self._charset(), "replace")
        except (LookupError, UnicodeError):
            text = octets.decode("utf-8", "replace")
        return text.removeprefix("\ufeff")

    def _charset(self) -> str:
        """By Python's own name. Raises ``LookupError`` for one that it does not know."""
        named = str(self.header.get_param("charset", "utf-8")) if _is_short(self.header) else "utf-8"
        charset = codecs.lookup(named).name
        return "utf-8" if charset.replace("_", "-") in _NO_CHARSETS else charset

    def parts(self) -> Iterator[Entity]:
        """The parts of a multipart (RFC 2046 5.1), at most ``MAX_PARTS``; none of anything else."""
        boundary = self.header.get_boundary() if _is_short(self.header) else None
        if self.header.get_content_maintype() != "multipart" or not boundary:
            return
        start: int | None = None
        for found, (before, after, is_last) in enumerate(_delimiters(self.body, boundary)):
            if start is not None:
                yield entity_of(self.body[start : max(start, before)])
            if is_last or found == MAX_PARTS:
                return
            start = after
        if start is not None:
            yield entity_of(self.body[start:])


def leaves(entity: Entity, depth: int = 0) -> Iterator[Entity]:
    """The parts that are no multiparts themselves, at most ``MAX_PARTS`` of each level, ``MAX_DEPTH`` levels deep."""
    for part in entity.parts():
        if depth + 1 < MAX_DEPTH and part.content_type.startswith("multipart/"):
            yield from leaves(part, depth + 1)
        else:
            yield part


def entity_of(octets: bytes | memoryview) -> Entity:
    """The entity that *octets* are. A header section that is too long, or has no end, has no fields."""
    view = memoryview(octets)
    if bytes(view[:2]) == b"\r\n" or bytes(view[:1]) == b"\n":
        return Entity(Message(), view[2 if bytes(view[:1]) == b"\r" else 1 :])
    end = _HEADER_END.search(view[:MAX_HEADER_OCTETS])
    if end is None:
        return Entity(Message(), view)
    return Entity(BytesHeaderParser().parsebytes(bytes(view[: end.end()])), view[end.end() :])


def _delimiters(body: memoryview, boundary: str) -> Iterator[tuple[int, int, bool]]:
    """Where each delimiter line begins, and what is behind it, and whether it is the last (RFC 2046 5.1.1)."""
    mark = re.escape(b"--" + boundary.encode("ascii", "surrogateescape"))
    # It begins with letters alone, which is searched for quickly.
    for found in re.finditer(mark + rb"(--)?[ \t]*(?=(\r?\n)|\Z)", body):
        led_by = bytes(body[max(0, found.start() - 2) : found.start()])
        if not led_by or led_by.endswith(b"\n"):
            # The line end before a delimiter belongs to it.
            line_end = 2 if led_by == b"\r\n" else min(1, len(led_by))
            yield found.start() - line_end, found.end() + len(found[2] or b""), found[1] is not None


def _is_short(header: Message) -> bool:
    return len(str(header.get("content-type", ""))) <= MAX_FIELD_OCTETS
