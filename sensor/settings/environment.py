"""The environment as a source of settings."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sensor.settings import checks
from sensor.settings.errors import SettingsError
from sensor.settings.schema import Schema, Values, take

PREFIX = checks.ENVIRONMENT_PREFIX


def take_environment(environment: Mapping[str, str], schema: Schema, values: Values) -> None:
    """Into *values*, the settings among the variables of *environment*. Raises ``SettingsError``."""
    for name in sorted(environment):
        if not name.startswith(PREFIX):
            continue
        told = name.removeprefix(PREFIX).lower()
        at = f"environment variable {name}"
        section = next((each for each in schema if told.startswith(_variable(each))), None)
        if section is None:
            names = [f"{PREFIX}{_variable(each).upper()}..." for each in schema]
            raise SettingsError(f"{at}: there is no such setting; they are named {', '.join(names)}")
        key = told.removeprefix(_variable(section))
        take(at, schema, values, section, key, from_text(environment[name], schema[section].get(key)))


def _variable(section: str) -> str:
    """What the names of a section's variables begin with, in lower case and without the prefix of all."""
    return section.replace(".", "_") + "_"


def from_text(text: str, check: checks.Check | None) -> object:
    """
    A value out of an environment variable or option: lists are separated by commas, numbers are written as in TOML.
    """
    if check in checks.LISTS:
        return [part.strip() for part in text.split(",") if part.strip()]
    # Beyond some thousand digits Python refuses to convert; what is longer than any number in use stays text.
    if check is not checks.name and re.fullmatch(r"[0-9][0-9_]{0,99}", text.strip()):
        return int(text.strip())
    if check is not checks.name and re.fullmatch(r"[0-9]{1,20}\.[0-9]{1,20}", text.strip()):
        return float(text.strip())
    if check is checks.true_or_false and text.strip() in ("true", "false"):
        return text.strip() == "true"
    return text
