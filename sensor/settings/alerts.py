"""What is told of findings: ``[alerts]``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sensor.model import Severity
from sensor.settings.allow import AllowEntry, allow
from sensor.settings.checks import folder, number, true_or_false, whole
from sensor.settings.section import Section
from sensor.settings.severity import SEVERITY, SeverityRule, rules, severities
from sensor.settings.sinks import SinkSettings, sinks


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """
    What is told of findings. Times are seconds of packet time, but for ``drain_s``: how long the end of a run waits
    for sinks that still take alerts.

    Detectors tell again of what goes on at least once a day, so ``resolve_after_s`` is never less than a day. A week
    carries an alert over a weekend and a holiday.
    """

    resolve_after_s: int = 604_800
    cool_down_s: int = 604_800
    min_severity: Severity = "low"
    max_alerts: int = 10_000
    spool_dir: str = ""
    spool_octets: int = 67_108_864
    spool_sync: bool = True
    drain_s: float = 5.0
    sinks: tuple[SinkSettings, ...] = ()
    severity: Mapping[str, Severity] = field(default_factory=dict)
    rules: tuple[SeverityRule, ...] = ()
    allow: tuple[AllowEntry, ...] = ()


ALERTS = Section(
    "alerts",
    AlertSettings,
    {
        "resolve_after_s": whole(86_400, 31_536_000),
        "cool_down_s": whole(0, 31_536_000),
        "min_severity": SEVERITY,
        "max_alerts": whole(1, 1_000_000),
        "spool_dir": folder,
        "spool_octets": whole(65_536, 2**40),
        "spool_sync": true_or_false,
        "drain_s": number(0, 3_600),
        "sink": sinks,
    },
    # In the file a table is named for one of its rows: [[alerts.rule]].
    fields={"rule": "rules", "sink": "sinks"},
    naming={"severity": severities, "rule": rules, "allow": allow},
)
