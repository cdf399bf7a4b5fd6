"""The user's own rows of the artifact table: ``[[artifacts.row]]``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sensor.settings.checks import tables
from sensor.settings.section import Section


@dataclass(frozen=True, slots=True)
class ArtifactSettings:
    """``row`` holds rows of the user's own for the artifact table, in their TOML form; the classifier checks them."""

    row: tuple[Mapping[str, object], ...] = ()


ARTIFACTS = Section("artifacts", ArtifactSettings, {"row": tables})
