"""Alerts as JSON Lines: the record of docs/alert.schema.json, one a line."""

from __future__ import annotations

from sensor.alert.record import to_line
from sensor.alert.sinks.base import Sink
from sensor.alert.sinks.lines import LineSink


def open_jsonl(target: str, *, append: bool = False, durable: bool = False) -> Sink:
    """A sink that writes records to the file *target*, or to standard output (``-``). Raises ``SinkError``."""
    return LineSink("jsonl", target, to_line, append=append, durable=durable)
