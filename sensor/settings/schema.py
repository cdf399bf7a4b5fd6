"""What may be set, by section and key, and how one value is taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sensor.settings.checks import Check, number, true_or_false, whole
from sensor.settings.errors import RowError, RowSettingsError, SettingsError
from sensor.settings.rows import meant, naming
from sensor.settings.sections import SECTIONS

Limit = tuple[str, str, int]
DetectorOptions = Mapping[str, Mapping[str, tuple[float, float]]]
"""By detector, then option: the least and the greatest value allowed."""

Schema = dict[str, dict[str, Check]]
# By section, then key. What the checks let in fits the dataclasses of the sections.
Values = dict[str, dict[str, Any]]

# Each detector is a section of its own, [detect.NAME].
DETECT = "detect."


def schema_of(known_limits: Sequence[Limit], known_detectors: DetectorOptions) -> Schema:
    """The checks of every key, where those are the limits and detectors."""
    schema: Schema = {
        section.name: {**section.keys, **{key: naming(known_detectors, each) for key, each in section.naming.items()}}
        for section in SECTIONS
    }
    # Any larger number would not fit a machine's memory, whatever the limit counts.
    schema["limits"] = {name: whole(1, 2**40) for name, _, _ in known_limits}
    for name, options in known_detectors.items():
        schema[DETECT + name] = {
            "enabled": true_or_false,
            **{option: number(*bounds) for option, bounds in options.items()},
        }
    return schema


def take(at: str, schema: Schema, values: Values, section: str, key: str, value: object) -> None:
    """Into *values*, one *value* that stands *at* a place. Raises ``SettingsError`` for what is unknown or wrong."""
    check = schema[section].get(key)
    if check is None:
        raise SettingsError(f'{at}: unknown key "{key}" in [{section}]{meant(key, list(schema[section]))}')
    try:
        values[section][key] = check(value)
    except RowError as error:
        raise RowSettingsError(error.index, f"[[{section}.{key}]] number {error.index + 1} {error}") from None
    except ValueError as error:
        raise SettingsError(f"{at}: {section}.{key} {error}; it is {value!r}") from None
