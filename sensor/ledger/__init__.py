"""The account of each mailbox: what it sent, received and forwarded, over sliding windows and in all."""

from sensor.ledger.asking import LedgerView
from sensor.ledger.blob import BlobFault
from sensor.ledger.limits import LIMITS
from sensor.ledger.mailbox import CELLS, Account, Activity, Cell, Destination, Forwards, Scope
from sensor.ledger.store import Active, Ledger
from sensor.ledger.timeline import Bucket
from sensor.ledger.windows import DAY, HOUR, WEEK, WINDOWS, Count, Window

__all__ = [
    "CELLS",
    "DAY",
    "HOUR",
    "LIMITS",
    "WEEK",
    "WINDOWS",
    "Account",
    "Active",
    "Activity",
    "BlobFault",
    "Bucket",
    "Cell",
    "Count",
    "Destination",
    "Forwards",
    "Ledger",
    "LedgerView",
    "Scope",
    "Window",
]
