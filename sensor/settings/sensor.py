"""What the sensor is called: ``[sensor]``."""

from __future__ import annotations

from dataclasses import dataclass

from sensor.settings.checks import name
from sensor.settings.section import Section


@dataclass(frozen=True, slots=True)
class SensorSettings:
    """``name`` tells the records of several sensors apart."""

    name: str = "mailsensor"


SENSOR = Section("sensor", SensorSettings, {"name": name})
