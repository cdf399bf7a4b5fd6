"""The ledger as reports and the API see it under pseudonyms: the same accounts, other names."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, cast

from sensor.ledger import Account, Destination, Forwards, LedgerView
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
        shown = [
            (self._names.address(mailbox), account, self._veiled(forwards))
            for mailbox, account, forwards in self._ledger.forwarders()
        ]
        return sorted(
            shown, key=lambda each: (-each[2].automatic, -each[2].total, -each[2].paired, -each[2].attempts, each[0])
        )

    def each_forwarder(self) -> Iterator[tuple[str, Forwards]]:
        for mailbox, forwards in self._ledger.each_forwarder():
            yield self._names.address(mailbox), self._veiled(forwards)

    def _veiled(self, forwards: Forwards) -> Forwards:
        return cast("Forwards", _VeiledForwards(forwards, self._names))


class _VeiledForwards:
    """
    All that *forwards* is, but for names, which are made when they are asked for: who lists thousands of mailboxes
    shows the destinations of some.
    """

    def __init__(self, forwards: Forwards, names: Names) -> None:
        self._forwards, self._names = forwards, names

    @cached_property
    def destinations(self) -> dict[str, Destination]:
        return {self._names.address(each): facts for each, facts in self._forwards.destinations.items()}

    @cached_property
    def domains(self) -> dict[str, Destination]:
        return {self._names.domain(each): facts for each, facts in self._forwards.domains.items()}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._forwards, name)
