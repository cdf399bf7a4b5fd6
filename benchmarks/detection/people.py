"""
People and their habits: how much mail they get, what they answer, what they forward by hand, when they work.

What happens when a mail arrives in a mailbox is asked of its ``reactions``, one after the other: the owner's habits,
legitimate rules and intruders' rules alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from benchmarks.detection import copies
from benchmarks.detection.chance import (
    HOUR_MS,
    MINUTE_MS,
    SECOND_MS,
    Hours,
    chance,
    day_of,
    favourite,
    lognormal,
)
from benchmarks.detection.copies import Mechanism, by_client, is_ours
from benchmarks.detection.mails import Mail
from benchmarks.detection.text import body_of, is_about_money, outside_address, subject_of

ATTACHMENT_SHARE = 0.06
"""Of mail that people write to outside; more would change nothing here and take longer."""
_ATTACHED = (
    ("offer.pdf", "application/pdf"),
    ("plan.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("figures.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("drawings.zip", "application/zip"),
    ("photo.jpg", "image/jpeg"),
)


class Reaction(Protocol):
    """What a mailbox does with a mail that has arrived."""

    def arrived(self, rng: Random, person: Person, mail: Mail) -> Iterable[Mail]:
        """The mails that follow from *mail*."""
        ...


@dataclass(slots=True)
class Person:
    """
    One mailbox and who sits before it.

    Rates are mails a work day: ``inbound`` from outside, ``internal`` from colleagues, ``fresh`` new ones written to
    outside. Shares are of mail that people wrote to the mailbox.
    """

    address: str
    platform: str
    client: str
    hours: Hours
    inbound: float
    internal: float
    fresh: float
    reply_share: float
    forward_share: float
    correspondents: Sequence[str]
    contacts: Sequence[str]
    colleagues: Sequence[str]
    home: str
    resends: bool
    bcc_home_share: float
    reactions: list[Reaction] = field(default_factory=list)

    def week_factor(self, day: int) -> float:
        """How busy this week is beside others: projects come and go."""
        return lognormal(chance("week", self.address, day // 7), 1.0, 0.4)


@dataclass(frozen=True, slots=True)
class Answers:
    """People answer, forward to colleagues outside, and sometimes resend, in their own time."""

    def arrived(self, rng: Random, person: Person, mail: Mail) -> Iterable[Mail]:
        if mail.note != "person":
            return
        choice = rng.random()
        if choice < person.reply_share:
            # Answers to colleagues stay in the house.
            if not is_ours(mail.author):
                yield _reply(rng, person, mail)
        elif choice < person.reply_share + person.forward_share:
            yield forward_by_hand(rng, person, mail)


def _reply(rng: Random, person: Person, mail: Mail) -> Mail:
    at_ms = person.hours.when_done(rng, mail.at_ms, _human_delay_ms(rng, 35 * MINUTE_MS))
    others = tuple(address for address in mail.to if not is_ours(address)) if rng.random() < 0.6 else ()
    if rng.random() < 0.06:
        # Takes somebody of a third side in, and what they all wrote is quoted below.
        others += (favourite(rng, person.correspondents),)
    host = copies.HOSTS[person.platform]
    return Mail(
        at_ms=at_ms,
        reverse_path=person.address,
        recipients=tuple(dict.fromkeys((mail.author, *others))),
        author=person.address,
        to=(mail.author,),
        cc=others,
        subject=f"Re: {mail.subject.removeprefix('Re: ')}",
        message_id=f"{rng.getrandbits(80):x}@{person.address.rpartition('@')[2]}",
        parents=(*mail.parents[-4:], mail.message_id),
        body=f"{body_of(rng, at_ms)}\r\nOn {mail.author} wrote:\r\n> {mail.body[:200]}\r\n",
        octets=int(lognormal(rng, 12_000, 1.0)),
        helo=host.helo,
        client_ip=host.client_ip,
        server_ip="10.0.0.12",
        note="reply",
    )


def forward_by_hand(rng: Random, person: Person, mail: Mail) -> Mail:
    """A forward by hand to one of the people outside whom *person* forwards to; some resend, some attach the mail."""
    destination = favourite(rng, person.contacts)
    at_ms = person.hours.when_done(rng, mail.at_ms, _human_delay_ms(rng, 25 * MINUTE_MS))
    if person.resends:
        forwarded = copies.resent(rng, mail, person.address, destination, at_ms)
    else:
        client = "attachment" if rng.random() < 0.03 else person.client
        forwarded = by_client(
            rng, mail, person.address, destination, at_ms, client=client, words=body_of(rng, at_ms)[:90]
        )
    forwarded.note = "hand forward"
    return forwarded


def _human_delay_ms(rng: Random, median_ms: float) -> float:
    """From arrival to the answer of somebody at work: widely spread, and never below what reading takes."""
    return 12 * SECOND_MS + lognormal(rng, median_ms, 1.5)


@dataclass(frozen=True, slots=True)
class SendsOn:
    """
    Forwards by hand what *authors* write (none: what comes by chance) to one destination, soon after it came.

    An assistant who passes each mail of one sender on, from the desk and within a minute; somebody who sends tickets
    and bookings home, in the evening too.
    """

    destination: str
    authors: frozenset[str]
    share: float
    median_ms: float
    spread: float
    least_ms: int = 8 * SECOND_MS
    desk_share: float = 0.75
    starts_ms: int = 0
    ends_ms: int = 1 << 60

    def arrived(self, rng: Random, person: Person, mail: Mail) -> Iterable[Mail]:
        if not self.starts_ms <= mail.at_ms < self.ends_ms or is_ours(mail.author) or rng.random() >= self.share:
            return
        if self.authors and mail.author not in self.authors:
            return
        delay = self.least_ms + lognormal(rng, self.median_ms, self.spread)
        if rng.random() >= self.desk_share:
            # In a meeting, at lunch.
            delay += rng.uniform(10 * MINUTE_MS, 2 * HOUR_MS)
        at_ms = person.hours.when_done(rng, mail.at_ms, delay)
        words = "fyi" if rng.random() < 0.7 else body_of(rng, at_ms)[:60]
        forwarded = by_client(rng, mail, person.address, self.destination, at_ms, client=person.client, words=words)
        forwarded.note = "sends on"
        yield forwarded


@dataclass(slots=True)
class Away:
    """
    On leave from one day to another: an automatic reply to each writer once, and for some a rule that sends all mail
    to a colleague inside.
    """

    first_day: int
    last_day: int
    colleague: str | None
    _answered: set[str] = field(default_factory=set)

    def arrived(self, rng: Random, person: Person, mail: Mail) -> Iterable[Mail]:
        if not self.first_day <= day_of(mail.at_ms) <= self.last_day:
            return
        if self.colleague is not None:
            copy = copies.REDIRECTS[person.platform](
                rng, mail, person.address, self.colleague, mail.at_ms + _server_delay_ms(rng)
            )
            copy.note, copy.is_seen = "leave redirect", mail.is_seen
            yield copy
        if mail.note == "person" and not is_ours(mail.author) and mail.author not in self._answered:
            self._answered.add(mail.author)
            yield _automatic_reply(rng, person, mail)


def _automatic_reply(rng: Random, person: Person, mail: Mail) -> Mail:
    host = copies.HOSTS[person.platform]
    is_exchange = person.platform == "exchange"
    more = (
        "Auto-Submitted: auto-generated\r\nX-Auto-Response-Suppress: All\r\n"
        "X-MS-Exchange-Generated-Message-Source: Mailbox Rules Agent\r\n"
        f"X-MS-Exchange-Parent-Message-Id: <{mail.message_id}>\r\nX-MS-Exchange-Inbox-Rules-Loop: {person.address}\r\n"
    )
    return Mail(
        at_ms=mail.at_ms + _server_delay_ms(rng),
        reverse_path=person.address if is_exchange else "",
        recipients=(mail.author,),
        author=person.address,
        to=(mail.author,),
        subject=f"Automatic reply: {mail.subject}",
        message_id=f"{rng.getrandbits(80):x}@{person.address.rpartition('@')[2]}",
        parents=(mail.message_id,),
        body="I am away and back next week. In urgent cases please write to the office.\r\n",
        more=more if is_exchange else "Auto-Submitted: auto-replied\r\nPrecedence: bulk\r\n",
        octets=6_000,
        helo=host.helo,
        client_ip=host.client_ip,
        server_ip="10.0.0.12",
        note="automatic reply",
    )


def _server_delay_ms(rng: Random) -> int:
    """From delivery to what a rule on the server sends."""
    return int(lognormal(rng, 1_500, 0.7)) + 150


@dataclass(slots=True)
class Rule:
    """
    A rule that sends mail on, legitimate or not: *mechanism* writes the copy, ``wants`` picks the mails.

    ``money_only`` takes mail about money alone, ``share`` a part of what is left, and with ``gap_ms`` no copy follows
    another sooner. ``case`` is the number of an intruder's case.
    """

    mechanism: Mechanism
    mailbox: str
    destination: str
    starts_ms: int = 0
    ends_ms: int = 1 << 60
    money_only: bool = False
    share: float = 1.0
    gap_ms: int = 0
    case: int | None = None
    note: str = "rule"
    _last_ms: int = 0

    def arrived(self, rng: Random, person: Person, mail: Mail) -> Iterable[Mail]:
        if self.wants(rng, mail):
            copy = self.mechanism(rng, mail, self.mailbox, self.destination, mail.at_ms + _server_delay_ms(rng))
            copy.note, copy.case = self.note, self.case
            yield copy

    def wants(self, rng: Random, mail: Mail) -> bool:
        """True if the rule takes *mail*."""
        if not self.starts_ms <= mail.at_ms < self.ends_ms or mail.at_ms - self._last_ms < self.gap_ms:
            return False
        if (self.money_only and not is_about_money(mail.subject)) or (self.share < 1.0 and rng.random() >= self.share):
            return False
        self._last_ms = mail.at_ms
        return True


def fresh_mail(rng: Random, person: Person, at_ms: int, number: int) -> Mail:
    """A mail of the person's own to somebody outside, sometimes with a blind copy home."""
    to: tuple[str, ...] = (favourite(rng, person.correspondents),)
    if rng.random() < 0.15:
        to = tuple(dict.fromkeys((*to, favourite(rng, person.correspondents), outside_address(rng, partners=800))))
    recipients = to
    if rng.random() < person.bcc_home_share:
        recipients = (*to, person.home)
    host = copies.HOSTS[person.platform]
    mail = Mail(
        at_ms=at_ms,
        reverse_path=person.address,
        recipients=recipients,
        author=person.address,
        to=to,
        subject=subject_of(rng),
        message_id=f"{rng.getrandbits(80):x}@{person.address.rpartition('@')[2]}",
        body=body_of(rng, number),
        octets=int(lognormal(rng, 15_000, 1.2)),
        helo=host.helo,
        client_ip=host.client_ip,
        server_ip="10.0.0.12",
        note="fresh",
    )
    draw = rng.random()
    if draw < ATTACHMENT_SHARE:
        _attach(mail, _ATTACHED[int(len(_ATTACHED) * draw / ATTACHMENT_SHARE)])
    return mail


def _attach(mail: Mail, file: tuple[str, str]) -> None:
    name, content_type = file
    mail.content_type = "multipart/mixed; boundary=a"
    mail.body = (
        f'--a\r\nContent-Type: text/plain\r\n\r\n{mail.body}\r\n--a\r\nContent-Type: {content_type}; name="{name}"\r\n'
        f'Content-Disposition: attachment; filename="{name}"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
        f"{'UEsDBBQAAAAIAG9t' * 4}\r\n--a--\r\n"
    )
