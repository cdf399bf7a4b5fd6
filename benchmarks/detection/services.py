"""
What is no person: newsletters both ways, programs that write, ticket systems, role addresses, lists, journals, robots.

Each gives its mails of a day, copies included. All of them resemble forwarding in some way and none is an intruder's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Protocol

from benchmarks.detection import copies
from benchmarks.detection.chance import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    SECOND_MS,
    START_MS,
    inbound_time,
    is_work_day,
    lognormal,
    poisson,
)
from benchmarks.detection.copies import Mechanism, arrival_line
from benchmarks.detection.mails import Mail, octets_of
from benchmarks.detection.text import body_of, outside_address, private_address, subject_of


class Service(Protocol):
    """Something that sends and receives by itself."""

    def day(self, rng: Random, day: int) -> Iterable[Mail]:
        """Its mails of a day, in no order."""
        ...


def from_outside(rng: Random, at_ms: int, author: str, to: Sequence[str], *, note: str = "person") -> Mail:
    """A mail that somebody outside wrote to us, as our gateway hands it on."""
    number = rng.getrandbits(60)
    domain = author.rpartition("@")[2]
    mail = Mail(
        at_ms=at_ms,
        reverse_path=author,
        recipients=tuple(to),
        author=author,
        to=tuple(to),
        subject=subject_of(rng),
        message_id=f"{number:x}@{domain}",
        body=body_of(rng, number),
        octets=int(lognormal(rng, 18_000, 1.2)),
        note=note,
    )
    for_ = to[0] if len(to) == 1 else None
    mail.top = arrival_line(mail, number >> 20, host=f"mx.{domain}", ip="203.0.113.9", for_=for_)
    return mail


def _ours(at_ms: int, sender: str, to: Sequence[str], subject: str, body: str, message_id: str) -> Mail:
    """A mail that a program of ours writes to outside."""
    return Mail(
        at_ms=at_ms,
        reverse_path=sender,
        recipients=tuple(to),
        author=sender,
        to=tuple(to),
        subject=subject,
        message_id=message_id,
        body=body,
        octets=len(body) + 2_000,
        helo="app.corp.example",
        client_ip="10.0.1.60",
        server_ip="10.0.0.12",
        note="program",
    )


@dataclass(frozen=True, slots=True)
class NewsletterIn:
    """A newsletter to many of ours: the same text and, one in two, the same Message-ID for all of a delivery."""

    sender: str
    readers: Sequence[str]
    every_days: int
    first_day: int

    def day(self, rng: Random, day: int) -> Iterator[Mail]:
        if day % self.every_days != self.first_day:
            return
        issue = from_outside(rng, inbound_time(rng, day), self.sender, ("readers@list.example",), note="newsletter")
        issue.more = "List-Unsubscribe: <mailto:leave@list.example>\r\nPrecedence: bulk\r\n"
        one_id = rng.random() < 0.5
        for reader in self.readers:
            yield replace(
                issue,
                at_ms=issue.at_ms + int(rng.expovariate(1 / MINUTE_MS)),
                recipients=(reader,),
                to=(reader,),
                message_id=issue.message_id if one_id else f"{rng.getrandbits(60):x}@news.example",
            )


@dataclass(frozen=True, slots=True)
class NewsletterOut:
    """Ours to customers: one text to hundreds outside, on a weekday of its own."""

    sender: str
    readers: int
    weekday: int

    def day(self, rng: Random, day: int) -> Iterator[Mail]:
        if day % 7 != self.weekday:
            return
        at_ms = START_MS + day * DAY_MS + 10 * HOUR_MS
        body, subject = body_of(rng, at_ms), subject_of(rng)
        for number in range(self.readers):
            to = (private_address(rng) if rng.random() < 0.6 else outside_address(rng, partners=800),)
            mail = _ours(
                at_ms + number * 400, self.sender, to, subject, body, f"{rng.getrandbits(60):x}@news.corp.example"
            )
            mail.more = "List-Unsubscribe: <mailto:leave@news.corp.example>\r\nPrecedence: bulk\r\n"
            yield mail


@dataclass(frozen=True, slots=True)
class Programs:
    """Shops and machines that write to customers and to a few monitoring services, at all hours."""

    mails_a_day: float
    services: Sequence[str]

    def day(self, rng: Random, day: int) -> Iterator[Mail]:
        for _ in range(poisson(rng, self.mails_a_day * (1.0 if is_work_day(day) else 0.6))):
            to = (private_address(rng),) if rng.random() < 0.7 else (rng.choice(self.services),)
            sender = rng.choice(("shop@shop.corp.example", "noreply@corp.example", "monitor@labs.corp.example"))
            at_ms = inbound_time(rng, day)
            yield _ours(
                at_ms, sender, to, subject_of(rng), body_of(rng, at_ms), f"{rng.getrandbits(70):x}@app.corp.example"
            )


@dataclass(frozen=True, slots=True)
class Tickets:
    """A help desk: an answer to each writer at once, in its own name, and of some a copy to a supplier's agent."""

    desk: str
    supplier: str
    mails_a_day: float

    def day(self, rng: Random, day: int) -> Iterator[Mail]:
        for _ in range(poisson(rng, self.mails_a_day * (1.0 if is_work_day(day) else 0.2))):
            mail = from_outside(rng, inbound_time(rng, day), outside_address(rng, partners=800), (self.desk,))
            yield mail
            yield self._note(rng, mail, mail.author)
            if rng.random() < 0.2:
                yield self._note(rng, mail, self.supplier)

    def _note(self, rng: Random, mail: Mail, to: str) -> Mail:
        ticket = rng.randrange(100_000)
        subject = f"[corp.example #{ticket}] {mail.subject}"
        written = _ours(
            mail.at_ms + 4_000, self.desk, (to,), subject, mail.body, f"rt-{rng.getrandbits(60):x}@corp.example"
        )
        written.parents = (mail.message_id,)
        written.more = (
            f"RT-Ticket: corp.example #{ticket}\r\nX-RT-Loop-Prevention: corp.example\r\nManaged-BY: RT 5\r\n"
            f"RT-Originator: {mail.author}\r\nPrecedence: bulk\r\nAuto-Submitted: auto-generated\r\n"
        )
        return written


@dataclass(frozen=True, slots=True)
class RoleAddress:
    """
    ``sales@`` and the like: the gateway hands the mail to people inside, and to *outside* where somebody of another
    house belongs to them, an agency say: an alias, set up by an administrator.
    """

    address: str
    members: Sequence[str]
    outside: Sequence[str]
    mails_a_day: float
    mechanism: Mechanism = copies.dot_forward

    def day(self, rng: Random, day: int) -> Iterator[Mail]:
        for _ in range(poisson(rng, self.mails_a_day * (1.0 if is_work_day(day) else 0.3))):
            mail = from_outside(rng, inbound_time(rng, day), outside_address(rng, partners=800), (self.address,))
            mail.note = "role"
            yield mail
            at_ms = mail.at_ms + 400
            if self.members:
                yield replace(mail, at_ms=at_ms, recipients=tuple(self.members), client_ip="10.0.0.12")
            for member in self.outside:
                yield self.mechanism(rng, mail, self.address, member, at_ms + 200)


@dataclass(frozen=True, slots=True)
class MailingList:
    """A list of ours with members outside: posts come in and go out again to all."""

    address: str
    members: Sequence[str]
    posts_a_day: float

    def day(self, rng: Random, day: int) -> Iterator[Mail]:
        local, _, domain = self.address.partition("@")
        for _ in range(poisson(rng, self.posts_a_day)):
            post = from_outside(rng, inbound_time(rng, day), rng.choice(self.members), (self.address,))
            post.note = "list"
            yield post
            yield replace(
                post,
                at_ms=post.at_ms + 3 * SECOND_MS,
                reverse_path=f"{local}-bounces@{domain}",
                recipients=tuple(self.members),
                top=f"List-Id: <{local}.{domain}>\r\nPrecedence: list\r\nX-Mailman-Version: 3.3\r\n{post.top}",
                helo="lists.corp.example",
                client_ip="10.0.1.70",
                server_ip="10.0.0.12",
            )


@dataclass(frozen=True, slots=True)
class Robot:
    """
    A script that passes orders on to a carrier: each within seconds, at all hours, as a forward that looks like a
    person's. Legitimate, and nothing but somebody who knows can tell.
    """

    address: str
    destination: str
    mails_a_day: float
    starts_day: int = 0

    def day(self, rng: Random, day: int) -> Iterator[Mail]:
        for _ in range(poisson(rng, self.mails_a_day)):
            mail = from_outside(rng, inbound_time(rng, day), outside_address(rng, partners=800), (self.address,))
            mail.note = "order"
            yield mail
            if day < self.starts_day:
                continue
            at_ms = mail.at_ms + int(lognormal(rng, 4_000, 0.4))
            forwarded = copies.by_client(rng, mail, self.address, self.destination, at_ms, client="outlook", words="")
            forwarded.note = "robot"
            yield forwarded


@dataclass(frozen=True, slots=True)
class Journal:
    """Reports of all mail of a department, the mail attached, to an archive outside."""

    archive: str
    mails_a_day: float

    def day(self, rng: Random, day: int) -> Iterator[Mail]:
        for _ in range(poisson(rng, self.mails_a_day * (1.0 if is_work_day(day) else 0.25))):
            at_ms = inbound_time(rng, day)
            inner = from_outside(rng, at_ms, outside_address(rng, partners=800), ("audited@corp.example",))
            body = (
                f"--b\r\nContent-Type: text/plain\r\n\r\nSender: {inner.author}\r\n--b\r\n"
                f"Content-Type: message/rfc822\r\n\r\n{octets_of(inner).decode()}\r\n--b--\r\n"
            )
            report = _ours(
                at_ms + 900, "", (self.archive,), inner.subject, body, f"{rng.getrandbits(70):x}@corp.example"
            )
            report.author = "journal@corp.example"
            report.more = "X-MS-Journal-Report:\r\nX-MS-Exchange-Generated-Message-Source: Journal Agent\r\n"
            report.content_type = "multipart/mixed; boundary=b"
            yield report


@dataclass(frozen=True, slots=True)
class ForeignForward:
    """Somebody's private mailbox that sends everything on to his mailbox here: a forward into us."""

    private: str
    reader: str
    mails_a_day: float

    def day(self, rng: Random, day: int) -> Iterator[Mail]:
        for _ in range(poisson(rng, self.mails_a_day)):
            mail = from_outside(rng, inbound_time(rng, day), outside_address(rng, partners=800), (self.private,))
            copy = copies.google_forward(rng, mail, self.private, self.reader, mail.at_ms)
            copy.helo, copy.client_ip, copy.server_ip = "gw1.corp.example", "10.0.0.11", "10.0.1.20"
            copy.note = "foreign forward"
            yield copy


@dataclass(frozen=True, slots=True)
class Bounces:
    """Delivery reports both ways, the original's header attached."""

    mails_a_day: float
    people: Sequence[str]

    def day(self, rng: Random, day: int) -> Iterator[Mail]:
        for _ in range(poisson(rng, self.mails_a_day)):
            at_ms, ours = inbound_time(rng, day), rng.choice(self.people)
            theirs = outside_address(rng, partners=800)
            author, to = (f"mailer-daemon@{theirs.rpartition('@')[2]}", ours) if rng.random() < 0.7 else (
                "mailer-daemon@corp.example", theirs
            )  # fmt: skip
            report = from_outside(rng, at_ms, author, (to,), note="bounce")
            report.reverse_path = ""
            report.content_type = "multipart/report; report-type=delivery-status; boundary=b"
            report.body = (
                f"--b\r\n\r\nThe mail to nobody@{theirs.rpartition('@')[2]} could not be delivered: 5.1.1 unknown.\r\n"
                f"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: {report.subject}\r\n\r\n{report.body}--b--\r\n"
            )
            yield report


@dataclass(frozen=True, slots=True)
class BlockedAttempt:
    """Somebody who sets a forward to his private address up, which policy refuses, until he gives up."""

    mailbox: str
    private: str
    first_day: int
    days: int

    def day(self, rng: Random, day: int) -> Iterator[Mail]:
        if not self.first_day <= day < self.first_day + self.days:
            return
        for _ in range(poisson(rng, 8)):
            mail = from_outside(rng, inbound_time(rng, day), outside_address(rng, partners=800), (self.mailbox,))
            yield mail
            copy = copies.exchange_redirect(rng, mail, self.mailbox, self.private, mail.at_ms + 2_000)
            copy.refused = (
                550, "5.7.520", "Access denied, Your organization does not allow external forwarding. AS(7555)",
            )  # fmt: skip
            copy.note = "blocked"
            yield copy
