"""The detectors: small events in, findings out."""

from collections.abc import Mapping
from typing import Any

from sensor.detect.archive_sent import ArchiveSent
from sensor.detect.auto_forward_ratio import AutoForwardRatio
from sensor.detect.base import BaseDetector, Detector, Option, OptionError, Out, State
from sensor.detect.events import DetectorEvent
from sensor.detect.forward_volume_shift import ForwardVolumeShift
from sensor.detect.forwarding_blocked import ForwardingBlocked
from sensor.detect.machine_paced_forwarding import MachinePacedForwarding
from sensor.detect.new_destination import NewDestination
from sensor.detect.new_forwarder import NewForwarder
from sensor.detect.runner import LIMITS, Runner
from sensor.detect.shared_destination import SharedDestination
from sensor.detect.silent_copy import SilentCopy

__all__ = [
    "DETECTORS",
    "LIMITS",
    "BaseDetector",
    "Detector",
    "DetectorEvent",
    "Option",
    "OptionError",
    "Out",
    "Runner",
    "State",
    "detectors",
    "known_options",
]

DETECTORS: tuple[type[BaseDetector[Any, Any]], ...] = (
    NewForwarder,
    NewDestination,
    SharedDestination,
    ForwardingBlocked,
    ArchiveSent,
    AutoForwardRatio,
    SilentCopy,
    MachinePacedForwarding,
    ForwardVolumeShift,
)
"""The one list of them, in the order in which they see an event: whoever derives stands before those that listen."""


def known_options() -> dict[str, dict[str, tuple[float, float]]]:
    """What can be set: by detector, then option, the least and the greatest value allowed."""
    return {each.name: {option.name: (option.low, option.high) for option in each.OPTIONS} for each in DETECTORS}


def detectors(settings: Mapping[str, Mapping[str, float | bool]] | None = None) -> tuple[BaseDetector[Any, Any], ...]:
    """
    Every detector that is enabled, with its options from *settings*: by detector, then option, and "enabled".

    Raises ``OptionError``.
    """
    made = []
    for each in DETECTORS:
        given = dict((settings or {}).get(each.name, {}))
        if given.pop("enabled", True):
            made.append(each(given))
    return tuple(made)
