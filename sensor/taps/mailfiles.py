"""
Mail in files: single messages, mbox files, directories of either (Maildir too), and standard input.

A file that holds no mail is told with the reason, and the rest go on.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sensor import _core
from sensor.model import InterestSpec, Transaction
from sensor.taps.capture import core_interest

# The largest mail that a file is read for. Providers take up to 150 MB; a larger file is no mail, or not a single one.
MAIL_OCTETS_MAX = 256 << 20

_CAPTURES = (b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d", b"\x0a\x0d\x0d\x0a")
_OTHERS = {
    b"\xd0\xcf\x11\xe0": "it is a file of Outlook's own (.msg); save the mail as .eml",
    b"\x1f\x8b": "it is packed with gzip; unpack it first",
    b"PK\x03\x04": "it is a zip archive; unpack it first",
    b"\x28\xb5\x2f\xfd": "it is packed with zstd; unpack it first",
}
# RFC 5322 2.2: a field name is visible ASCII but the colon.
_FIELD_START = re.compile(rb"[!-9;-~]+[ \t]*:")


@dataclass(frozen=True, slots=True)
class FoundMail:
    """One mail with the name to tell it by, or, where *problem* is set, what is wrong with what goes by that name."""

    name: str
    octets: bytes = b""
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class MailEnvelope:
    """What a mail's envelope was, as far as it is known: *reverse_path* is none where nobody knows."""

    reverse_path: str | None = None
    forward_paths: tuple[str, ...] = ()
    helo: str | None = None
    client_ip: str | None = None


class MailReader:
    """Reads mails by the code that captured mail meets, for what one table asks for."""

    def __init__(self, interest: InterestSpec, *, limits: Mapping[str, int] | None = None) -> None:
        self._interest = core_interest(interest)
        self._limits = limits

    def read(self, octets: bytes, envelope: MailEnvelope) -> Transaction:
        """The mail as a transaction that was delivered."""
        return _core.parse_message(
            octets,
            self._interest,
            reverse_path=envelope.reverse_path,
            forward_paths=envelope.forward_paths,
            helo=envelope.helo,
            client_ip=envelope.client_ip,
            limits=self._limits,
        )


def find_mails(paths: Sequence[str]) -> Iterator[FoundMail]:
    """Every mail in *paths* in order: files, all files of directories, ``-`` for standard input."""
    for path in paths:
        if path == "-":
            yield from _mails_in("-", sys.stdin.buffer.read(MAIL_OCTETS_MAX + 1))
        elif Path(path).is_dir():
            yield from _in_directory(path)
        else:
            yield from _in_file(path)


def _in_directory(path: str) -> Iterator[FoundMail]:
    """Hidden files are no mail: they are what mail programs keep their own accounts in."""
    inside = Path(path)
    files = sorted(
        each
        for each in inside.rglob("*")
        if each.is_file() and not any(part.startswith(".") for part in each.relative_to(inside).parts)
    )
    if not files:
        yield FoundMail(path, problem="there is no file in this directory")
    for file in files:
        yield from _in_file(str(file))


def _in_file(path: str) -> Iterator[FoundMail]:
    try:
        with open(path, "rb") as file:
            octets = file.read(MAIL_OCTETS_MAX + 1)
    except OSError as error:
        yield FoundMail(path, problem=f"it can't be read: {error.strerror or error}")
        return
    yield from _mails_in(path, octets)


def _mails_in(name: str, octets: bytes) -> Iterator[FoundMail]:
    if octets.startswith(b"From "):
        for number, mail in enumerate(split_mbox(octets), start=1):
            yield _checked(f"{name}#{number}", mail)
        return
    yield _checked(name, octets)


def _checked(name: str, octets: bytes) -> FoundMail:
    problem = _problem(octets)
    return FoundMail(name, octets) if problem is None else FoundMail(name, problem=problem)


def _problem(octets: bytes) -> str | None:
    """Why *octets* are no mail; none if they may be one."""
    if len(octets) > MAIL_OCTETS_MAX:
        return f"it has more than {MAIL_OCTETS_MAX >> 20} MiB: no mail is that large"
    if not octets.strip():
        return "it is empty"
    if octets.startswith(_CAPTURES):
        return 'it is a capture; "mailsensor replay" reads those, and --transaction ID explains one mail in it'
    for start, what in _OTHERS.items():
        if octets.startswith(start):
            return what
    if _FIELD_START.match(octets.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")) is None:
        return "it is no mail: it does not begin with a header field"
    return None


def split_mbox(octets: bytes) -> Iterator[bytes]:
    """
    The mails of an mbox file (RFC 4155): each begins behind a ``From `` line at the start or after an empty line.

    One ``>`` of lines that begin with ``>From `` is taken off, as most programs that write mbox put it there.
    """
    starts = [match.end() for match in re.finditer(rb"(?:\A|\r?\n\r?\n)From [^\n]*\n", octets)]
    ends = [match.start() for match in re.finditer(rb"(?:\A|\r?\n\r?\n)From [^\n]*\n", octets)][1:]
    for start, end in zip(starts, [*ends, len(octets)], strict=True):
        yield re.sub(rb"^>(>*From )", rb"\1", octets[start:end], flags=re.MULTILINE)
