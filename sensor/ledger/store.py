"""
The ledger: an account for each mailbox, in bounded memory.

What ordinary mail is counted in is ``traffic``'s. Mailboxes that forward are kept apart and do not age; where there are
too many, those with the fewest forwards lose their forwards and age like others.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from sensor.ledger.blob import BlobFault, decode, encode
from sensor.ledger.copies import Copies, Copy, copy_key
from sensor.ledger.limits import Bounds
from sensor.ledger.mailbox import CELLS, PAIRED, Account, Activity, AttemptView, Forwards, ForwardView, Room
from sensor.ledger.population import Population
from sensor.ledger.traffic import PlainTraffic, Traffic, count_of, words_of
from sensor.ledger.windows import MAX_OCTETS, within_time
from sensor.model import Evidence

_NOBODY = Activity()


class Active(NamedTuple):
    """Mailboxes that had mail in 7 days, and those of them that forwarded to outside by a rule."""

    mailboxes: int
    forwarders: int


class MakesTraffic(Protocol):
    """Makes the accounts of mail sent and received, within bounds."""

    def __call__(self, *, mailboxes: int, recent_mails: int, address_characters: int, changed: int) -> Traffic: ...


class Ledger:
    """
    Counts mail and forwards for each mailbox.

    *watches* says whose accounts are kept; without it, everybody's. *traffic* makes what counts ordinary mail: the core
    has it faster. Addresses are given in lower case, times in milliseconds of packet time. Mail may come in any order.
    Nothing raises.
    """

    def __init__(
        self,
        *,
        watches: Callable[[str], bool] | None = None,
        limits: Mapping[str, int] | None = None,
        traffic: MakesTraffic = PlainTraffic,
    ) -> None:
        bounds = Bounds(limits)
        self._watches = watches
        self._max_forwarders = bounds.forwarders
        self._max_characters = bounds.address_characters
        self._room = Room(bounds.destinations, bounds.all_destinations, bounds.address_characters)
        self._traffic = traffic(
            mailboxes=bounds.mailboxes,
            recent_mails=bounds.recent_mails,
            address_characters=bounds.address_characters,
            changed=2 * bounds.mailboxes + bounds.forwarders,
        )
        self._forwarders: dict[str, Forwards] = {}
        self._copies = Copies(bounds.recent_messages)
        # What addresses that are too long share: counted like others, kept like none.
        self._too_long: Forwards | None = None
        self._forwarding = Population()
        self.forwarders_evicted = 0
        self.duplicates = 0

    @property
    def mailboxes_evicted(self) -> int:
        """Mailboxes forgotten for want of room."""
        return self._traffic.evicted

    @property
    def addresses_too_long(self) -> int:
        """How often an address came that is too long to have an account."""
        return self._traffic.addresses_too_long

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
        watches = self._watches
        if watches is not None:
            recipients = [address for address in recipients if watches(address)]
            if sender and not watches(sender):
                sender = None
        elif not isinstance(recipients, list):
            recipients = list(recipients)
        if sender or recipients:
            self._traffic.count(sender or None, recipients, within_time(at_ms), min(octets, MAX_OCTETS), message)

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
        return Active(self._traffic.active(within_time(at_ms)), self._forwarding.active(at_ms))

    def forwarders(self) -> list[tuple[str, Account, Forwards]]:
        """Mailboxes that forwarded or tried to: most automatic forwards first, then most forwards, then by name."""
        shown = ((mailbox, self.account(mailbox), forwards) for mailbox, forwards in self._ranked())
        return [(mailbox, account, forwards) for mailbox, account, forwards in shown if account is not None]

    def each_forwarder(self) -> Iterator[tuple[str, Forwards]]:
        """Mailboxes that forwarded or tried to, in no order."""
        return iter(self._forwarders.items())

    def account(self, mailbox: str) -> Account | None:
        """The account of *mailbox* as it is now, if it has one; its forwards are those that go on being counted."""
        known = self._traffic.account(mailbox)
        if known is None:
            return None
        account = Account(known[0])
        account.in_, account.out = count_of(known[1]), count_of(known[2])
        account.forwards = self._forwarders.get(mailbox)
        return account

    def __len__(self) -> int:
        return len(self._traffic)

    # ---- keeping

    def changed(self, *, everything: bool = False) -> Generator[tuple[str, bytes]]:
        """
        The accounts that changed since the last call, each with its blob; all of them at the first call, and with
        *everything*. An empty blob: the mailbox was forgotten.

        Where more changed than the ledger holds, all are given too, and those forgotten meanwhile are not named. What a
        reader does not come to, or was given last when it stopped, is given again next time.
        """
        changed = self._traffic.take_changed()
        names = set(self._traffic.names() if changed is None or everything else changed)
        try:
            for name in tuple(names):
                account = self.account(name)
                yield name, encode(account) if account is not None else b""
                names.discard(name)
        finally:
            for name in names:
                self._traffic.note(name)

    def restore(self, mailbox: str, blob: bytes) -> BlobFault | None:
        """Open the account that a blob holds, in place of any other; none if that went well, else what is wrong."""
        if len(mailbox) > self._max_characters:
            return "too_large"
        account = decode(blob, self._room)
        if not isinstance(account, Account):
            return account
        self.forget(mailbox)
        self._traffic.put(mailbox, account.since_ms, words_of(account.in_), words_of(account.out))
        if account.forwards is not None:
            self._enter_forwarder(mailbox, account.forwards)
            self._forwarding.move(None, account.forwards.newest_rule_step)
        return None

    def forget(self, mailbox: str) -> None:
        """Close the account of a mailbox, if it has one, and remember nothing of it."""
        self._leave_forwarder(mailbox)
        self._traffic.forget(mailbox)

    # ---- those that forward

    def _forwards(self, mailbox: str, at_ms: int) -> Forwards:
        """What a mailbox forwards; it joins the forwarders if it is none yet."""
        if not self._traffic.open(mailbox, within_time(at_ms)):
            if self._too_long is None:
                self._too_long = Forwards(within_time(at_ms))
            return self._too_long
        self._traffic.note(mailbox)
        forwards = self._forwarders.get(mailbox)
        if forwards is None:
            forwards = Forwards(within_time(at_ms))
            self._enter_forwarder(mailbox, forwards)
        return forwards

    def _enter_forwarder(self, mailbox: str, forwards: Forwards) -> None:
        if len(self._forwarders) >= self._max_forwarders:
            self._evict_forwarders()
        self._forwarders[mailbox] = forwards
        self._traffic.hold(mailbox)

    def _leave_forwarder(self, mailbox: str) -> None:
        forwards = self._forwarders.pop(mailbox, None)
        if forwards is not None:
            self._forwarding.move(forwards.newest_rule_step, None)
            self._room.give_back(len(forwards.destinations) + len(forwards.domains))

    def _ranked(self) -> list[tuple[str, Forwards]]:
        return sorted(
            self._forwarders.items(),
            key=lambda each: (-each[1].automatic, -each[1].total, -each[1].paired, -each[1].attempts, each[0]),
        )

    def _evict_forwarders(self) -> None:
        """Drop an eighth at once, so that the sort is paid once in many evictions."""
        fewest_last = self._ranked()
        for mailbox, _ in fewest_last[-max(1, len(fewest_last) // 8) :]:
            self._leave_forwarder(mailbox)
            self._traffic.let_go(mailbox)
            self.forwarders_evicted += 1

    def _recast(self, copy: Copy, forward: ForwardView, slugs: Iterable[str]) -> None:
        """Move a forward that was counted as paired to the cell of its marks, unless it has been forgotten."""
        forwards = self._forwarders.get(forward.mailbox)
        if forwards is None:
            return
        before = forwards.newest_rule_step
        forwards.recast(copy, forward, slugs)
        self._forwarding.move(before, forwards.newest_rule_step)
        self._traffic.note(forward.mailbox)


def _copy_keys(what: str, mailbox: str, destinations: Sequence[str], message_id: str | None) -> dict[bytes, str]:
    """A key for each destination that a message went to; none where no Message-ID tells copies from other mail."""
    if message_id is None:
        return {}
    return {copy_key(what, message_id, mailbox, address): address for address in destinations or ("",)}
