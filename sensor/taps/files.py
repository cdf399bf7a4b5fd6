"""Which files to read: named files as they are, directories walked for captures, in an order that never changes."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from sensor import _core
from sensor.taps.base import TapError

STDIN = "-"
# With the numbers that tcpdump -C and -W and dumpcap put at the end of rotated files.
_CAPTURE_NAME = re.compile(r".+\.(pcap|pcapng|cap|ntar)[.0-9]*(\.(gz|zst))?", re.IGNORECASE)


@dataclass(slots=True)
class Found:
    """Files to read in order, and in words what was passed over."""

    paths: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    counted_before: list[str] = field(default_factory=list)


def find_captures(paths: Sequence[str]) -> Found:
    """
    The files that *paths* name, each once.

    A directory gives every capture below it, sorted by name with numbers by value, so that rotated files come in
    their order; links to directories are not followed. Raises ``TapError`` where a path does not exist or nothing is
    left to read.
    """
    found = Found()
    seen: set[str] = set()
    for path in paths:
        for each in _expand(path, found):
            identity = each if each == STDIN else os.path.realpath(each)
            if identity in seen:
                found.problems.append(f"{each}: named twice, read once")
                continue
            seen.add(identity)
            found.paths.append(each)
    if not found.paths:
        raise TapError("; ".join(found.problems) or "no capture was named")
    return found


# Octets read at once: long enough that the hash is what takes the time.
_DIGEST_CHUNK = 1 << 20


def capture_digest(path: str) -> tuple[str, int]:
    """
    What tells one capture from another wherever it lies: a digest of the file as it is on disk, and its octets.

    A capture that has grown is another one. Raises ``TapError`` for what can't be read.
    """
    digest = blake2b(digest_size=16)
    octets = 0
    try:
        with open(path, "rb") as file:
            while chunk := file.read(_DIGEST_CHUNK):
                digest.update(chunk)
                octets += len(chunk)
    except OSError as error:
        raise TapError(f"{path}: can't be read: {error.strerror}") from None
    return digest.hexdigest(), octets


def _expand(path: str, found: Found) -> list[str]:
    if path == STDIN:
        return [path]
    if os.path.isdir(path):
        inside = _walk(path, found)
        if not inside:
            found.problems.append(
                f"{path}: no captures inside: no file begins as pcap or pcapng does, plain or in gzip or zstd"
            )
        return inside
    if not os.path.lexists(path):
        raise TapError(f"{path}: no such file or directory{_nearby(path)}")
    if not os.path.exists(path):
        raise TapError(f"{path}: a link that leads nowhere")
    return [path]


def _walk(top: str, found: Found) -> list[str]:
    def passed_over(error: OSError) -> None:
        found.problems.append(f"{error.filename}: directory not read: {error.strerror}")

    inside = []
    for directory, names, files in os.walk(top, onerror=passed_over):
        names.sort(key=_natural)
        inside += [path for name in files if _is_capture(path := os.path.join(directory, name), name)]
    return sorted(inside, key=_natural)


def _is_capture(path: str, name: str) -> bool:
    """By its first octets; also by its name, so that one that is damaged there is not passed over in silence."""
    if _CAPTURE_NAME.fullmatch(name) is not None:
        return True
    try:
        return _core.is_probably_capture(path)
    except _core.CaptureError:
        return False


def _natural(text: str) -> list[tuple[int, int, str]]:
    """A sort key in which numbers compare by value: ``a2`` before ``a10``."""
    parts = re.split(r"([0-9]+)", text)
    return [(1, int(part), part) if part.isdecimal() else (0, 0, part) for part in parts]


def _nearby(path: str) -> str:
    """A hint at a file of nearly that name in the same directory."""
    import difflib

    directory, name = os.path.split(path)
    try:
        names = os.listdir(directory or ".")
    except OSError:
        return ""
    close = difflib.get_close_matches(name, names, n=1)
    return f'; did you mean "{os.path.join(directory, close[0])}"?' if close else ""
