"""What a key is for: it turns pseudonyms back into addresses; and what is in a key file."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from sensor.app.common import READ_NOTHING, READ_WHOLE, READ_WITH_DAMAGE
from sensor.app.console import print_text
from sensor.log import printable
from sensor.pseudonym import KeyRing, Pseudonyms, RevealError, add_key, key_ring

STDIN = "-"

PART_OCTETS = 4 << 20
"""So much of a line is held at once: a text of one line may be of any length."""

NAME_OCTETS = 8_192
"""More than any name has: that of a Message-ID at RFC 5322's 998 characters has some 1,600."""

_OF_NAMES = bytes(each for each in range(256) if each > 0x7F or chr(each).isalnum() or chr(each) in "_-.@")


@dataclass(frozen=True, slots=True)
class RevealOptions:
    """What the command line asks: *names* to be revealed, or ``-`` for a text on standard input."""

    names: Sequence[str]
    key_file: str


def reveal(options: RevealOptions) -> int:
    """
    Print what each name stands for; those that can't be revealed are told on standard error, and the rest go on.

    Of standard input the whole text is printed, with addresses in place of the names in it. Raises ``KeyFileError``.
    """
    pseudonyms = Pseudonyms(key_ring(options.key_file, makes=False))
    if list(options.names) == [STDIN]:
        for text in _in_parts(sys.stdin.buffer):
            # Octets that are no text come out as they went in.
            told = pseudonyms.reveal_all(text.decode("utf-8", "surrogateescape"))
            sys.stdout.buffer.write(told.encode("utf-8", "surrogateescape"))
        return READ_WHOLE
    problems = 0
    for name in options.names:
        try:
            address = pseudonyms.reveal(name)
        except RevealError as error:
            problems += 1
            print_text(f"mailsensor: {printable(str(error))}\n", to_stderr=True)
        else:
            print_text(f"{printable(address)}\n")
    if problems == len(options.names):
        return READ_NOTHING
    return READ_WITH_DAMAGE if problems else READ_WHOLE


def _in_parts(file: BinaryIO) -> Iterator[bytes]:
    """
    The text of *file* by lines, those longer than ``PART_OCTETS`` in parts that end behind no octet of a name: one that
    stands at a seam is whole in the next.
    """
    rest = b""
    while read := file.readline(PART_OCTETS):
        text = rest + read
        seam = len(text) if text.endswith(b"\n") else max(len(text.rstrip(_OF_NAMES)), len(text) - NAME_OCTETS)
        yield text[:seam]
        rest = text[seam:]
    yield rest


def show_keys(path: str, *, adds: bool) -> int:
    """Print the ids of the keys in a file, a line each, after one more was put in if it *adds*."""
    keys: KeyRing = add_key(path) if adds else key_ring(path, makes=False)
    for key in keys.keys:
        print_text(f"{key.id}  {'names and reveals' if key is keys.newest else 'reveals'}\n")
    return READ_WHOLE
