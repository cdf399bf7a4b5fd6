"""The account of each mailbox: what it sent, received and forwarded."""

from sensor.ledger.mailbox import Account, Destination, Forwards
from sensor.ledger.store import LIMITS, Ledger

__all__ = ["LIMITS", "Account", "Destination", "Forwards", "Ledger"]
