"""What can be wrong with settings."""

from __future__ import annotations

from sensor.errors import UserError


class SettingsError(UserError):
    """A setting is wrong; the message says where it stands, what is wrong and what is allowed."""


class RowSettingsError(SettingsError):
    """Of a list of tables, that number *index* is wrong."""

    def __init__(self, index: int, message: str) -> None:
        super().__init__(message)
        self.index = index


class RowError(ValueError):
    """Row number *index* of a list of tables is wrong."""

    def __init__(self, index: int, rule: str) -> None:
        super().__init__(rule)
        self.index = index
