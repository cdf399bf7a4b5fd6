"""Settings from all their sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sensor.settings.environment import from_text, take_environment
from sensor.settings.errors import SettingsError
from sensor.settings.file import take_file
from sensor.settings.schema import DETECT, DetectorOptions, Limit, Schema, Values, schema_of, take
from sensor.settings.sections import SECTIONS, Settings


def load_settings(
    path: str | None,
    environment: Mapping[str, str],
    *,
    known_limits: Sequence[Limit],
    known_detectors: DetectorOptions | None = None,
    internal_domains: Sequence[str] = (),
    limit_options: Sequence[str] = (),
) -> Settings:
    """
    Settings from the file at *path* (none: no file), *environment*, and the options of the command line.

    *known_limits* names the limits that exist, *known_detectors* the detectors. Raises ``SettingsError``.
    """
    schema = schema_of(known_limits, known_detectors or {})
    values: Values = {section: {} for section in schema}
    if path is not None:
        take_file(path, schema, values)
    take_environment(environment, schema, values)
    if internal_domains:
        take("--internal-domain", schema, values, "organisation", "internal_domains", list(internal_domains))
    for option in limit_options:
        _take_limit(option, schema, values)
    return Settings(
        **{section.name: section.settings(values[section.name]) for section in SECTIONS},
        detect={name.removeprefix(DETECT): set_ for name, set_ in values.items() if name.startswith(DETECT) and set_},
        limits=values["limits"],
    )


def _take_limit(option: str, schema: Schema, values: Values) -> None:
    name, equals, value = option.partition("=")
    if not equals or not name.strip():
        raise SettingsError(f'--limit {option}: write it as NAME=VALUE, for example "--limit flows=100000"')
    limit = from_text(value, schema["limits"].get(name))
    take(f"--limit {option}", schema, values, "limits", name.strip(), limit)
