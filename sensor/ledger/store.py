"""
The ledger: an account for each mailbox, in bounded memory.

Accounts without forwards live in two generations. When the young one is full, the old one is dropped and the young
takes its place; whoever is seen again moves back among the young. So what is dropped was not seen for at least half
the bound, and no update costs more than a few look-ups. Mailboxes that forward are kept apart and do not age.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from sensor.ledger.mailbox import Account, Forwards
from sensor.model import Forwarding

LIMITS: tuple[tuple[str, str, int], ...] = (
    (
        "ledger_mailboxes",
        "Mailboxes with counts of mail sent and received; some 200 octets each. Those not seen longest go first.",
        1_000_000,
    ),
    (
        "ledger_forwarders",
        "Mailboxes that forward, with their destinations. Beyond it those with the fewest forwards are dropped.",
        50_000,
    ),
    (
        "ledger_destinations",
        "Destinations kept of one mailbox. A person's hand forwards go to dozens of addresses, a rule's to a few.",
        200,
    ),
    (
        "ledger_recent_messages",
        "Forwards remembered so that the next hop of the same copy is not counted again; hops follow within minutes.",
        65_536,
    ),
)


class Ledger:
    """
    Counts mail and forwards for each mailbox.

    *watches* says whose accounts are kept; without it, everybody's. Addresses are given in lower case. Nothing raises.
    """

    def __init__(
        self, *, watches: Callable[[str], bool] | None = None, limits: Mapping[str, int] | None = None
    ) -> None:
        bounds = {name: default for name, _, default in LIMITS} | dict(limits or {})
        self._watches = watches
        self._max_generation = max(1, bounds["ledger_mailboxes"] // 2)
        self._max_forwarders = max(1, bounds["ledger_forwarders"])
        self._max_destinations = bounds["ledger_destinations"]
        self._max_recent = max(1, bounds["ledger_recent_messages"])
        self._young: dict[str, Account] = {}
        self._old: dict[str, Account] = {}
        self._forwarders: dict[str, Account] = {}
        self._recent: dict[tuple[str, str, tuple[str, ...]], None] = {}
        self.mailboxes_evicted = 0
        self.forwarders_evicted = 0
        self.duplicates = 0

    def count_mail(self, sender: str | None, recipients: Iterable[str]) -> None:
        """Count a mail as sent by *sender* (none or empty: nobody's) and received by each of *recipients*."""
        watches = self._watches
        if sender and (watches is None or watches(sender)):
            (self._young.get(sender) or self._account(sender)).sent += 1
        for address in recipients:
            if watches is None or watches(address):
                (self._young.get(address) or self._account(address)).received += 1

    def count_forward(self, forwarding: Forwarding, *, at_ns: int, message_id: str | None) -> None:
        """
        Count a forward of ``forwarding.mailbox``.

        The same message from the same mailbox to the same destinations counts once, however many hops show it.
        """
        mailbox = forwarding.mailbox
        if mailbox is None or not self._is_first_hop(forwarding, mailbox, message_id):
            return
        self._forwards(mailbox, at_ns).add(forwarding, at_ns, self._max_destinations)

    def count_attempt(self, forwarding: Forwarding, *, at_ns: int) -> None:
        """Count a forward that no server took responsibility for."""
        if forwarding.mailbox is not None:
            self._forwards(forwarding.mailbox, at_ns).add_attempt(forwarding, at_ns)

    def forwarders(self) -> list[tuple[str, Account, Forwards]]:
        """Mailboxes that forwarded or tried to: most automatic forwards first, then most forwards, then by name."""
        shown = [
            (mailbox, account, account.forwards)
            for mailbox, account in self._forwarders.items()
            if account.forwards is not None
        ]
        return sorted(shown, key=lambda each: (-each[2].automatic, -each[2].total, -each[2].attempts, each[0]))

    def account(self, mailbox: str) -> Account | None:
        """The account of *mailbox*, if it has one."""
        return self._young.get(mailbox) or self._forwarders.get(mailbox) or self._old.get(mailbox)

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys() | self._forwarders.keys())

    def _account(self, mailbox: str) -> Account:
        """The account of a mailbox that is not among the young, found elsewhere or opened, and made young."""
        account = self._old.pop(mailbox, None) or self._forwarders.get(mailbox) or Account()
        if len(self._young) >= self._max_generation:
            self.mailboxes_evicted += sum(each.forwards is None for each in self._old.values())
            self._old, self._young = self._young, {}
        self._young[mailbox] = account
        return account

    def _forwards(self, mailbox: str, at_ns: int) -> Forwards:
        account = self._young.get(mailbox) or self._account(mailbox)
        if account.forwards is None:
            if len(self._forwarders) >= self._max_forwarders:
                self._evict_forwarders()
            account.forwards = Forwards(at_ns)
            self._forwarders[mailbox] = account
        return account.forwards

    def _evict_forwarders(self) -> None:
        """Drop an eighth at once, so that the sort is paid once in many evictions."""
        fewest_last = self.forwarders()
        for mailbox, account, _ in fewest_last[-max(1, len(fewest_last) // 8) :]:
            account.forwards = None
            del self._forwarders[mailbox]
            self.forwarders_evicted += 1

    def _is_first_hop(self, forwarding: Forwarding, mailbox: str, message_id: str | None) -> bool:
        if message_id is None:
            return True
        key = (message_id, mailbox, forwarding.destinations)
        if key in self._recent:
            self.duplicates += 1
            return False
        if len(self._recent) >= self._max_recent:
            del self._recent[next(iter(self._recent))]
        self._recent[key] = None
        return True
