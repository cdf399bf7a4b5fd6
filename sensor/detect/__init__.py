"""The detectors: small events in, findings out."""

from sensor.detect.base import Detector, Option, Out
from sensor.detect.events import DetectorEvent

__all__ = ["Detector", "DetectorEvent", "Option", "Out"]
