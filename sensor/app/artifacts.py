"""Prints the artifact table in force."""

from __future__ import annotations

from collections.abc import Mapping

from sensor.app.common import READ_WHOLE, settings_of, table_in_force
from sensor.app.console import print_text


def show_artifacts(settings_path: str | None, environment: Mapping[str, str], *, as_json: bool = False) -> int:
    """Print the artifact table in force. Raises ``SettingsError`` and ``ArtifactError``."""
    from sensor.report.artifacts import render_artifacts, rows_as_json

    table = table_in_force(settings_of(settings_path, environment), settings_path)
    print_text(rows_as_json(table) if as_json else render_artifacts(table))
    return READ_WHOLE
