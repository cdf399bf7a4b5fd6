"""Where alerts go: one file for each way, and the two lists of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import assert_never

from sensor.alert.sinks.base import AsyncSink, Delivered, Sink
from sensor.alert.sinks.jsonl import open_jsonl
from sensor.alert.sinks.ocsf import open_ocsf
from sensor.settings import (
    AlertmanagerSettings,
    FileSinkSettings,
    SinkSettings,
    SyslogSettings,
    WebhookSettings,
)

FILE_SINKS: Mapping[str, Callable[..., Sink]] = MappingProxyType({"jsonl": open_jsonl, "ocsf": open_ocsf})
"""By the name that the command line and the settings use: called with target, ``append``, ``durable``."""

__all__ = ["FILE_SINKS", "AsyncSink", "Delivered", "Sink", "open_file", "open_sink"]


def open_sink(
    settings: SinkSettings, environment: Mapping[str, str], *, most_firing: int, durable: bool = False
) -> AsyncSink:
    """
    The sink that *settings* describe; *environment* may hold its secrets. Raises ``SinkError``.

    Each way is imported where it is asked for: HTTP alone takes a third of a second to load.
    """
    match settings:
        case AlertmanagerSettings():
            from sensor.alert.sinks.alertmanager import AlertmanagerSink

            return AlertmanagerSink(settings, environment, most_firing=most_firing)
        case WebhookSettings():
            from sensor.alert.sinks.webhook import WebhookSink

            return WebhookSink(settings, environment)
        case SyslogSettings():
            from sensor.alert.sinks.syslog import SyslogSink

            return SyslogSink(settings)
        case FileSinkSettings():
            from sensor.alert.sinks.threaded import ThreadedSink

            return ThreadedSink(open_file(settings, durable=durable))
        case _:
            assert_never(settings)


def open_file(settings: FileSinkSettings, *, durable: bool) -> Sink:
    """A sink of lines in a file that is moved aside when it is full. Raises ``SinkError``."""
    from sensor.alert.sinks.rotating import RotatingSink

    form = FILE_SINKS[settings.form]
    return RotatingSink(
        settings.name,
        settings.path,
        lambda path: form(path, append=True, durable=durable),
        rotate_octets=settings.rotate_octets,
        keep_files=settings.keep_files,
    )
