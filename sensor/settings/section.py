"""What a section of the settings file is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sensor.settings.checks import Check


@dataclass(frozen=True, slots=True)
class Section:
    """
    A section: ``build`` makes its settings of the ``keys`` that are set, each checked. Where ``Settings`` names a key
    otherwise than the file does, ``fields`` says how. Of the keys in ``naming``, values name detectors.
    """

    name: str
    build: type[Any]
    keys: Mapping[str, Check]
    fields: Mapping[str, str] = field(default_factory=dict)
    naming: Mapping[str, Check] = field(default_factory=dict)

    def settings(self, values: Mapping[str, Any]) -> Any:
        """The settings of the *values*, which were checked."""
        return self.build(**{self.fields.get(key, key): value for key, value in values.items()})
