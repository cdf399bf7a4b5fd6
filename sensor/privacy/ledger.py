"""The ledger as reports and the API see it under pseudonyms: the same accounts, other names."""

from __future__ import annotations

import copy
from collections.abc import Iterator

from sensor.ledger import Account, Forwards, LedgerView
from sensor.privacy.names import Names


class VeiledLedger:
    """What is asked of *ledger* about forwarders, with every mailbox, destination and domain under its pseudonym."""

    def __init__(self, ledger: LedgerView, names: Names) -> None:
        self._ledger, self._names = ledger, names

    @property
    def duplicates(self) -> int:
        return self._ledger.duplicates

    @property
    def mailboxes_evicted(self) -> int:
        return self._ledger.mailboxes_evicted

    @property
    def forwarders_evicted(self) -> int:
        return self._ledger.forwarders_evicted

    def forwarders(self) -> list[tuple[str, Account, Forwards]]:
        """As the ledger ranks them; those of equal counts by their pseudonyms, so that the order tells no name."""
        shown = []
        for mailbox, account, forwards in self._ledger.forwarders():
            shown.append((self._names.address(mailbox), account, self._veiled(forwards)))
        return sorted(
            shown, key=lambda each: (-each[2].automatic, -each[2].total, -each[2].paired, -each[2].attempts, each[0])
        )

    def each_forwarder(self) -> Iterator[tuple[str, Forwards]]:
        for mailbox, forwards in self._ledger.each_forwarder():
            yield self._names.address(mailbox), self._veiled(forwards)

    def _veiled(self, forwards: Forwards) -> Forwards:
        own = copy.copy(forwards)
        own.destinations = {self._names.address(each): facts for each, facts in forwards.destinations.items()}
        own.domains = {self._names.domain(each): facts for each, facts in forwards.domains.items()}
        return own
