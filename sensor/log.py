"""
Structured logging to standard error: one line an event, `level event key=value`, safe to read whatever mail holds.

Addresses of people do not belong in logs; where one is needed to find a fault, ``redact`` keeps only a part.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, TextIO

LogLevel = Literal["debug", "info", "warning", "error"]
_RANK: dict[LogLevel, int] = {"debug": 0, "info": 1, "warning": 2, "error": 3}

# Unicode categories that draw nothing or change how other text is drawn: control, format (all bidi overrides),
# surrogate, private use, unassigned, and the line and paragraph separators.
_UNPRINTABLE = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))


def printable(text: str) -> str:
    r"""
    The text with every character escaped that could move a cursor, colour a terminal, break a line or reorder others.

    Escapes read as in Python (``\x1b``, ``\u202e``). Ordinary text of any script is unchanged; a backslash stays as
    it is.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_escape, text))


def redact(address: str) -> str:
    """A mail address for logs: the first character of its local part and its domain, ``a***@corp.example``."""
    local, at, domain = address.rpartition("@")
    if not at:
        return "***"
    return printable(f"{local[:1]}***@{domain}")


class Log:
    """Writes events at or above *level* to *stream*. Never raises for a closed stream: there is nobody left to tell."""

    def __init__(self, stream: TextIO | None = None, level: LogLevel = "info") -> None:
        self._stream = stream
        self._threshold = _RANK[level]

    def debug(self, event: str, **facts: object) -> None:
        self._write("debug", event, facts)

    def info(self, event: str, **facts: object) -> None:
        self._write("info", event, facts)

    def warning(self, event: str, **facts: object) -> None:
        self._write("warning", event, facts)

    def error(self, event: str, **facts: object) -> None:
        self._write("error", event, facts)

    def _write(self, level: LogLevel, event: str, facts: dict[str, object]) -> None:
        if _RANK[level] < self._threshold:
            return
        line = " ".join((level, event, *(f"{key}={_value(fact)}" for key, fact in facts.items())))
        # Looked up on each call, so that a stream put in its place later (a test, a pager) is the one written to.
        stream = self._stream if self._stream is not None else sys.stderr
        try:
            stream.write(line + "\n")
            stream.flush()
        except (BrokenPipeError, ValueError):
            self._threshold = len(_RANK)


_hide: list[Callable[[str], str]] = []


@contextmanager
def hiding(hide: Callable[[str], str]) -> Iterator[None]:
    """
    Have every value of every log pass *hide* until the block ends: of the process, since logs are made in many places,
    and one that was forgotten would tell what all others hide. Of blocks inside each other the inner one counts.
    """
    _hide.append(hide)
    try:
        yield
    finally:
        _hide.remove(hide)


def _value(fact: object) -> str:
    text = str(fact)
    if _hide:
        text = _hide[-1](text)
    text = printable(text)
    if text and not any(character in ' "=' for character in text):
        return text
    return '"' + text.replace('"', '\\"') + '"'


def _escape(character: str) -> str:
    if unicodedata.category(character) not in _UNPRINTABLE:
        return character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
