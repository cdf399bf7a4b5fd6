r"""
Markup made of elements, so that text is escaped because it is text and not because somebody thought of it.

A ``str`` among an element's children or attributes is escaped; only ``Markup`` goes in as it is, and only the
functions here make it. Escaped twice over: what HTML would read as markup, and what would draw otherwise than it
reads (control characters, bidi overrides, heaps of combining marks), which is shown as an escape like ``\u202e``.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterable

from sensor.log import printable

MAX_MARKS = 3
"""Combining marks in a row that are drawn: enough for every living script; more would cover the lines around."""

_VOID = frozenset(("meta", "br"))


class Markup(str):
    """Finished markup."""

    __slots__ = ()


Child = Markup | str | None
Value = str | int | bool | None


def element(name: str, /, *children: Child, **attributes: Value) -> Markup:
    """
    An element. Children that are none are left out, and so are attributes that are none or false.

    A trailing underscore of an attribute's name is dropped, others become hyphens: ``class_``, ``aria_label``.
    """
    start = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Markup(f"<{name}{start}>")
    return Markup(f"<{name}{start}>{joined(children)}</{name}>")


def joined(children: Iterable[Child]) -> Markup:
    """Children one after the other."""
    return Markup("".join(child if isinstance(child, Markup) else escaped(child) for child in children if child))


def lines(children: Iterable[Markup]) -> Markup:
    """Elements one a line, so that two reports can be compared line by line."""
    return Markup("\n".join(children))


def spread(children: Iterable[Markup]) -> Markup:
    """Elements as a list in a sentence."""
    return Markup(", ".join(children))


def raw(text: str) -> Markup:
    """Text of our own that is not to be escaped, like a style sheet."""
    return Markup(text)


def escaped(text: str) -> str:
    """Text that reads as it is drawn, with what HTML would take for markup as character references."""
    return html.escape(plain(text))


def plain(text: str) -> str:
    """Text with everything escaped that draws nothing, moves or covers other text."""
    text = printable(text)
    if text.isascii():
        return text
    drawn: list[str] = []
    marks = 0
    for each in text:
        marks = marks + 1 if unicodedata.category(each) in ("Mn", "Me") else 0
        drawn.append(each if marks <= MAX_MARKS else ascii(each)[1:-1])
    return "".join(drawn)


def quoted(text: str, most: int = 0) -> Markup:
    """
    Text of a mail: kept apart from what stands around it, and laid out from left to right whatever script it is in.

    An address that begins with a Hebrew letter would otherwise be drawn with its domain in front. Where the text is
    longer than *most* characters its middle gives way, and the whole stands in the title.
    """
    shown = shortened(plain(text), most)
    return element("bdi", shown, dir="ltr", title=None if shown == plain(text) else text)


def shortened(text: str, most: int) -> str:
    """Text of at most *most* characters (0: of any length); what was cut out is an ellipsis."""
    if not most or len(text) <= most:
        return text
    half = (most - 1) // 2
    return f"{text[: most - 1 - half]}…{text[-half:]}"


def _attribute(key: str, value: Value) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escaped(str(value))}"'
