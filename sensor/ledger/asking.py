"""What reports ask of the ledger: all that they may know of it, so that it can be shown under other names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from sensor.ledger.mailbox import Account, Forwards


class LedgerView(Protocol):
    """Who forwards, and what was left out of the accounts."""

    @property
    def duplicates(self) -> int: ...
    @property
    def mailboxes_evicted(self) -> int: ...
    @property
    def forwarders_evicted(self) -> int: ...
    def forwarders(self) -> list[tuple[str, Account, Forwards]]: ...
    def each_forwarder(self) -> Iterator[tuple[str, Forwards]]: ...
