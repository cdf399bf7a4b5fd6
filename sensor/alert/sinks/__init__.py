"""Where alerts go: one file for each way, and the one list of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from sensor.alert.sinks.base import AsyncSink, Delivered, Sink
from sensor.alert.sinks.jsonl import open_jsonl
from sensor.alert.sinks.ocsf import open_ocsf

FILE_SINKS: Mapping[str, Callable[..., Sink]] = MappingProxyType({"jsonl": open_jsonl, "ocsf": open_ocsf})
"""By the name that the command line and the settings use: called with target, ``append``, ``durable``."""

__all__ = ["FILE_SINKS", "AsyncSink", "Delivered", "Sink"]
