"""Secrets that sinks need: read from where the settings say, refused where others can read them, never shown."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping

from sensor.alert.sinks.base import SinkError
from sensor.settings import SecretSource

MAX_SECRET_OCTETS = 65_536
"""A password has some dozen octets, a token some thousand; a file larger than this is some other file."""


class Secret:
    """A secret that shows itself only where it is asked to: not when printed, logged, or part of what is."""

    __slots__ = ("_octets",)

    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    def reveal(self) -> bytes:
        return self._octets

    def __repr__(self) -> str:
        return "Secret(...)"

    def __reduce__(self) -> str:
        raise TypeError("a secret is not to be copied anywhere")


def read_secret(source: SecretSource, environment: Mapping[str, str]) -> Secret:
    """
    The secret at *source*, without the line end behind it.

    Raises ``SinkError`` where there is none, and for a file that everybody may read.
    """
    if source.variable is not None:
        value = environment.get(source.variable, "")
        if not value:
            raise SinkError(f"environment variable {source.variable}: holds no secret")
        return Secret(os.fsencode(value))
    path = source.file or ""
    octets = _octets_of(path).removesuffix(b"\n").removesuffix(b"\r")
    if not octets:
        raise SinkError(f"{path}: holds no secret: it is empty")
    return Secret(octets)


def check_private(path: str) -> None:
    """Raises ``SinkError`` where *path* is not to be read, is no file, or is for everybody to read or write."""
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        raise SinkError(f"{path}: secret not read: {error.strerror}") from None
    _refuse_open(path, mode)


def _octets_of(path: str) -> bytes:
    try:
        # Not blocking: a named pipe would hold up the start until somebody writes to it.
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise SinkError(f"{path}: secret not read: {error.strerror}") from None
    try:
        # Of the file that is open, not of the name: nobody can put another in its place in between.
        _refuse_open(path, os.fstat(file).st_mode)
        octets = os.read(file, MAX_SECRET_OCTETS + 1)
    finally:
        os.close(file)
    if len(octets) > MAX_SECRET_OCTETS:
        raise SinkError(f"{path}: is longer than any secret, {MAX_SECRET_OCTETS:,} octets")
    return octets


def _refuse_open(path: str, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise SinkError(f"{path}: is no regular file")
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        raise SinkError(f"{path}: everybody may read or write it (mode {stat.S_IMODE(mode):04o}); chmod o-rw {path}")
