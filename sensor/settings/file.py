"""The settings file, and the lines on which things stand in it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping

from sensor.settings.errors import RowSettingsError, SettingsError
from sensor.settings.rows import meant
from sensor.settings.schema import DETECT, Schema, Values, take

FILE_OCTETS = 4 << 20
"""More than ten thousand entries of the allow-list take. A larger file is another one, named by mistake."""


def take_file(path: str, schema: Schema, values: Values) -> None:
    """Into *values*, what the file at *path* sets. Raises ``SettingsError``."""
    text = _read(path)
    try:
        document = tomllib.loads(text)
    except ValueError as error:  # also for a number of thousands of digits, which Python does not convert
        raise SettingsError(f"{path}: not TOML: {error}") from None
    except RecursionError:
        raise SettingsError(f"{path}: not TOML: nested too deep") from None
    for section, content in _sections(document):
        at = f"{path}:{_line_of(text, section, None)}"
        if section not in schema:
            raise SettingsError(f'{at}: unknown section "{section}"{meant(section, list(schema))}')
        if not isinstance(content, dict):
            raise SettingsError(f"{at}: [{section}] must be a table with keys of its own")
        for key, value in content.items():
            try:
                take(f"{path}:{_line_of(text, section, key)}", schema, values, section, key, value)
            except RowSettingsError as error:
                raise SettingsError(f"{path}:{_line_of(text, section, key, error.index)}: {error}") from None


def _sections(document: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """The tables of a file; those in [detect] each by itself."""
    for section, content in document.items():
        if f"{section}." == DETECT and isinstance(content, dict):
            yield from ((DETECT + name, each) for name, each in content.items())
        else:
            yield section, content


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:
            octets = file.read(FILE_OCTETS + 1)
        if len(octets) > FILE_OCTETS:
            raise SettingsError(f"{path}: has more than {FILE_OCTETS >> 20} MiB: no settings file is that large")
        return octets.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except OSError as error:
        raise SettingsError(f"{path}: settings file not read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: not TOML: octet {error.start} is not UTF-8") from None


def _line_of(text: str, section: str, key: str | None, index: int = 0) -> int:
    """
    The line on which a section or key stands, 1 where it can't be found (tomllib tells no places).

    Of a key that is a table of its own (``[section.key]``), the line of its head; of a list of them, that of *index*.
    """
    inside, tables = False, 0
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[+([^\]]+)\]", line)
        if header is not None:
            path = [part.strip(" \t\"'") for part in header[1].split(".")]
            inside = ".".join(path) == section
            if key is None and section in (path[0], ".".join(path[:2])):
                return number
            if path == [section, key]:
                tables += 1
                if tables > index:
                    return number
        name = re.match(r"\s*[\"']?([\w-]+)[\"']?\s*(?:\.\s*[\"']?([\w-]+)[\"']?\s*)?=", line)
        if name is None:
            continue
        here = (section, name[1]) if inside else (name[1], name[2])
        if here == (section, key) or (key is None and here[0] == section and not inside):
            return number
    return 1
