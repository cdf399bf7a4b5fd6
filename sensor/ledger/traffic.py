"""
What each mailbox sent and received, in bounded memory: the part of the ledger that every mail passes.

Accounts live in two generations. When the young one is full, the old one is dropped and the young takes its place;
whoever is seen again moves back among the young. So what is dropped was not seen for at least half the bound, and no
update costs more than a few look-ups. Accounts of those that forward are held, and do not age.

The core does the same in a quarter of the time (``sensor._core.Traffic``), and is tested against ``PlainTraffic``,
which is for whoever has no core at hand.
"""

from __future__ import annotations

from typing import Protocol

from sensor.ledger.copies import Hops
from sensor.ledger.mailbox import Account
from sensor.ledger.population import Population
from sensor.ledger.windows import STEP_MARK, WindowedCount, mark_of, within_time

Words = bytes | None
"""A ``WindowedCount`` as its words lie in memory; none where there is none."""


class Traffic(Protocol):
    """
    Accounts by address (in lower case); times are ``within_time``, octets at most ``MAX_OCTETS``. Nothing raises.

    ``evicted`` counts mailboxes forgotten for want of room, ``addresses_too_long`` the look-ups of such addresses,
    which share one account that nobody sees.
    """

    @property
    def evicted(self) -> int: ...
    @property
    def addresses_too_long(self) -> int: ...

    def count(self, sender: str | None, recipients: list[str], at_ms: int, octets: int, message: int) -> None:
        """Count a mail, and none of its further hops if *message* (64 bits, 0: not known) tells which mail it is."""
        ...

    def open(self, mailbox: str, at_ms: int) -> bool:
        """Open an account if there is none, and make it young; false for an address that is too long for one."""
        ...

    def account(self, mailbox: str) -> tuple[int, Words, Words] | None:
        """Time of the first mail, what was received, and what was sent."""
        ...

    def put(self, mailbox: str, since_ms: int, received: Words, sent: Words) -> None:
        """Take an account in place of any other; it is not held. The words are such as ``account`` gives."""
        ...

    def hold(self, mailbox: str) -> None:
        """Keep the account until it is let go."""
        ...

    def let_go(self, mailbox: str) -> None:
        """Let the account age; it is forgotten if it has aged meanwhile."""
        ...

    def forget(self, mailbox: str) -> None:
        """Close the account, if there is one."""
        ...

    def active(self, at_ms: int) -> int:
        """How many mailboxes were active in the 7 days before a time."""
        ...

    def names(self) -> list[str]: ...

    def note(self, mailbox: str) -> None:
        """Remember that the account changed, as it was not counted here."""
        ...

    def take_changed(self) -> list[str] | None:
        """Whose accounts changed since the last call; none at the first one, and where too many changed."""
        ...

    def __len__(self) -> int: ...


class PlainTraffic:
    """The same in plain Python."""

    def __init__(self, *, mailboxes: int, recent_mails: int, address_characters: int, changed: int) -> None:
        self._max_generation = mailboxes // 2
        self._max_characters = address_characters
        self._max_changed = changed
        self._young: dict[str, Account] = {}
        self._old: dict[str, Account] = {}
        self._held: dict[str, Account] = {}
        self._hops = Hops(recent_mails)
        self._too_long = Account(0)
        self._active = Population()
        # Names whose accounts changed since they were last asked for; none: nobody asked yet, or too many changed.
        self._changed: set[str] | None = None
        self.evicted = 0
        self.addresses_too_long = 0

    def count(self, sender: str | None, recipients: list[str], at_ms: int, octets: int, message: int) -> None:
        mark, is_first = mark_of(at_ms), self._hops.is_first
        # A sender's key is the complement, so that who writes to himself counts both ways.
        if sender and (not message or is_first(~message ^ hash(sender), at_ms)):
            account = self._account(sender, at_ms)
            account.out = self._counted(account, account.out, account.in_, mark, octets)
            account.since_ms = min(account.since_ms, at_ms)
            self.note(sender)
        for address in recipients:
            if not message or is_first(message ^ hash(address), at_ms):
                account = self._account(address, at_ms)
                account.in_ = self._counted(account, account.in_, account.out, mark, octets)
                account.since_ms = min(account.since_ms, at_ms)
                self.note(address)

    def open(self, mailbox: str, at_ms: int) -> bool:
        return self._account(mailbox, at_ms) is not self._too_long

    def account(self, mailbox: str) -> tuple[int, Words, Words] | None:
        account = self._find(mailbox)
        return None if account is None else (account.since_ms, words_of(account.in_), words_of(account.out))

    def put(self, mailbox: str, since_ms: int, received: Words, sent: Words) -> None:
        self.forget(mailbox)
        account = Account(since_ms)
        account.in_, account.out = count_of(received), count_of(sent)
        self._keep(mailbox, account)
        self._active.move(None, account.newest_step)

    def hold(self, mailbox: str) -> None:
        account = self._find(mailbox)
        if account is not None:
            self._held[mailbox] = account

    def let_go(self, mailbox: str) -> None:
        account = self._held.pop(mailbox, None)
        if account is None:
            return
        if mailbox not in self._young and mailbox not in self._old:
            self.evicted += 1
            self._active.move(account.newest_step, None)
        self.note(mailbox)

    def forget(self, mailbox: str) -> None:
        account = self._find(mailbox)
        if account is not None:
            for accounts in (self._young, self._old, self._held):
                accounts.pop(mailbox, None)
            self._active.move(account.newest_step, None)

    def active(self, at_ms: int) -> int:
        return self._active.active(at_ms)

    def names(self) -> list[str]:
        return list(self._young.keys() | self._old.keys() | self._held.keys())

    def note(self, mailbox: str) -> None:
        if self._changed is not None:
            self._changed.add(mailbox)
            if len(self._changed) > self._max_changed:
                self._changed = None

    def take_changed(self) -> list[str] | None:
        changed, self._changed = self._changed, set()
        return None if changed is None else list(changed)

    def __len__(self) -> int:
        return len(self.names())

    def _find(self, mailbox: str) -> Account | None:
        return self._young.get(mailbox) or self._old.get(mailbox) or self._held.get(mailbox)

    def _counted(
        self, account: Account, count: WindowedCount | None, other: WindowedCount | None, mark: int, octets: int
    ) -> WindowedCount:
        """*count* with one mail more; *other* is what the account does the other way."""
        before: int | None = None
        if count is None:
            count = WindowedCount.starting(mark, octets)
        else:
            before = count.put(mark, octets)
            if before is None:
                return count
        after, seen = mark // STEP_MARK, None if other is None else other.newest_step
        if (seen is None or seen < after) and account is not self._too_long:
            self._active.move(max((each for each in (before, seen) if each is not None), default=None), after)
        return count

    def _account(self, mailbox: str, at_ms: int) -> Account:
        """The account of a mailbox, made young, found elsewhere or opened."""
        account = self._young.get(mailbox)
        if account is not None:
            return account
        if len(mailbox) > self._max_characters:
            self.addresses_too_long += 1
            return self._too_long
        account = self._old.pop(mailbox, None) or self._held.get(mailbox) or Account(within_time(at_ms))
        self._keep(mailbox, account)
        return account

    def _keep(self, mailbox: str, account: Account) -> None:
        """Make an account young, and drop the old ones where there are too many."""
        if len(self._young) >= self._max_generation:
            for name, each in self._old.items():
                if name not in self._held:
                    self.evicted += 1
                    self._active.move(each.newest_step, None)
                    self.note(name)
            self._old, self._young = self._young, {}
        self._young[mailbox] = account


def count_of(words: Words) -> WindowedCount | None:
    """The count whose words these are."""
    if words is None:
        return None
    count = WindowedCount("q")
    count.frombytes(words)
    return count


def words_of(count: WindowedCount | None) -> Words:
    """The words of a count."""
    return None if count is None else count.tobytes()
