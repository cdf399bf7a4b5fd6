"""Where alerts go: whether it answers. It is asked only with ``--probe``: a check should surprise nobody."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

from sensor.alert.sinks.base import SinkError
from sensor.alert.sinks.syslog import PORTS
from sensor.alert.sinks.tls import tls_context
from sensor.check.base import Check, Line, Subject, fail, ok, warn
from sensor.settings import HttpSinkSettings, SinkSettings, SyslogSettings, TlsSettings

_PATIENCE_S = 3.0


def _look(subject: Subject) -> Iterator[Line]:
    if not subject.settings.alerts.sinks and not subject.settings.run.alerts:
        yield warn("alerts", "go nowhere: neither run.alerts nor an [[alerts.sink]] is set", "set one")
    for sink in subject.settings.alerts.sinks:
        what = f"alerts.sink {sink.name}"
        place = _place(sink)
        if place is None:
            continue
        host, port, tls = place
        if not subject.probe:
            yield ok(what, f"{host}:{port}, not asked (--probe asks)")
            continue
        try:
            yield ok(what, _ask(sink, host, port, tls))
        except (OSError, SinkError) as error:
            yield fail(what, f"{host}:{port}: {error}", "look at address, firewall and certificate")


def _place(sink: SinkSettings) -> tuple[str, int, TlsSettings | None] | None:
    """Host, port, and how TLS is spoken, if it is; none for files."""
    if isinstance(sink, HttpSinkSettings):
        parts = urlsplit(sink.url)
        is_tls = parts.scheme == "https"
        return parts.hostname or "", parts.port or (443 if is_tls else 80), sink.tls if is_tls else None
    if isinstance(sink, SyslogSettings):
        port = sink.port or PORTS[sink.transport]
        return sink.host, port, sink.tls if sink.transport == "tls" else None
    return None


def _ask(sink: SinkSettings, host: str, port: int, tls: TlsSettings | None) -> str:
    """Connect, and shake hands where TLS is spoken. Nothing is sent."""
    if isinstance(sink, SyslogSettings) and sink.transport == "udp":
        socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        return f"{host}:{port}: its name is known; UDP does not tell more"
    with socket.create_connection((host, port), _PATIENCE_S) as connection:
        if tls is None:
            return f"{host}:{port} answers"
        with tls_context(tls).wrap_socket(connection, server_hostname=host) as wrapped:
            return f"{host}:{port} answers, {wrapped.version()}, and shows a certificate that holds"


SINKS = Check("sinks", "where alerts go", _look)
