"""The few shapes that queries have, so that each is written the same way everywhere."""

from __future__ import annotations

from grafana.board import SELECTED

RATE = "$__rate_interval"
"""Of a picture over time: at least four scrapes, as Grafana picks it."""

RANGE = "$__range"
"""All the time that is shown."""

HOUR = "1h"
"""For what is seldom: a rate of forwards a second has no number that says anything."""


def of(metric: str, more: str = "", *, suffix: str = "") -> str:
    """A series of the sensor by its name without prefix: ``of("sessions_total", 'privacy="tls"')``."""
    labels = f"{SELECTED},{more}" if more else SELECTED
    return f"mailsensor_{metric}{{{labels}}}{suffix}"


def process(metric: str) -> str:
    """A series that every Prometheus client has, of sensors alone."""
    return f"process_{metric}{{{SELECTED}}}"


def rate(metric: str, more: str = "", *, over: str = RATE, by: str = "") -> str:
    """A counter a second, summed."""
    return summed(f"rate({of(metric, more)}[{over}])", by)


def increase(metric: str, more: str = "", *, over: str = RANGE, by: str = "") -> str:
    """How much was counted in that time, summed."""
    return summed(f"increase({of(metric, more)}[{over}])", by)


def summed(expr: str, by: str = "") -> str:
    """The sum, for each value of the labels *by*."""
    return f"sum by ({by}) ({expr})" if by else f"sum({expr})"


def share(part: str, whole: str) -> str:
    """One rate in another."""
    return f"{part} / {whole}"


def part_of_both(part: str, rest: str) -> str:
    """One rate in the sum of two."""
    return f"{part} / ({part} + {rest})"


def or_zero(expr: str) -> str:
    """For what has no series until it happens."""
    return f"({expr}) or vector(0)"
