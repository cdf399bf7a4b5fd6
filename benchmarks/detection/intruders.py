"""
Intruders: one class for each way in which stolen mail leaves, as a case that is drawn, put into mailboxes and scored.

A case says what is true: which mailboxes, which drops, from when to when, and which copies left. Its rules are the same
as legitimate ones (people.Rule); what differs is who made them, and that is nowhere on the wire.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random

from benchmarks.detection import copies
from benchmarks.detection.chance import DAY_MS, HOUR_MS, MINUTE_MS, START_MS, chance, lognormal
from benchmarks.detection.copies import Mechanism, by_client
from benchmarks.detection.mails import Mail
from benchmarks.detection.organisation import PARTNERS, Organisation
from benchmarks.detection.people import Person, Rule
from benchmarks.detection.text import is_about_money, outside_address, private_address

ALREADY_THERE = 0.12
"""Share of intruders whose rule was there before the sensor was."""
CASES_OF_EACH = 3
"""Cases of each kind for 2,000 mailboxes."""


@dataclass(slots=True)
class Case:
    """One intruder: the truth that alerts are held against. ``copies`` are the times at which copies left."""

    number: int
    kind: str
    mailboxes: tuple[str, ...] = ()
    drops: tuple[str, ...] = ()
    copies: list[int] = field(default_factory=list)


Kind = Callable[[Random, Case, list[Person], int], None]


def placed_intruders(seed: int, organisation: Organisation, days: int, each: int | None = None) -> list[Case]:
    """Cases of every kind (*each*, or as many as the size calls for), in mailboxes of their own without a rule yet."""
    rng = chance(seed, "intruders")
    plain = [person for person in organisation.people if len(person.reactions) == 1 and person.inbound >= 3]
    rng.shuffle(plain)
    cases: list[Case] = []
    each = each or max(1, round(CASES_OF_EACH * len(organisation.people) / 2_000))
    for kind, place in KINDS.items():
        for _ in range(each):
            case = Case(len(cases), kind)
            place(rng, case, plain, days)
            cases.append(case)
    return cases


def _drop(rng: Random) -> str:
    """
    Where stolen mail goes: a free mailbox, a domain bought for it that looks like a partner's, or a mailbox at a real
    partner that was broken into as well.
    """
    draw = rng.random()
    if draw < 0.55:
        return private_address(rng)
    if draw < 0.85:
        return f"office@firm{rng.randrange(400)}-mail{rng.randrange(100)}.example"
    return outside_address(rng, partners=PARTNERS)


def _start(rng: Random, days: int, *, latest: float = 0.7) -> int:
    """Before the sensor for some, in the first part of the run for the others, at any hour."""
    if rng.random() < ALREADY_THERE:
        return 0
    return START_MS + int(rng.uniform(0.02, latest) * days * DAY_MS)


def _taken(plain: list[Person], *, platform: str | None = None, busy: float = 0.0) -> Person:
    """The next mailbox of that platform that gets enough mail."""
    for at in range(len(plain) - 1, -1, -1):
        if platform in (None, plain[at].platform) and plain[at].inbound >= busy:
            return plain.pop(at)
    return plain.pop()


def _put(case: Case, person: Person, rule: Rule) -> None:
    rule.case, rule.note = case.number, case.kind
    person.reactions.append(rule)
    case.mailboxes += (person.address,)
    if rule.destination not in case.drops:
        case.drops += (rule.destination,)


def _redirect_rule(rng: Random, case: Case, plain: list[Person], days: int) -> None:
    person = _taken(plain)
    mechanism = copies.REDIRECTS[person.platform]
    _put(case, person, Rule(mechanism, person.address, _drop(rng), _start(rng, days)))


def _forward_rule(rng: Random, case: Case, plain: list[Person], days: int) -> None:
    person = _taken(plain, platform="exchange")
    _put(case, person, Rule(copies.exchange_forward, person.address, _drop(rng), _start(rng, days)))


def _forwarding_property(rng: Random, case: Case, plain: list[Person], days: int) -> None:
    person = _taken(plain, platform="exchange")
    _put(case, person, Rule(copies.exchange_property, person.address, _drop(rng), _start(rng, days)))


def _selective_rule(rng: Random, case: Case, plain: list[Person], days: int) -> None:
    person = _taken(plain, busy=6.0)
    mechanism = rng.choice((copies.REDIRECTS[person.platform], _forward_of(person)))
    _put(case, person, Rule(mechanism, person.address, _drop(rng), _start(rng, days), money_only=True))


def _slow_drip(rng: Random, case: Case, plain: list[Person], days: int) -> None:
    person = _taken(plain)
    mechanism = copies.REDIRECTS[person.platform]
    gap = int(rng.uniform(1.0, 3.0) * DAY_MS)
    rule = Rule(mechanism, person.address, _drop(rng), _start(rng, days, latest=0.5), share=0.3, gap_ms=gap)
    _put(case, person, rule)


def _markers_stripped(rng: Random, case: Case, plain: list[Person], days: int) -> None:
    person = _taken(plain)
    money_only = rng.random() < 0.25
    _put(case, person, Rule(copies.stripped, person.address, _drop(rng), _start(rng, days), money_only=money_only))


def _client_rule(rng: Random, case: Case, plain: list[Person], days: int) -> None:
    person = _taken(plain, busy=5.0)
    rule = ClientRule(
        person.address,
        _drop(rng),
        _start(rng, days),
        money_only=rng.random() < 0.4,
        runs_always=rng.random() < 0.5,
        poll_ms=0 if rng.random() < 0.6 else int(rng.choice((1, 5, 10)) * MINUTE_MS),
    )
    rule.case = case.number
    person.reactions.append(rule)
    case.mailboxes, case.drops = (person.address,), (rule.destination,)


def _one_drop(rng: Random, case: Case, plain: list[Person], days: int) -> None:
    drop, starts = _drop(rng), _start(rng, days, latest=0.5)
    for _ in range(rng.randint(3, 7)):
        person = _taken(plain, busy=4.0)
        mechanism = rng.choice((copies.REDIRECTS[person.platform], copies.ALIASES[person.platform], copies.stripped))
        begun = starts + int(rng.uniform(0, 5) * DAY_MS) if starts else 0
        _put(case, person, Rule(mechanism, person.address, drop, begun, money_only=rng.random() < 0.6))


def _short_lived(rng: Random, case: Case, plain: list[Person], days: int) -> None:
    person = _taken(plain, busy=6.0)
    # A morning's or a day's work: on a work day, in the hours in which mail comes.
    day = rng.choice([each for each in range(1, max(2, days - 1)) if each % 7 < 5])
    starts = START_MS + day * DAY_MS + int(rng.uniform(6, 14) * HOUR_MS)
    mechanism = rng.choice((copies.REDIRECTS[person.platform], _forward_of(person)))
    ends = starts + int(lognormal(rng, 6, 0.6) * HOUR_MS)
    _put(case, person, Rule(mechanism, person.address, _drop(rng), starts, ends))


def _forward_of(person: Person) -> Mechanism:
    """A rule with "forward", where the platform has one that says so; else a redirect."""
    return copies.exchange_forward if person.platform == "exchange" else copies.REDIRECTS[person.platform]


KINDS: dict[str, Kind] = {
    "redirect rule": _redirect_rule,
    "forward rule": _forward_rule,
    "forwardingSMTPAddress": _forwarding_property,
    "selective keyword rule": _selective_rule,
    "slow drip": _slow_drip,
    "markers stripped": _markers_stripped,
    "client-side rule posing as a person": _client_rule,
    "many mailboxes to one drop": _one_drop,
    "short-lived rule": _short_lived,
}


@dataclass(slots=True)
class ClientRule:
    """
    A rule in a mail program: what it sends is what a person would send. It runs while the program does (at all hours,
    or while its owner works), and sends as soon as it sees the mail: at once, or when it next asks the server.
    """

    mailbox: str
    destination: str
    starts_ms: int
    money_only: bool
    runs_always: bool
    poll_ms: int
    case: int | None = None

    def arrived(self, rng: Random, person: Person, mail: Mail) -> Iterable[Mail]:
        if mail.at_ms < self.starts_ms or (self.money_only and not is_about_money(mail.subject)):
            return
        at_ms = mail.at_ms
        if not self.runs_always and not person.hours.covers(at_ms):
            # The program starts in the morning and finds the night's mail.
            at_ms = _next_morning(person, at_ms)
        if self.poll_ms:
            at_ms += self.poll_ms - at_ms % self.poll_ms
        at_ms += int(lognormal(rng, 2_500, 0.5))
        copy = by_client(rng, mail, self.mailbox, self.destination, at_ms, client=person.client, words="")
        copy.note, copy.case = "client rule", self.case
        yield copy


def _next_morning(person: Person, at_ms: int) -> int:
    day, of_day = divmod(at_ms - START_MS, DAY_MS)
    day += of_day >= person.hours.start_ms
    while day % 7 >= 5:
        day += 1
    late_ms = chance("morning", person.address, day).random() * 20 * MINUTE_MS
    return START_MS + day * DAY_MS + person.hours.start_ms + int(late_ms)
