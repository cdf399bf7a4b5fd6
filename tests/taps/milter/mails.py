"""Mails that an MTA is sent which asks the milter of the tests, and what becomes of each by its rules."""

from __future__ import annotations

import smtplib
from collections.abc import Mapping, Sequence
from typing import Any

from sensor.classify import builtin_table
from sensor.taps.inline import InlineCore

# What Gmail's forwarding leaves behind: fields that say both mailbox and destination.
FORWARD = (
    "Received: from store.corp.example (store.corp.example [192.0.2.30])\r\n"
    "\tby mx.corp.example with ESMTP id 1; Sun, 22 Nov 2026 07:00:00 +0000\r\n"
    "X-Forwarded-To: {to}\r\nX-Forwarded-For: {mailbox} {to}\r\n"
    "From: dora@partner.example\r\nTo: {mailbox}\r\nSubject: {subject}\r\n"
    "Message-ID: <{subject}@partner.example>\r\nDate: Sun, 22 Nov 2026 07:00:00 +0000\r\n\r\nHello\r\n.dots\r\n"
)


def forward(domain: str, *, mailbox: str = "ann@corp.example") -> bytes:
    """A mail that *mailbox* forwards to eve at that domain; the domain is its subject too."""
    return FORWARD.format(to=f"eve@{domain}.example", subject=domain, mailbox=mailbox).encode()


# By the domain that a mail is forwarded to: "partner" meets no rule.
_OUTCOMES = {
    "tag": "delivered",
    "defer": "deferred",
    "reject": "rejected",
    "hold": "delivered",
    "partner": "delivered",
}


def send(client: smtplib.SMTP, mail: bytes, *, to: str) -> str:
    """The reply to the first command that was refused, or to the final dot."""
    for code, reply in (client.mail("ann@corp.example"), client.rcpt(to)):
        if code >= 300:
            client.rset()
            return f"{code} {reply.decode()}"
    code, reply = client.data(mail)
    return f"{code} {reply.decode()}"


def replies_to_each(client: smtplib.SMTP) -> Mapping[str, str]:
    """By domain, the replies to a mail for each verdict, in one session; those that the milter made are looked at."""
    replies = {domain: send(client, forward(domain), to=f"eve@{domain}.example") for domain in _OUTCOMES}
    assert replies["defer"].startswith("451 4.7.1 ")
    assert replies["reject"] == "550 5.7.1 Not 100% allowed"
    return replies


def check_each(records: Sequence[Any]) -> None:
    """They are those of ``replies_to_each``, in its order."""
    assert [(each["header"]["subject"], each["outcome"]) for each in records] == list(_OUTCOMES.items())
    assert [each["session"]["transaction_index"] for each in records] == [0, 1, 2, 3, 4]


def digest_of(mail: bytes) -> str | None:
    """The digest that mail has on every road."""
    core = InlineCore(builtin_table().interest)
    number = core.begin(at_ns=0)
    core.content(number, mail)
    return core.drafted(number).body_digest
