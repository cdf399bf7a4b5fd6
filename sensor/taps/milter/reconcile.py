"""
Finds mail that the MTA queued and never showed, from Postfix's log.

After a lost connection, or while the sensor is away, Postfix goes on without it where ``milter_default_action`` is
"accept" or "quarantine". Each mail has a queue id, which the log names and the sensor is told (macro "i"):

1. a service that takes mail logs ``ID: client=`` (smtpd) or ``ID: uid=`` (pickup): the mail is awaited;
2. the sensor is shown the mail to its end: it is awaited no more. Log and sensor may come in any order;
3. the queue manager logs ``ID: from=<``, or cleanup ``ID: milter-hold:``: the mail was queued. If it is still
   awaited, it passed unseen;
4. cleanup logs ``ID: milter-reject:``: it was refused, by whichever milter.

An id that is awaited and never queued (the client went away, or took the mail back) stays until newer ones push it out.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

MAX_AWAITED = 100_000
"""Queue ids held of either kind. Those in use are the newest: at a thousand mails a second this is over a minute."""

# The program is looked for where it stands and nowhere else: what follows may be the words of a stranger.
_LINE = re.compile(
    rb"(?:[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.,+Z-]+) [^ ]+ "
    rb"([^ \[\]:]+)\[[0-9]+\]: ([0-9A-Za-z]{5,30}): (client=|uid=|from=<|milter-hold: |milter-reject: )"
)
_TAKERS = (b"smtpd", b"pickup")


class Reconciler:
    """
    Told lines of the log and queue ids that were shown, in any order.

    *services* are the programs whose mail is shown to us, as the log names them; none for all that take mail.
    """

    def __init__(self, services: Iterable[str] = ()) -> None:
        self._services = frozenset(each.encode() for each in services)
        # Used as ordered sets: the oldest goes first.
        self._awaited: dict[str, None] = {}
        self._shown: dict[str, None] = {}

    def show(self, queue_id: str) -> None:
        """The mail of that id was shown to its end."""
        if queue_id in self._awaited:
            del self._awaited[queue_id]
        else:
            _put(self._shown, queue_id)

    def read(self, line: bytes) -> str | None:
        """The queue id of a mail that passed unseen, if that is what this line of the log shows."""
        found = _LINE.match(line)
        if found is None:
            return None
        program, queue_id, event = found[1], found[2].decode(), found[3]
        if event in {b"client=", b"uid="}:
            if self._is_ours(program):
                self._expect(queue_id)
            return None
        was_awaited = queue_id in self._awaited
        self._awaited.pop(queue_id, None)
        return queue_id if was_awaited and event != b"milter-reject: " else None

    def _expect(self, queue_id: str) -> None:
        if queue_id in self._shown:
            del self._shown[queue_id]
        else:
            _put(self._awaited, queue_id)

    def _is_ours(self, program: bytes) -> bool:
        return program in self._services if self._services else program.rpartition(b"/")[2] in _TAKERS

    def state(self) -> tuple[list[str], list[str]]:
        """What is awaited, and what was shown and not logged yet."""
        return list(self._awaited), list(self._shown)

    def restore(self, awaited: Collection[str], shown: Collection[str]) -> None:
        """Go on from a ``state``."""
        for queue_id in awaited:
            _put(self._awaited, queue_id)
        for queue_id in shown:
            _put(self._shown, queue_id)


def _put(ids: dict[str, None], queue_id: str) -> None:
    ids.pop(queue_id, None)
    ids[queue_id] = None
    if len(ids) > MAX_AWAITED:
        del ids[next(iter(ids))]
