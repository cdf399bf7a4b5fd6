"""What is done to mail that passes through our hands: a verdict for each, by the rules that an admin set."""

from sensor.inline.judge import Judge
from sensor.inline.policy import OBSERVE, Policy, Verdict

__all__ = ["OBSERVE", "Judge", "Policy", "Verdict"]
