"""
One organisation, drawn from a seed: its people, its services, its legitimate forwards, and the allow-list it keeps.

How much there is of each thing stands in the table below; README.md says where each number is from, or that it is
assumed. Counts are for 2,000 mailboxes and grow with their number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random

from benchmarks.detection import copies
from benchmarks.detection.chance import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    SECOND_MS,
    START_MS,
    chance,
    drawn_hours,
    inbound_time,
    is_work_day,
    lognormal,
    poisson,
)
from benchmarks.detection.mails import Mail
from benchmarks.detection.people import Answers, Away, Person, Rule, SendsOn, fresh_mail
from benchmarks.detection.services import (
    BlockedAttempt,
    Bounces,
    ForeignForward,
    Journal,
    MailingList,
    NewsletterIn,
    NewsletterOut,
    Programs,
    Robot,
    RoleAddress,
    Service,
    Tickets,
    from_outside,
)
from benchmarks.detection.text import outside_address, partner_domain, private_address

PARTNERS = 400
INBOUND_MEDIAN = 9.0
"""Mails from outside in a mailbox on a work day, after the spam filter: the median mailbox. The mean is near 13."""
PERSONAL_SHARE = 0.45
WEEKEND_SHARE = 0.22
INTERNAL_SEEN = 0.06
"""Share of mail between colleagues that crosses the wire that is watched, between two sites."""
PLATFORMS = (("exchange", "corp.example", 0.55), ("google", "eu.corp.example", 0.70),
             ("dovecot", "labs.corp.example", 0.90), ("zimbra", "shop.corp.example", 1.0))  # fmt: skip
"""Platform, its domain, and the share of mailboxes up to it."""
CLIENTS = {
    "exchange": ("outlook", "outlook", "outlook", "outlook_german", "apple"),
    "google": ("gmail", "gmail", "gmail", "apple"),
    "dovecot": ("thunderbird", "thunderbird", "apple", "outlook"),
    "zimbra": ("thunderbird", "outlook"),
}

# Legitimate things, in shares of mailboxes.
ALLOWED_FORWARDS = 0.010
NEW_FORWARDS = 0.0015
MIGRATED = 0.015
ASSISTANTS = 0.010
HOME_SENDERS = 0.015
ON_LEAVE = 0.20
LEAVE_WITH_REDIRECT = 0.15
FOREIGN_FORWARDS = 0.01
ROLE_ADDRESSES = 0.008
BLOCKED = 0.001
BCC_HOME = 0.03
RESENDERS = 0.005
"""People whose mail program resends instead of forwarding."""
TO_COLLEAGUES_TOO = 0.15
"""Share of mail from people outside that also goes to one or two colleagues."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """One entry of the allow-list: exactly one of mailbox, destination and domain."""

    reason: str
    mailbox: str | None = None
    destination: str | None = None
    domain: str | None = None


@dataclass(frozen=True, slots=True)
class Legitimate:
    """A forward by a rule that is no intruder's. ``is_allowed``: the allow-list has an entry for it."""

    name: str
    mailbox: str
    destination: str
    is_allowed: bool


@dataclass(slots=True)
class Organisation:
    """Who is there, and what the administrators know of."""

    people: list[Person] = field(default_factory=list)
    services: list[Service] = field(default_factory=list)
    allowed: list[Allowed] = field(default_factory=list)
    legitimate: list[Legitimate] = field(default_factory=list)

    def allow(self, name: str, mailbox: str, destination: str, *, entry: Allowed | None) -> None:
        """Note a legitimate forward, and its entry in the allow-list if it has one."""
        self.legitimate.append(Legitimate(name, mailbox, destination, entry is not None))
        if entry is not None and entry not in self.allowed:
            self.allowed.append(entry)


def drawn_organisation(seed: int, mailboxes: int, days: int) -> Organisation:
    """The organisation of that seed."""
    rng = chance(seed, "organisation")
    organisation = Organisation(people=[_person(rng, number) for number in range(mailboxes)])
    addresses = [person.address for person in organisation.people]
    for person in organisation.people:
        person.colleagues = rng.choices(addresses, k=6)
    free = list(organisation.people)
    rng.shuffle(free)
    _legitimate_rules(rng, organisation, free, days)
    _habits(rng, organisation, free)
    _leaves(rng, organisation, days)
    _role_addresses(rng, organisation, days)
    _services(rng, organisation, days)
    return organisation


def _person(rng: Random, number: int) -> Person:
    draw = rng.random()
    platform, domain = next((name, domain) for name, domain, upto in PLATFORMS if draw < upto)
    busy = lognormal(rng, 1.0, 0.8)
    correspondents = [outside_address(rng, partners=PARTNERS) for _ in range(8 + int(20 * min(busy, 4)))]
    is_forwarder = rng.random() < 0.6
    return Person(
        address=f"u{number}.{domain.partition('.')[0]}@{domain}",
        platform=platform,
        client=rng.choice(CLIENTS[platform]),
        hours=drawn_hours(rng),
        inbound=min(busy, 12.0) * INBOUND_MEDIAN,
        internal=lognormal(rng, 7.0, 0.7),
        fresh=min(lognormal(rng, 1.4, 0.9), 25.0),
        reply_share=min(0.6, lognormal(rng, 0.3, 0.5)),
        forward_share=min(0.15, lognormal(rng, 0.008, 1.3)) if is_forwarder else 0.0,
        correspondents=correspondents,
        colleagues=(),
        contacts=[outside_address(rng, partners=PARTNERS) for _ in range(rng.randint(2, 9))],
        home=private_address(rng),
        resends=rng.random() < RESENDERS,
        bcc_home_share=rng.uniform(0.01, 0.2) if rng.random() < BCC_HOME else 0.0,
        reactions=[Answers()],
    )


def _some(rng: Random, free: list[Person], share: float, mailboxes: int, *, least: int = 1) -> list[Person]:
    """That share of people (a half counts by chance), who then are taken."""
    wanted = share * mailboxes
    count = max(least, int(wanted) + (rng.random() < wanted % 1))
    return [free.pop() for _ in range(min(count, len(free)))]


def _legitimate_rules(rng: Random, organisation: Organisation, free: list[Person], days: int) -> None:
    size = len(organisation.people)
    for person in _some(rng, free, ALLOWED_FORWARDS, size):
        destination = outside_address(rng, partners=PARTNERS) if rng.random() < 0.6 else private_address(rng)
        by_admin = rng.random() < 0.4
        mechanism = (copies.ALIASES if by_admin else copies.REDIRECTS)[person.platform]
        person.reactions.append(Rule(mechanism, person.address, destination, money_only=rng.random() < 0.2))
        entry = (
            Allowed("works for a partner too", mailbox=person.address)
            if rng.random() < 0.5
            else Allowed("agreed with security", destination=destination)
        )
        organisation.allow("allowed forward", person.address, destination, entry=entry)
    for person in _some(rng, free, NEW_FORWARDS, size):
        destination = outside_address(rng, partners=PARTNERS) if rng.random() < 0.5 else private_address(rng)
        mechanism = copies.REDIRECTS[person.platform]
        starts = START_MS + int(rng.uniform(1, days) * DAY_MS)
        person.reactions.append(Rule(mechanism, person.address, destination, starts_ms=starts))
        organisation.allow("new forward", person.address, destination, entry=None)
    _migration(rng, organisation, _some(rng, free, MIGRATED, size, least=2), days)


def _migration(rng: Random, organisation: Organisation, people: Sequence[Person], days: int) -> None:
    """A department becomes a company of its own: an administrator forwards its mailboxes there, a few a day."""
    first_day = rng.randrange(2, max(3, days // 2))
    entry = Allowed("carve-out of a department", domain="newco.example")
    for number, person in enumerate(people):
        starts = START_MS + (first_day + number // 6) * DAY_MS + 18 * HOUR_MS
        destination = f"{person.address.partition('@')[0]}@newco.example"
        person.reactions.append(Rule(copies.ALIASES[person.platform], person.address, destination, starts_ms=starts))
        organisation.allow("migration", person.address, destination, entry=entry)


def _habits(rng: Random, organisation: Organisation, free: list[Person]) -> None:
    size = len(organisation.people)
    for person in _some(rng, free, ASSISTANTS, size):
        # The busiest writers of the mailbox, to one outside: an accountant, the boss's other office.
        authors = frozenset(rng.sample(list(person.correspondents[:6]), k=rng.randint(1, 2)))
        destination = outside_address(rng, partners=PARTNERS) if rng.random() < 0.7 else private_address(rng)
        person.reactions.append(
            SendsOn(destination, authors, share=0.95, median_ms=rng.uniform(18, 50) * SECOND_MS, spread=0.6)
        )
    for person in _some(rng, free, HOME_SENDERS, size):
        person.hours = replace(person.hours, late_share=0.7)
        person.reactions.append(
            SendsOn(person.home, frozenset(), share=rng.uniform(0.005, 0.04), median_ms=20 * MINUTE_MS, spread=1.2)
        )


def _leaves(rng: Random, organisation: Organisation, days: int) -> None:
    for person in organisation.people:
        if rng.random() < ON_LEAVE * days / 28:
            first = rng.randrange(days)
            colleague = rng.choice(organisation.people).address if rng.random() < LEAVE_WITH_REDIRECT else None
            person.reactions.append(Away(first, first + rng.randint(2, 13), colleague))


def _role_addresses(rng: Random, organisation: Organisation, days: int) -> None:
    size = len(organisation.people)
    for number in range(max(2, round(ROLE_ADDRESSES * size))):
        address = f"role{number}@labs.corp.example"
        members = [person.address for person in rng.sample(organisation.people, k=rng.randint(2, 5))]
        outside: list[str] = []
        # Of four role addresses one has an agency among its members; of five of those one is not on the list.
        if number % 4 == 0:
            outside = [outside_address(rng, partners=PARTNERS)]
            entry = Allowed("agency", mailbox=address) if number % 20 else None
            organisation.allow("role address", address, outside[0], entry=entry)
        mechanism = rng.choice((copies.dot_forward, copies.stripped))
        organisation.services.append(RoleAddress(address, members, outside, lognormal(rng, 6, 0.8), mechanism))
    for number in range(2):
        address, destination = f"orders{number}@shop.corp.example", f"edi@carrier{number}.example"
        entry = Allowed("carrier", mailbox=address) if number == 0 else None
        organisation.allow("robot", address, destination, entry=entry)
        starts = 0 if number == 0 else rng.randrange(days // 2)
        organisation.services.append(Robot(address, destination, rng.uniform(5, 25), starts))


def _services(rng: Random, organisation: Organisation, days: int) -> None:
    people, size = organisation.people, len(organisation.people)
    addresses = [person.address for person in people]
    services = organisation.services
    for number in range(12):
        readers = rng.sample(addresses, k=max(1, min(size, round(size * rng.uniform(0.02, 0.2)))))
        every = rng.choice((1, 7, 7, 7))
        services.append(NewsletterIn(f"news@letters{number}.example", readers, every, rng.randrange(every)))
    for number in range(3):
        services.append(NewsletterOut(f"news{number}@corp.example", max(20, size // 5), rng.randrange(5)))
    services.append(Programs(size * 0.35, [f"in@monitor{number}.example" for number in range(4)]))
    services.append(Tickets("help@corp.example", "agent@supplier.example", max(2.0, size * 0.03)))
    services.append(Journal("inbox@archive.example", size * 0.12))
    services.append(Bounces(max(1.0, size * 0.02), addresses))
    for number in range(max(1, size // 500)):
        members = [outside_address(rng, partners=800) for _ in range(rng.randint(8, 60))]
        services.append(MailingList(f"talk{number}@lists.corp.example", members, rng.uniform(0.5, 6)))
    for _ in range(max(1, round(FOREIGN_FORWARDS * size))):
        services.append(ForeignForward(private_address(rng), rng.choice(addresses), rng.uniform(0.5, 5)))
    exchange = [person.address for person in people if person.platform == "exchange"] or addresses
    for _ in range(max(1, round(BLOCKED * size))):
        private = private_address(rng)
        blocked = BlockedAttempt(rng.choice(exchange), private, rng.randrange(days), rng.randint(1, 3))
        organisation.legitimate.append(Legitimate("blocked attempt", blocked.mailbox, private, is_allowed=False))
        services.append(blocked)


def mails_of_day(rng: Random, person: Person, day: int) -> list[Mail]:
    """What comes to the person from outside and from colleagues on *day*, and what the person writes of his own."""
    works = is_work_day(day)
    busy = person.week_factor(day) * (1.0 if works else WEEKEND_SHARE)
    mails = []
    for _ in range(poisson(rng, person.inbound * busy)):
        is_personal = rng.random() < PERSONAL_SHARE
        author = _writer(rng, person) if is_personal else f"noreply@{partner_domain(rng, PARTNERS)}"
        mail = from_outside(rng, inbound_time(rng, day), author, (person.address,))
        if is_personal:
            _as_persons_write(rng, person, mail)
        else:
            mail.note = "machine"
        mails.append(mail)
    if works:
        mails += [
            fresh_mail(rng, person, person.hours.some_time(rng, day), rng.getrandbits(40))
            for _ in range(poisson(rng, person.fresh * busy))
        ]
    return mails


def _writer(rng: Random, person: Person) -> str:
    if rng.random() < 0.12:
        return outside_address(rng, partners=800)
    return person.correspondents[int(len(person.correspondents) * rng.random() ** 2.5)]


def _as_persons_write(rng: Random, person: Person, mail: Mail) -> None:
    """Half of it goes on a thread, some has others in copy; now and then a stranger forwarded it by hand himself."""
    draw = rng.random()
    if draw < 0.45:
        mail.subject = f"Re: {mail.subject}"
        mail.parents = (f"{rng.getrandbits(80):x}@{person.address.rpartition('@')[2]}",)
    elif draw < 0.50:
        mail.subject = f"FW: {mail.subject}"
    if rng.random() < TO_COLLEAGUES_TOO:
        others = rng.choices(person.colleagues, k=1 + (rng.random() < 0.3))
        mail.recipients = mail.to = tuple(dict.fromkeys((*mail.to, *others)))
        # Servers name the recipient where there is one.
        mail.top = mail.top.replace(f"\r\n\tfor <{person.address}>", "")
    if rng.random() < 0.15:
        mail.cc = (person.correspondents[int(len(person.correspondents) * rng.random())],)


def internal_mail(rng: Random, person: Person, colleague: Person, at_ms: int) -> Mail:
    """A mail from a colleague."""
    mail = from_outside(rng, at_ms, colleague.address, (person.address,))
    mail.top = ""
    host = copies.HOSTS[colleague.platform]
    mail.helo, mail.client_ip = host.helo, host.client_ip
    return mail
