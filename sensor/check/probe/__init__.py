"""Proves the chain: a mail of our own goes in, and the sensor that runs is asked whether it saw it."""

from sensor.check.probe.look import look
from sensor.check.probe.mail import ProbeMail

__all__ = ["ProbeMail", "look"]
