"""
The mail of all days in the order of time, and what of it the sensor sees.

The sensor stands between the mail servers and the gateways of an organisation. Some mail passes it twice, at two
gateways of a chain; some hops speak TLS, and then it sees a session and no mail; now and then packets are lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush

from benchmarks.detection.chance import chance, inbound_time, is_work_day, poisson
from benchmarks.detection.intruders import Case
from benchmarks.detection.mails import Mail, Sight, TlsSight, received
from benchmarks.detection.organisation import INTERNAL_SEEN, WEEKEND_SHARE, Organisation, internal_mail, mails_of_day
from benchmarks.detection.people import Person, forward_by_hand

# A copy that a leave redirect brings a colleague goes no further here, and a second hop is no second arrival.
_ENDS = frozenset(("leave redirect", "hop"))


@dataclass(frozen=True, slots=True)
class Wire:
    """
    How well the sensor sees: the share of hops that speak TLS, of mails that pass twice, of mails some packets of which
    are lost, and of mails lost as a whole.
    """

    blind: float = 0.10
    twice: float = 0.30
    damaged: float = 0.003
    lost: float = 0.002


class Traffic:
    """Iterates over what the sensor sees. ``written`` counts the mails that there were, by what they are."""

    def __init__(self, organisation: Organisation, cases: Sequence[Case], seed: int, days: int, wire: Wire) -> None:
        self._organisation = organisation
        self._cases = cases
        self._days = days
        self._wire = wire
        self._rng = chance(seed, "traffic")
        self._wire_rng = chance(seed, "wire")
        self._directory = {person.address: person for person in organisation.people}
        self._waiting: list[tuple[int, int, Mail]] = []
        self._pushed = 0
        self._sights = 0
        self.written: dict[str, int] = {}

    def __iter__(self) -> Iterator[Sight | TlsSight]:
        for mail in self.mails():
            yield from self._seen(mail)

    def mails(self) -> Iterator[Mail]:
        """Every mail on every hop, seen or not, in the order of time."""
        for day in range(self._days):
            today = self._drawn(day)
            today.sort(key=_at, reverse=True)
            while today:
                mail = self._earliest(today)
                yield mail
                self._follow(mail)

    def _earliest(self, today: list[Mail]) -> Mail:
        if self._waiting and self._waiting[0][0] < today[-1].at_ms:
            return heappop(self._waiting)[2]
        return today.pop()

    def _drawn(self, day: int) -> list[Mail]:
        rng = self._rng
        drawn: list[Mail] = []
        for person in self._organisation.people:
            drawn += mails_of_day(rng, person, day)
            drawn += self._from_colleagues(person, day)
        for service in self._organisation.services:
            drawn += service.day(rng, day)
        return drawn

    def _from_colleagues(self, person: Person, day: int) -> Iterator[Mail]:
        """
        Mail inside the house. Hardly any crosses the wire, so of a mailbox without rules only what does is drawn, and
        what its owner forwards by hand to outside.
        """
        rng = self._rng
        mean = person.internal * (1.0 if is_work_day(day) else WEEKEND_SHARE / 2)
        has_rules = len(person.reactions) > 1
        for _ in range(poisson(rng, mean if has_rules else mean * (INTERNAL_SEEN + person.forward_share))):
            at_ms = inbound_time(rng, day)
            mail = internal_mail(rng, person, rng.choice(self._organisation.people), at_ms)
            if has_rules:
                mail.is_seen = rng.random() < INTERNAL_SEEN
                yield mail
            elif rng.random() < INTERNAL_SEEN / (INTERNAL_SEEN + person.forward_share):
                yield mail
            else:
                self._push(forward_by_hand(rng, person, mail))

    def _follow(self, mail: Mail) -> None:
        """What *mail* leads to: its next hop, and what the mailboxes do that it reached."""
        self.written[mail.note] = self.written.get(mail.note, 0) + 1
        if mail.note in _ENDS:
            return
        if mail.case is not None:
            self._cases[mail.case].copies.append(mail.at_ms)
        rng = self._rng
        if mail.is_seen and rng.random() < self._wire.twice:
            self._push(_next_hop(mail, mail.at_ms + 60 + int(rng.expovariate(1 / 400)), rng.getrandbits(40)))
        for address in mail.recipients:
            person = self._directory.get(address)
            if person is not None and mail.refused is None:
                for reaction in person.reactions:
                    for following in reaction.arrived(rng, person, mail):
                        self._push(following)

    def _push(self, mail: Mail) -> None:
        self._pushed += 1
        heappush(self._waiting, (mail.at_ms, self._pushed, mail))

    def _seen(self, mail: Mail) -> Iterator[Sight | TlsSight]:
        """What the sensor gets to see of one mail on one hop."""
        if not mail.is_seen:
            return
        rng, wire = self._wire_rng, self._wire
        draw = rng.random()
        if draw < wire.lost:
            return
        self._sights += 1
        if draw < wire.lost + wire.blind:
            yield TlsSight(mail, self._sights)
        else:
            missing = 1_448 * rng.randint(1, 5) if rng.random() < wire.damaged else 0
            yield Sight(mail, self._sights, min(missing, mail.octets))


def _at(mail: Mail) -> int:
    return mail.at_ms


def _next_hop(mail: Mail, at_ms: int, number: int) -> Mail:
    """The same mail at the second gateway of the chain, which the first has added its line to."""
    line = received(at_ms, from_=mail.helo, from_ip=mail.client_ip, by="filter.corp.example", number=number)
    return replace(
        mail,
        at_ms=at_ms,
        top=line + mail.top,
        helo="filter.corp.example",
        client_ip="10.0.0.13",
        server_ip="10.0.0.14",
        note="hop",
    )
