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

from sensor.taps.journal.limits import Bounds

_NO_CHARSETS = frozenset(("idna", "mbcs", "oem", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"))
"""What Python takes for character sets and no mail has. One takes time with the square of the text, others escape."""

_HEADER_END = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, slots=True)
class Entity:
    """A mail or a part of one: its header fields, and its body as it stands there. *bounds* are those it is read by."""

    header: Message
    body: memoryview
    bounds: Bounds

    @property
    def content_type(self) -> str:
        """Type and subtype in lower case; text/plain where none is named (RFC 2045 5.2)."""
        return self.header.get_content_type() if self.is_readable else "text/plain"

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
        named = str(self.header.get_param("charset", "utf-8")) if self.is_readable else "utf-8"
        charset = codecs.lookup(named).name
        return "utf-8" if charset.replace("_", "-") in _NO_CHARSETS else charset

    def parts(self) -> Iterator[Entity]:
        """The parts of a multipart (RFC 2046 5.1), as many as *bounds* has them; none of anything else."""
        boundary = self.header.get_boundary() if self.is_readable else None
        if self.header.get_content_maintype() != "multipart" or not boundary:
            return
        start: int | None = None
        for found, (before, after, is_last) in enumerate(_delimiters(self.body, boundary)):
            if start is not None:
                yield entity_of(self.body[start : max(start, before)], self.bounds)
            if is_last:
                return
            if found == self.bounds.parts:
                self.bounds.reached["parts_left_out"] += 1
                return
            start = after
        if start is not None:
            yield entity_of(self.body[start:], self.bounds)

    @property
    def is_readable(self) -> bool:
        """True if the field that names the type is one that may be read."""
        return len(str(self.header.get("content-type", ""))) <= self.bounds.field_octets


def leaves(entity: Entity, depth: int = 1) -> Iterator[Entity]:
    """The parts that are no multiparts themselves, as many of each level, and so many levels, as its bounds have."""
    for part in entity.parts():
        if not part.content_type.startswith("multipart/"):
            yield part
        elif depth < part.bounds.depth:
            yield from leaves(part, depth + 1)
        else:
            part.bounds.reached["parts_left_out"] += 1
            yield part


def entity_of(octets: bytes | memoryview, bounds: Bounds) -> Entity:
    """The entity that *octets* are. A header section that is too long, or has no end, has no fields."""
    view = memoryview(octets)
    if bytes(view[:2]) == b"\r\n" or bytes(view[:1]) == b"\n":
        return Entity(Message(), view[2 if bytes(view[:1]) == b"\r" else 1 :], bounds)
    end = _HEADER_END.search(view[: bounds.header_octets])
    if end is None:
        bounds.reached["headers_unread"] += len(view) > bounds.header_octets
        return Entity(Message(), view, bounds)
    entity = Entity(BytesHeaderParser().parsebytes(bytes(view[: end.end()])), view[end.end() :], bounds)
    bounds.reached["fields_unread"] += not entity.is_readable
    return entity


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
