"""All cases, in the order in which they are made."""

from lab import CASES

from . import auth, delivery, extensions, forwarding, lookalikes, refusal, wire

__all__ = ["CASES", "auth", "delivery", "extensions", "forwarding", "lookalikes", "refusal", "wire"]
