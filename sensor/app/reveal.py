"""What a key is for: it turns pseudonyms back into addresses; and what is in a key file."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from sensor.app.common import READ_NOTHING, READ_WHOLE, READ_WITH_DAMAGE
from sensor.app.console import print_text
from sensor.log import printable
from sensor.pseudonym import KeyRing, Pseudonyms, RevealError, add_key, key_ring

STDIN = "-"


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
        for line in sys.stdin.buffer:
            # Octets that are no text come out as they went in.
            told = pseudonyms.reveal_all(line.decode("utf-8", "surrogateescape"))
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


def show_keys(path: str, *, adds: bool) -> int:
    """Print the ids of the keys in a file, a line each, after one more was put in if it *adds*."""
    keys: KeyRing = add_key(path) if adds else key_ring(path, makes=False)
    for key in keys.keys:
        print_text(f"{key.id}  {'names and reveals' if key is keys.newest else 'reveals'}\n")
    return READ_WHOLE
