"""The HTTP face: ``[web]``."""

from __future__ import annotations

from dataclasses import dataclass

from sensor.settings.checks import file, listen, true_or_false, whole
from sensor.settings.section import Section


@dataclass(frozen=True, slots=True)
class WebSettings:
    """
    The HTTP face. ``listen`` is ``host:port``, "" for none; ``config_file`` is a web config file in the format of
    Prometheus's exporter-toolkit, with certificates and users.
    """

    listen: str = "127.0.0.1:9465"
    config_file: str = ""
    allow_without_auth: bool = False
    allow_reload: bool = False
    connections: int = 64
    top_mailboxes: int = 50
    recent_records: int = 1_000


WEB = Section(
    "web",
    WebSettings,
    {
        "listen": listen,
        "config_file": file,
        "allow_without_auth": true_or_false,
        "allow_reload": true_or_false,
        "connections": whole(2, 1_000),
        "top_mailboxes": whole(0, 1_000),
        "recent_records": whole(0, 100_000),
    },
)
