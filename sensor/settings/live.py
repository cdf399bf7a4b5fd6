"""How interfaces are captured: ``[live]``."""

from __future__ import annotations

from dataclasses import dataclass

from sensor.settings.checks import interfaces, ports, true_or_false, whole
from sensor.settings.section import Section


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """
    How interfaces are captured. ``ports`` none: those of the core; an empty list: every frame is let through.

    ``ring_octets`` are those of one interface and worker. After ``block_timeout_ms`` at the latest, frames are shown.
    """

    interfaces: tuple[str, ...] = ()
    ports: tuple[int, ...] | None = None
    ring_octets: int = 67_108_864
    snap_octets: int = 262_144
    promiscuous: bool = True
    workers: int = 1
    block_timeout_ms: int = 50


LIVE = Section(
    "live",
    LiveSettings,
    {
        "interfaces": interfaces,
        "ports": ports,
        "ring_octets": whole(262_144, 2_147_483_648),
        "snap_octets": whole(64, 262_144),
        "promiscuous": true_or_false,
        "workers": whole(1, 64),
        "block_timeout_ms": whole(1, 1_000),
    },
)
