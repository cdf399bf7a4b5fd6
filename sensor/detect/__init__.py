"""The detectors: small events in, findings out."""

from sensor.detect.base import BaseDetector, Detector, Option, Out, State
from sensor.detect.events import DetectorEvent

__all__ = ["BaseDetector", "Detector", "DetectorEvent", "Option", "Out", "State"]
