"""
Finds mail that the MTA queued and never showed, from Postfix's log.

After a lost connection, or while the sensor is away, Postfix goes on without it where ``milter_default_action`` is
"accept" or "quarantine". Each mail has a queue id, which the log names and the sensor is told (macro "i"):

1. a service that takes mail logs ``ID: client=`` (smtpd) or ``ID: uid=`` (pickup): the mail is awaited;
2. the sensor is shown the mail to its end: it is awaited no more. Log and sensor may come in any order;
3. the queue manager logs ``ID: from=<``, or cleanup ``ID: milter-hold:``: the mail was queued. If it is still
   awaited, it passed unseen;
4. cleanup logs ``ID: milter-reject:``: it was refused, by whichever milter;
5. of a mail that passed unseen, ``ID: from=<`` names who sent it, and each ``ID: to=<`` of a delivery who got it, until
   the queue manager logs ``ID: removed``.

An id that is awaited and never queued (the client went away, or took the mail back) stays until newer ones push it out.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from sensor.tally import fingerprint
from sensor.taps.milter.limits import Bounds

# The program is looked for where it stands and nowhere else: what follows may be the words of a stranger.
_LINE = re.compile(
    rb"(?:[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.,+Z-]+) [^ ]+ "
    rb"([^ \[\]:]+)\[[0-9]+\]: ([0-9A-Za-z]{5,30}): "
    rb"(client=|uid=|from=<|to=<|milter-hold: |milter-reject: |removed\Z)"
)
_TAKERS = (b"smtpd", b"pickup")
# An address in quotes may hold what looks like an end; one with such signs is taken for none.
_SENDER = re.compile(rb'([^<>" ]{1,320})>, size=')
_RECIPIENT = re.compile(rb'([^<>" ]{1,320})>, (?:orig_to=<([^<>" ]{1,320})>, )?relay=')


@dataclass(frozen=True, slots=True)
class Unseen:
    """A mail that passed unseen; where not ``is_new``, a line more about one told before. Addresses in lower case."""

    queue_id: str
    is_new: bool
    mailboxes: tuple[str, ...] = ()


class Reconciler:
    """
    Told lines of the log and queue ids that were shown, in any order.

    *services* are the programs whose mail is shown to us, as the log names them; none for all that take mail.
    ``forgotten`` counts ids that were pushed out by newer ones, ``mailboxes_dropped`` those beyond a mail's bound.
    """

    def __init__(self, services: Iterable[str] = (), bounds: Bounds | None = None) -> None:
        self._services = frozenset(each.encode() for each in services)
        self._bounds = bounds or Bounds()
        # Used as ordered sets: the oldest goes first.
        self._awaited: dict[str, None] = {}
        self._shown: dict[str, None] = {}
        # What passed unseen and is on its way still, with fingerprints of the mailboxes told of it: no address is kept.
        self._passed: dict[str, set[int]] = {}
        self.forgotten = self.mailboxes_dropped = 0

    def show(self, queue_id: str) -> None:
        """The mail of that id was shown to its end."""
        if queue_id in self._awaited:
            del self._awaited[queue_id]
        else:
            self._put(self._shown, queue_id)

    def read(self, line: bytes) -> Unseen | None:
        """What this line of the log shows of a mail that passed unseen, if it does."""
        found = _LINE.match(line)
        if found is None:
            return None
        program, queue_id, event = found[1], found[2].decode(), found[3]
        if event in {b"client=", b"uid="}:
            if self._is_ours(program):
                self._expect(queue_id)
            return None
        if event == b"removed":
            self._passed.pop(queue_id, None)
            return None
        is_new = event != b"to=<" and self._has_passed(queue_id, event)
        mailboxes = tuple(self._untold(queue_id, event, line[found.end() :]))
        return Unseen(queue_id, is_new, mailboxes) if is_new or mailboxes else None

    def _has_passed(self, queue_id: str, event: bytes) -> bool:
        """True if the mail was queued or held, and awaited until now."""
        if queue_id not in self._awaited:
            return False
        del self._awaited[queue_id]
        if event == b"milter-reject: ":
            return False
        self._passed[queue_id] = set()
        if len(self._passed) > self._bounds.unseen_mails:
            del self._passed[next(iter(self._passed))]
            self.forgotten += 1
        return True

    def _untold(self, queue_id: str, event: bytes, rest: bytes) -> Iterator[str]:
        """The mailboxes that a line about a mail that passed unseen is the first to name."""
        told = self._passed.get(queue_id)
        pattern = {b"from=<": _SENDER, b"to=<": _RECIPIENT}.get(event)
        found = pattern.match(rest) if told is not None and pattern is not None else None
        for address in found.groups() if found is not None else ():
            mailbox = (address or b"").decode("utf-8", "replace").lower()
            mark = fingerprint(mailbox)
            if told is None or "@" not in mailbox or mark in told:
                continue
            if len(told) >= self._bounds.unseen_mailboxes:
                self.mailboxes_dropped += 1
                continue
            told.add(mark)
            yield mailbox

    def _expect(self, queue_id: str) -> None:
        if queue_id in self._shown:
            del self._shown[queue_id]
        else:
            self._put(self._awaited, queue_id)

    def _is_ours(self, program: bytes) -> bool:
        return program in self._services if self._services else program.rpartition(b"/")[2] in _TAKERS

    def _put(self, ids: dict[str, None], queue_id: str) -> None:
        ids.pop(queue_id, None)
        ids[queue_id] = None
        if len(ids) > self._bounds.queue_ids:
            del ids[next(iter(ids))]
            self.forgotten += 1

    # ---- across restarts

    def state(self) -> tuple[list[str], list[str]]:
        """What is awaited, and what was shown and not logged yet."""
        return list(self._awaited), list(self._shown)

    def passed(self) -> dict[str, list[int]]:
        """What passed unseen and is on its way still, with fingerprints of the mailboxes told of it."""
        return {queue_id: sorted(mailboxes) for queue_id, mailboxes in self._passed.items()}

    def restore(
        self, awaited: Collection[str], shown: Collection[str], passed: Mapping[str, Collection[int]] | None = None
    ) -> None:
        """Go on from a ``state``, and from what ``passed``."""
        for queue_id in awaited:
            self._put(self._awaited, queue_id)
        for queue_id in shown:
            self._put(self._shown, queue_id)
        self._passed = {queue_id: set(mailboxes) for queue_id, mailboxes in (passed or {}).items()}
