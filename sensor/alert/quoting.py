"""
Addresses out of hostile mail, made safe for the shell that a command is meant for.

An analyst copies a command from an alert into a shell. The mailbox in it was written by whoever sent the mail, so it
must stay one word whatever it holds. What no quoting makes safe (control characters, text that draws otherwise than
it reads, an option's hyphen in front) is refused: the command then stands as a comment with the escaped address.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Literal
from urllib.parse import quote

from sensor.log import printable

Shell = Literal["sh", "powershell", "url", "text"]

MAX_CHARACTERS = 320
"""A mailbox has at most 64 + 1 + 255 octets (RFC 5321 4.5.3.1); what is longer is no mailbox."""

# PowerShell takes these for the single quote that ends a string: its language specification 2.3.5.2.
_POWERSHELL_QUOTES = "'\u2018\u2019\u201a\u201b"


_NAME = re.compile(r"\{([a-z_]+)\}")


def names_in(template: str) -> list[str]:
    """The ``{names}`` of a template. Braces of a shell's own hold more than a name."""
    return _NAME.findall(template)


def command(template: str, values: Mapping[str, str], shell: Shell) -> str:
    """*template* with its ``{names}`` filled in, quoted for *shell*; a comment where one of them can't be."""
    unsafe = sorted({name for name in names_in(template) if not _is_safe(values[name], shell)})
    if unsafe:
        # Quoted all the same: some shells don't know comments where one types.
        shown = ", ".join(f"{name} {quoted(_shown(values[name]), shell)}" for name in unsafe)
        return f"# not written out, since no shell should be given it: {shown}. By hand: {template}"
    return _NAME.sub(lambda found: quoted(values[found[1]], shell), template)


def quoted(value: str, shell: Shell) -> str:
    """*value* as one word of *shell*."""
    if shell == "sh":
        return shlex.quote(value)
    if shell == "powershell":
        return "'" + "".join(2 * each if each in _POWERSHELL_QUOTES else each for each in value) + "'"
    if shell == "url":
        return quote(value, safe="")
    return value


def _shown(value: str) -> str:
    """The value with all escaped that does not draw as itself, blanks of other kinds too."""
    escaped = printable(value[:MAX_CHARACTERS])
    return "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in escaped)


def _is_safe(value: str, shell: Shell) -> bool:
    if not value or len(value) > MAX_CHARACTERS or not value.isprintable() or printable(value) != value:
        return False
    # Programs take a word that begins with a hyphen for an option, quoted or not; in interactive shells `!` in double
    # quotes is history, but single quotes are what is used here.
    return not (shell == "sh" and value.startswith("-"))
