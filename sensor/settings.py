"""
Settings: one TOML file, then the environment, then the command line; the later speaks.

Whatever is unknown or out of range is an error that names the place and says what is allowed. Nothing is guessed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

ENVIRONMENT_PREFIX = "MAILSENSOR_"

Network = IPv4Network | IPv6Network
Limit = tuple[str, str, int]


class SettingsError(Exception):
    """A setting is wrong; the message says where it stands, what is wrong and what is allowed."""


@dataclass(frozen=True, slots=True)
class OrganisationSettings:
    """The protected organisation. Without domains, no direction can be told."""

    internal_domains: tuple[str, ...] = ()
    internal_networks: tuple[Network, ...] = ()


@dataclass(frozen=True, slots=True)
class SensorSettings:
    """``name`` tells the records of several sensors apart."""

    name: str = "mailsensor"


@dataclass(frozen=True, slots=True)
class ReplaySettings:
    """``top_mailboxes`` is how many mailboxes the summary names before it says "and N more"."""

    top_mailboxes: int = 20


@dataclass(frozen=True, slots=True)
class ArtifactSettings:
    """``row`` holds rows of the user's own for the artifact table, in their TOML form; the classifier checks them."""

    row: tuple[Mapping[str, object], ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set. ``limits`` holds only those that differ from their defaults."""

    organisation: OrganisationSettings = OrganisationSettings()
    sensor: SensorSettings = SensorSettings()
    replay: ReplaySettings = ReplaySettings()
    artifacts: ArtifactSettings = ArtifactSettings()
    limits: Mapping[str, int] = field(default_factory=dict)


def load_settings(
    path: str | None,
    environment: Mapping[str, str],
    *,
    known_limits: Sequence[Limit],
    internal_domains: Sequence[str] = (),
    limit_options: Sequence[str] = (),
) -> Settings:
    """
    Settings from the file at *path* (none: no file), *environment*, and the options of the command line.

    *known_limits* names the limits that exist. Raises ``SettingsError``.
    """
    schema = _schema(known_limits)
    values: _Values = {section: {} for section in schema}
    if path is not None:
        _take_file(path, schema, values)
    _take_environment(environment, schema, values)
    if internal_domains:
        _take("--internal-domain", schema, values, "organisation", "internal_domains", list(internal_domains))
    for option in limit_options:
        name, equals, value = option.partition("=")
        if not equals or not name.strip():
            raise SettingsError(f'--limit {option}: write it as NAME=VALUE, for example "--limit flows=100000"')
        _take(
            f"--limit {option}", schema, values, "limits", name.strip(), _from_text(value, schema["limits"].get(name))
        )
    return Settings(
        organisation=OrganisationSettings(**values["organisation"]),
        sensor=SensorSettings(**values["sensor"]),
        replay=ReplaySettings(**values["replay"]),
        artifacts=ArtifactSettings(**values["artifacts"]),
        limits=values["limits"],
    )


# ---- what may be set: a check returns the value in force, or raises ValueError with the rule


def _text(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", value):
        raise ValueError("must be 1 to 63 letters, digits, dots, hyphens and underscores")
    return value


def _domains(value: object) -> tuple[str, ...]:
    rule = (
        'must be a list of domains such as ["corp.example", ".eu.corp.example"] (a leading dot takes in all below it)'
    )
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError(rule)
    for each in value:
        if not re.fullmatch(r"\.?[^\s@./:\[\]*]+(\.[^\s@./:\[\]*]+)*\.?", each):
            raise ValueError(f'{rule}; "{each}" is none')
    return tuple(each.lower() for each in value)


def _networks(value: object) -> tuple[Network, ...]:
    rule = 'must be a list of networks such as ["192.0.2.0/24", "2001:db8::/32"]'
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError(rule)
    try:
        return tuple(ip_network(each) for each in value)
    except ValueError as error:
        raise ValueError(f"{rule}; {error}") from None


def _tables(value: object) -> tuple[Mapping[str, object], ...]:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise ValueError("must be tables, each written as [[artifacts.row]] with the keys of docs/artifacts.md")
    return tuple(value)


def _whole(least: int, most: int) -> Callable[[object], int]:
    def check(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f"must be a whole number from {least:,} to {most:,}".replace(",", "_"))
        return value

    return check


_Check = Callable[[object], object]
_Schema = dict[str, dict[str, _Check]]
# By section, then key. What the checks let in fits the dataclasses above.
_Values = dict[str, dict[str, Any]]


def _schema(known_limits: Sequence[Limit]) -> _Schema:
    return {
        "organisation": {"internal_domains": _domains, "internal_networks": _networks},
        "sensor": {"name": _text},
        "replay": {"top_mailboxes": _whole(1, 1_000_000)},
        "artifacts": {"row": _tables},
        # Any larger number would not fit a machine's memory, whatever the limit counts.
        "limits": {name: _whole(1, 2**40) for name, _, _ in known_limits},
    }


# ---- where values come from


def _take_file(path: str, schema: _Schema, values: _Values) -> None:
    text = _read(path)
    try:
        document = tomllib.loads(text)
    except ValueError as error:  # also for a number of thousands of digits, which Python does not convert
        raise SettingsError(f"{path}: not TOML: {error}") from None
    except RecursionError:
        raise SettingsError(f"{path}: not TOML: nested too deep") from None
    for section, content in document.items():
        at = f"{path}:{_line_of(text, section, None)}"
        if section not in schema:
            raise SettingsError(f'{at}: unknown section "{section}"{_meant(section, list(schema))}')
        if not isinstance(content, dict):
            raise SettingsError(f"{at}: [{section}] must be a table with keys of its own")
        for key, value in content.items():
            _take(f"{path}:{_line_of(text, section, key)}", schema, values, section, key, value)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{path}: settings file not read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: not TOML: octet {error.start} is not UTF-8") from None


def _take_environment(environment: Mapping[str, str], schema: _Schema, values: _Values) -> None:
    for name in sorted(environment):
        if not name.startswith(ENVIRONMENT_PREFIX):
            continue
        section, _, key = name.removeprefix(ENVIRONMENT_PREFIX).lower().partition("_")
        at = f"environment variable {name}"
        if section not in schema:
            names = [f"{ENVIRONMENT_PREFIX}{each.upper()}_..." for each in schema]
            raise SettingsError(f"{at}: there is no such setting; they are named {', '.join(names)}")
        _take(at, schema, values, section, key, _from_text(environment[name], schema[section].get(key)))


def _take(at: str, schema: _Schema, values: _Values, section: str, key: str, value: object) -> None:
    check = schema[section].get(key)
    if check is None:
        raise SettingsError(f'{at}: unknown key "{key}" in [{section}]{_meant(key, list(schema[section]))}')
    try:
        values[section][key] = check(value)
    except ValueError as error:
        raise SettingsError(f"{at}: {section}.{key} {error}; it is {value!r}") from None


def _from_text(text: str, check: _Check | None) -> object:
    """
    A value out of an environment variable or option: lists are separated by commas, numbers are written as in TOML.
    """
    if check in (_domains, _networks):
        return [part.strip() for part in text.split(",") if part.strip()]
    # Beyond some thousand digits Python refuses to convert; what is longer than any number in use stays text.
    if check is not _text and re.fullmatch(r"[0-9][0-9_]{0,99}", text.strip()):
        return int(text.strip())
    return text


def _meant(name: str, allowed: Sequence[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name, allowed, n=1)
    hint = f'; did you mean "{close[0]}"?' if close else ";"
    return f"{hint} allowed: {', '.join(allowed)}"


def _line_of(text: str, section: str, key: str | None) -> int:
    """The line on which a section or key stands, 1 where it can't be found (tomllib tells no places)."""
    inside = False
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[+\s*[\"']?([^\"'\].]+)[\"']?", line)
        if header is not None:
            inside = header[1].strip() == section
            if inside and key is None:
                return number
        name = re.match(r"\s*[\"']?([\w-]+)[\"']?\s*(?:\.\s*[\"']?([\w-]+)[\"']?\s*)?=", line)
        if name is None:
            continue
        here = (section, name[1]) if inside else (name[1], name[2])
        if here == (section, key) or (key is None and here[0] == section and not inside):
            return number
    return 1
