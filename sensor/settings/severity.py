"""How severe findings are: ``[alerts.severity]`` and ``[[alerts.rule]]``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from sensor.model import Confidence, Level, Severity
from sensor.settings.allow import DETECTOR, MATCHES
from sensor.settings.checks import one_of, whole
from sensor.settings.errors import RowError
from sensor.settings.rows import checked_row, rows_of


@dataclass(frozen=True, slots=True)
class SeverityRule:
    """Findings that all parts given fit get ``severity``, or are moved up (or down) by ``steps``."""

    severity: Severity | None = None
    steps: int = 0
    detector: str | None = None
    mailbox: str | None = None
    destination: str | None = None
    domain: str | None = None
    level: Level | None = None
    confidence: Confidence | None = None


SEVERITY = one_of(*get_args(Severity))


def severities(value: object) -> Mapping[str, object]:
    """Severities by detector."""
    if not isinstance(value, dict) or not all(value):
        raise ValueError("must be a table of detectors with their severities")
    return {str(DETECTOR(name)): SEVERITY(severity) for name, severity in value.items()}


_RULE_KEYS = {
    **MATCHES,
    "level": one_of(*get_args(Level)),
    "confidence": one_of(*get_args(Confidence)),
    "severity": SEVERITY,
    "raise": whole(1, 4),
    "lower": whole(1, 4),
}


def rules(value: object) -> tuple[SeverityRule, ...]:
    """The rows of ``[[alerts.rule]]``."""
    rows = rows_of(value, "alerts.rule")
    return tuple(_severity_rule(index, row) for index, row in enumerate(rows))


def _severity_rule(index: int, row: Mapping[str, object]) -> SeverityRule:
    checked = checked_row(index, row, _RULE_KEYS)
    if len(checked.keys() & {"severity", "raise", "lower"}) != 1:
        raise RowError(index, "must say one of severity, raise, lower")
    steps = checked.pop("raise", 0) - checked.pop("lower", 0)
    return SeverityRule(**checked, steps=steps)
