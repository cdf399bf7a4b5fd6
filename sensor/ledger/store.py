"""
The ledger: an account for each mailbox, in bounded memory.

Accounts without forwards live in two generations. When the young one is full, the old one is dropped and the young
takes its place; whoever is seen again moves back among the young. So what is dropped was not seen for at least half
the bound, and no update costs more than a few look-ups. Mailboxes that forward are kept apart and do not age; where
there are too many, those with the fewest forwards lose their forwards and age like others.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from sensor.ledger.blob import BlobFault, decode, encode
from sensor.ledger.copies import Copies, Copy, Hops, copy_key
from sensor.ledger.limits import Bounds
from sensor.ledger.mailbox import CELLS, PAIRED, Account, Activity, AttemptView, Forwards, ForwardView, Room
from sensor.ledger.population import Population
from sensor.ledger.windows import MAX_OCTETS, STEP_MARK, WindowedCount, mark_of, within_time
from sensor.model import Evidence

_NOBODY = Activity()


class Active(NamedTuple):
    """Mailboxes that had mail in 7 days, and those of them that forwarded to outside by a rule."""

    mailboxes: int
    forwarders: int


class Ledger:
    """
    Counts mail and forwards for each mailbox.

    *watches* says whose accounts are kept; without it, everybody's. Addresses are given in lower case, times in
    milliseconds of packet time. Mail may come in any order. Nothing raises.
    """

    def __init__(
        self, *, watches: Callable[[str], bool] | None = None, limits: Mapping[str, int] | None = None
    ) -> None:
        bounds = Bounds(limits)
        self._watches = watches
        self._max_generation = bounds.mailboxes // 2
        self._max_forwarders = bounds.forwarders
        self._max_characters = bounds.address_characters
        self._room = Room(bounds.destinations, bounds.all_destinations, bounds.address_characters)
        self._young: dict[str, Account] = {}
        self._old: dict[str, Account] = {}
        self._forwarders: dict[str, Account] = {}
        self._copies = Copies(bounds.recent_messages)
        self._hops = Hops(bounds.recent_mails)
        # What addresses that are too long share: counted like others, kept like none.
        self._too_long = Account(0)
        self._active = Population()
        self._forwarding = Population()
        # Names whose accounts changed since they were last asked for; none: nobody asked yet, or too many changed.
        self._changed: set[str] | None = None
        self._max_changed = 2 * bounds.mailboxes + bounds.forwarders
        self.mailboxes_evicted = 0
        self.forwarders_evicted = 0
        self.duplicates = 0
        self.addresses_too_long = 0

    # ---- counting

    def count_mail(
        self, sender: str | None, recipients: Iterable[str], at_ms: int, octets: int = 0, message: int = 0
    ) -> None:
        """
        Count a mail as sent by *sender* (none or empty: nobody's) and received by each of *recipients*.

        *message* is a fingerprint of its Message-ID, 0 where there is none: with it, further hops of the mail count
        neither for its sender again nor for any recipient. So whoever sends a mailbox one Message-ID over and over
        counts once there for an hour or two.
        """
        watches, mark = self._watches, mark_of(at_ms)
        if octets > MAX_OCTETS:  # noqa: PLR1730 - three times as fast as min() where each mail passes
            octets = MAX_OCTETS
        is_first = self._hops.is_first
        if (
            sender
            and (watches is None or watches(sender))
            and (not message or is_first(~message ^ hash(sender), at_ms))
        ):
            self._send(sender, at_ms, mark, octets)
        for address in recipients:
            # A sender's key is the complement, so that who writes to himself counts both ways.
            if (watches is None or watches(address)) and (not message or is_first(message ^ hash(address), at_ms)):
                self._receive(address, at_ms, mark, octets)

    def _send(self, mailbox: str, at_ms: int, mark: int, octets: int) -> None:
        account = self._young.get(mailbox) or self._account(mailbox, at_ms)
        out = account.out
        if out is None:
            account.out = WindowedCount.starting(mark, octets)
            self._advance(account, None, mark, account.in_)
        elif (before := out.put(mark, octets)) is not None:
            self._advance(account, before, mark, account.in_)
        if at_ms < account.since_ms:
            account.since_ms = within_time(at_ms)
        if self._changed is not None:
            self._note(mailbox)

    def _receive(self, mailbox: str, at_ms: int, mark: int, octets: int) -> None:
        account = self._young.get(mailbox) or self._account(mailbox, at_ms)
        in_ = account.in_
        if in_ is None:
            account.in_ = WindowedCount.starting(mark, octets)
            self._advance(account, None, mark, account.out)
        elif (before := in_.put(mark, octets)) is not None:
            self._advance(account, before, mark, account.out)
        if at_ms < account.since_ms:
            account.since_ms = within_time(at_ms)
        if self._changed is not None:
            self._note(mailbox)

    def count_forward(self, forward: ForwardView, *, message_id: str | None, slugs: Iterable[str] = ()) -> bool:
        """
        Count a forward; false if it is a further hop of a copy that was counted already.

        The same message from the same mailbox to the same destination counts once, however many hops show it. Where
        pairing found it first and its marks are seen later, it moves from ``paired`` to the cell of its marks.
        """
        keys = _copy_keys("forward", forward.mailbox, forward.destinations, message_id)
        known = {key: copy for key in keys if (copy := self._copies.recall(key)) is not None}
        for copy in {id(each): each for each in known.values()}.values():
            if copy.cell == PAIRED and forward.cell != CELLS[PAIRED]:
                self._recast(copy, forward, slugs)
        if keys and len(known) == len(keys):
            self.duplicates += 1
            return False
        fresh = {key: address for key, address in keys.items() if key not in known}
        destinations = tuple(fresh.values()) if forward.destinations and keys else forward.destinations
        forwards = self._forwards(forward.mailbox, forward.at_ms)
        before = forwards.newest_rule_step
        self._copies.remember(fresh, forwards.add(forward, destinations, slugs, self._room))
        self._forwarding.move(before, forwards.newest_rule_step)
        return True

    def count_attempt(
        self,
        attempt: AttemptView,
        *,
        message_id: str | None = None,
        evidence: Evidence | None = None,
        slugs: Iterable[str] = (),
    ) -> bool:
        """
        Count a forward that no server took responsibility for; false if it is a further try of a copy already counted.
        """
        keys = _copy_keys("attempt", attempt.mailbox, attempt.destinations, message_id)
        if keys and all(self._copies.recall(key) is not None for key in keys):
            return False
        self._copies.remember(keys, Copy(0, 0, attempt.at_ms, 0))
        self._forwards(attempt.mailbox, attempt.at_ms).add_attempt(attempt, evidence, slugs)
        return True

    # ---- asking

    def activity(self, mailbox: str, at_ms: int) -> Activity:
        """What *mailbox* received and sent in the windows that end at a time."""
        account = self.account(mailbox)
        return account.activity(at_ms) if account is not None else _NOBODY

    def population(self, at_ms: int) -> Active:
        """How many mailboxes were active, and how many forwarded to outside by a rule, in the 7 days before a time."""
        return Active(self._active.active(at_ms), self._forwarding.active(at_ms))

    def forwarders(self) -> list[tuple[str, Account, Forwards]]:
        """Mailboxes that forwarded or tried to: most automatic forwards first, then most forwards, then by name."""
        shown = [
            (mailbox, account, account.forwards)
            for mailbox, account in self._forwarders.items()
            if account.forwards is not None
        ]
        return sorted(
            shown, key=lambda each: (-each[2].automatic, -each[2].total, -each[2].paired, -each[2].attempts, each[0])
        )

    def each_forwarder(self) -> Iterator[tuple[str, Forwards]]:
        """Mailboxes that forwarded or tried to, in no order."""
        return ((name, each.forwards) for name, each in self._forwarders.items() if each.forwards is not None)

    def account(self, mailbox: str) -> Account | None:
        """The account of *mailbox*, if it has one."""
        return self._young.get(mailbox) or self._forwarders.get(mailbox) or self._old.get(mailbox)

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys() | self._forwarders.keys())

    # ---- keeping

    def changed(self, *, everything: bool = False) -> Generator[tuple[str, bytes]]:
        """
        The accounts that changed since the last call, each with its blob; all of them at the first call, and with
        *everything*. An empty blob: the mailbox was forgotten.

        Where more changed than the ledger holds, all are given too, and those forgotten meanwhile are not named. What a
        reader does not come to, or was given last when it stopped, is given again next time.
        """
        names, self._changed = self._changed, set()
        if names is None or everything:
            names = self._young.keys() | self._old.keys() | self._forwarders.keys()
        try:
            for name in tuple(names):
                account = self.account(name)
                yield name, encode(account) if account is not None else b""
                names.discard(name)
        finally:
            if self._changed is not None:
                self._changed |= names

    def restore(self, mailbox: str, blob: bytes) -> BlobFault | None:
        """Open the account that a blob holds, in place of any other; none if that went well, else what is wrong."""
        if len(mailbox) > self._max_characters:
            return "too_large"
        account = decode(blob, self._room)
        if not isinstance(account, Account):
            return account
        self._forget(mailbox)
        self._keep(mailbox, account)
        self._active.move(None, account.newest_step)
        if account.forwards is not None:
            self._enter_forwarder(mailbox, account)
            self._forwarding.move(None, account.forwards.newest_rule_step)
        return None

    def forget(self, mailbox: str) -> None:
        """Close the account of a mailbox, if it has one, and remember nothing of it."""
        self._forget(mailbox)

    # ---- accounts

    def _advance(self, account: Account, before: int | None, mark: int, other: WindowedCount | None) -> None:
        """A mailbox, active in one way in the six hours *before*, is so now; *other* is what it does the other way."""
        after = mark // STEP_MARK
        if other is not None:
            seen = other.newest_step
            if seen >= after:
                return
            if before is None or seen > before:
                before = seen
        if account is not self._too_long:
            self._active.move(before, after)

    def _account(self, mailbox: str, at_ms: int) -> Account:
        """The account of a mailbox that is not among the young, found elsewhere or opened, and made young."""
        if len(mailbox) > self._max_characters:
            self.addresses_too_long += 1
            return self._too_long
        account = self._old.pop(mailbox, None) or self._forwarders.get(mailbox) or Account(within_time(at_ms))
        self._keep(mailbox, account)
        return account

    def _keep(self, mailbox: str, account: Account) -> None:
        """Make an account young, and drop the old ones where there are too many."""
        if len(self._young) >= self._max_generation:
            for name, each in self._old.items():
                if each.forwards is None:
                    self._evict(name, each)
            self._old, self._young = self._young, {}
        self._young[mailbox] = account

    def _evict(self, mailbox: str, account: Account) -> None:
        self.mailboxes_evicted += 1
        self._active.move(account.newest_step, None)
        if self._changed is not None:
            self._note(mailbox)

    def _note(self, mailbox: str) -> None:
        """Remember that an account changed."""
        if self._changed is not None:
            self._changed.add(mailbox)
            if len(self._changed) > self._max_changed:
                self._changed = None

    def _forget(self, mailbox: str) -> None:
        """Close an account, if there is one."""
        account = self._young.pop(mailbox, None) or self._old.pop(mailbox, None) or self._forwarders.get(mailbox)
        if account is None:
            return
        self._active.move(account.newest_step, None)
        self._leave_forwarder(mailbox, account)

    def _forwards(self, mailbox: str, at_ms: int) -> Forwards:
        """What a mailbox forwards; it joins the forwarders if it is none yet."""
        account = self._young.get(mailbox) or self._account(mailbox, at_ms)
        if self._changed is not None:
            self._note(mailbox)
        if account.forwards is None:
            account.forwards = Forwards(within_time(at_ms))
            if account is not self._too_long:
                self._enter_forwarder(mailbox, account)
        return account.forwards

    def _enter_forwarder(self, mailbox: str, account: Account) -> None:
        if len(self._forwarders) >= self._max_forwarders:
            self._evict_forwarders()
        self._forwarders[mailbox] = account

    def _leave_forwarder(self, mailbox: str, account: Account) -> None:
        forwards = account.forwards
        if forwards is None:
            return
        self._forwarding.move(forwards.newest_rule_step, None)
        self._room.give_back(len(forwards.destinations) + len(forwards.domains))
        account.forwards = None
        self._forwarders.pop(mailbox, None)

    def _evict_forwarders(self) -> None:
        """Drop an eighth at once, so that the sort is paid once in many evictions."""
        fewest_last = self.forwarders()
        for mailbox, account, _ in fewest_last[-max(1, len(fewest_last) // 8) :]:
            self._leave_forwarder(mailbox, account)
            self.forwarders_evicted += 1
            if mailbox not in self._young and mailbox not in self._old:
                self._evict(mailbox, account)
            elif self._changed is not None:
                self._note(mailbox)

    def _recast(self, copy: Copy, forward: ForwardView, slugs: Iterable[str]) -> None:
        """Move a forward that was counted as paired to the cell of its marks, unless it has been forgotten."""
        account = self.account(forward.mailbox)
        if account is None or account.forwards is None:
            return
        before = account.forwards.newest_rule_step
        account.forwards.recast(copy, forward, slugs)
        self._forwarding.move(before, account.forwards.newest_rule_step)
        if self._changed is not None:
            self._note(forward.mailbox)


def _copy_keys(what: str, mailbox: str, destinations: Sequence[str], message_id: str | None) -> dict[bytes, str]:
    """A key for each destination that a message went to; none where no Message-ID tells copies from other mail."""
    if message_id is None:
        return {}
    return {copy_key(what, message_id, mailbox, address): address for address in destinations or ("",)}
