"""What policy lets others see of names: it judges by clear ones, and what leaves it may have others."""

from __future__ import annotations

from typing import Protocol

from sensor.alert.alert import Cut
from sensor.model import Finding
from sensor.settings import AllowEntry


class AlertVeil(Protocol):
    """How the names in findings, cuts and entries of the allow-list are told; ``hides`` if not as they are."""

    @property
    def hides(self) -> bool: ...

    def entering(self, finding: Finding) -> Finding:
        """A finding as it is kept: its id, and its exhibits, which are hashed into the chain of evidence."""
        ...

    def leaving(self, finding: Finding) -> Finding:
        """A finding that has entered, as its alert tells it."""
        ...

    def cut(self, cut: Cut) -> Cut:
        """What an alert tells of the allow-list."""
        ...

    def entry(self, entry: AllowEntry) -> AllowEntry:
        """What reports tell of the allow-list."""
        ...


class Unveiled:
    """Everything as it is."""

    hides = False

    def entering(self, finding: Finding) -> Finding:
        return finding

    def leaving(self, finding: Finding) -> Finding:
        return finding

    def cut(self, cut: Cut) -> Cut:
        return cut

    def entry(self, entry: AllowEntry) -> AllowEntry:
        return entry
