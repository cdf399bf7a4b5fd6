"""
How a forwarded copy looks, by who makes it: mail platforms' rules and properties, clients, and people.

Each function takes the mail as it came to a mailbox and gives the copy that leaves. The fields are those that
docs/artifacts.md lists (sources MS-SRS, MS-LOOP, DMD, OLC, PP, PIG, ZIM, PFX, TB, CR there). Legitimate rules and
intruders' rules go through the same functions: on the wire nothing tells them apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from benchmarks.detection.chance import chance
from benchmarks.detection.mails import Mail, date_of, octets_of, received

_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
OUR_DOMAIN = "corp.example"


@dataclass(slots=True)
class Host:
    """The host that hands a copy to the gateway."""

    helo: str
    client_ip: str


EXCHANGE = Host("eur05-vi1-obe.outbound.protection.outlook.com", "40.107.20.61")
GOOGLE = Host("mail-ed1-f53.google.com", "209.85.208.53")
POSTFIX = Host("mail.labs.corp.example", "10.0.1.30")
ZIMBRA = Host("zimbra.shop.corp.example", "10.0.1.40")
HOSTS = {"exchange": EXCHANGE, "google": GOOGLE, "dovecot": POSTFIX, "zimbra": ZIMBRA}


def is_ours(address: str) -> bool:
    """True for an address of the organisation."""
    return address.endswith(OUR_DOMAIN)


def _local(address: str) -> str:
    return address.partition("@")[0]


def _domain(address: str) -> str:
    return address.rpartition("@")[2]


def _code(rng: Random, alphabet: str, length: int) -> str:
    return "".join(alphabet[int(len(alphabet) * rng.random())] for _ in range(length))


def _leaving(mail: Mail, at_ms: int, host: Host, destination: str, reverse_path: str) -> Mail:
    """The same mail, on its way from *host* to *destination*."""
    return replace(
        mail,
        at_ms=at_ms,
        reverse_path=reverse_path,
        recipients=(destination,),
        helo=host.helo,
        client_ip=host.client_ip,
        server_ip="10.0.0.12",
        note="copy",
        is_seen=True,
    )


# ---- Exchange Online


def _srs(rng: Random, mail: Mail, mailbox: str) -> str:
    """The reverse-path as Exchange Online rewrites it (MS-SRS); senders of the organisation's own stay."""
    sender = mail.reverse_path
    if not sender or is_ours(sender):
        return sender
    tag = f"{_code(rng, _BASE64, 5)}={_code(rng, _BASE32, 2)}"
    rewritten = f"{_local(mailbox)}+SRS={tag}={_domain(sender)}={_local(sender)}"
    if len(rewritten) > 64:
        return f"bounces+SRS={tag}@corp.onmicrosoft.com"
    return f"{rewritten}@{_domain(mailbox)}"


def _exchange_hop(rng: Random, at_ms: int) -> str:
    hosts = [f"{_code(rng, _BASE32, 8)}.eurprd{number:02}.prod.outlook.com" for number in (1, 2)]
    return f"Received: from {hosts[0]} by {hosts[1]} with mapi id 15.20.{rng.randrange(9999)}.20; {date_of(at_ms)}\r\n"


def exchange_redirect(rng: Random, mail: Mail, mailbox: str, destination: str, at_ms: int) -> Mail:
    """An inbox rule with redirect."""
    copy = _leaving(mail, at_ms, EXCHANGE, destination, _srs(rng, mail, mailbox))
    copy.top = _exchange_hop(rng, at_ms) + mail.top
    copy.more = f"{mail.more}Resent-From: <{mailbox}>\r\nX-MS-Exchange-Inbox-Rules-Loop: {mailbox}\r\n"
    return copy


def exchange_property(rng: Random, mail: Mail, mailbox: str, destination: str, at_ms: int) -> Mail:
    """The mailbox property ForwardingSmtpAddress."""
    tenant = "44d81603-6a98-429d-8ab9-bb947b669639"
    copy = _leaving(mail, at_ms, EXCHANGE, destination, _srs(rng, mail, mailbox))
    copy.top = _exchange_hop(rng, at_ms) + mail.top
    copy.more = (
        f"{mail.more}Resent-From: <{mailbox}>\r\nX-MS-Exchange-ForwardingLoop: {mailbox};{tenant}\r\n"
        f"X-LD-Processed: {tenant},ExtFwd\r\n"
    )
    return copy


def exchange_forward(rng: Random, mail: Mail, mailbox: str, destination: str, at_ms: int) -> Mail:
    """An inbox rule with forward: a new mail of the mailbox's own."""
    return replace(
        _leaving(mail, at_ms, EXCHANGE, destination, mailbox),
        author=mailbox,
        to=(destination,),
        cc=(),
        subject=f"FW: {mail.subject}",
        message_id=f"{_code(rng, _BASE32, 24)}@eurprd02.prod.outlook.com",
        parents=(*mail.parents[-4:], mail.message_id),
        top=_exchange_hop(rng, at_ms),
        more=(
            f"Thread-Topic: {mail.subject}\r\nAuto-Submitted: auto-generated\r\n"
            "X-MS-Exchange-Generated-Message-Source: Mailbox Rules Agent\r\n"
            f"X-MS-Exchange-Parent-Message-Id: <{mail.message_id}>\r\nX-MS-Exchange-Inbox-Rules-Loop: {mailbox}\r\n"
        ),
        body=f"\r\n\r\n{_outlook_block(mail)}{mail.body}",
        content_type="text/plain; charset=utf-8",
        octets=mail.octets + 1_500,
    )


# ---- other platforms


def google_forward(rng: Random, mail: Mail, mailbox: str, destination: str, at_ms: int) -> Mail:
    """A Workspace user's auto-forward or filter."""
    local, domain = _local(mailbox), _domain(mailbox)
    reverse_path = f"{local}+caf_={destination.replace('@', '=')}@{domain}"
    copy = _leaving(mail, at_ms, GOOGLE, destination, reverse_path)
    copy.top = (
        f"X-Forwarded-Encrypted: i=1; AJvY{_code(rng, _BASE64, 40)}\r\nX-Forwarded-To: {destination}\r\n"
        f"X-Forwarded-For: {mailbox} {destination}\r\nDelivered-To: {mailbox}\r\n{mail.top}"
    )
    return copy


def sieve_redirect(rng: Random, mail: Mail, mailbox: str, destination: str, at_ms: int) -> Mail:
    """Dovecot's sieve, which keeps the reverse-path."""
    copy = _leaving(mail, at_ms, POSTFIX, destination, mail.reverse_path)
    copy.top = (
        f"Received: by {POSTFIX.helo} (Postfix, from userid 5000)\r\n\tid {_code(rng, _BASE32, 9)};"
        f" {date_of(at_ms)}\r\nX-Sieve: Pigeonhole Sieve 0.5.21\r\nX-Sieve-Redirected-From: {mailbox}\r\n"
        f"Delivered-To: {mailbox}\r\n{mail.top}"
    )
    return copy


def zimbra_redirect(rng: Random, mail: Mail, mailbox: str, destination: str, at_ms: int) -> Mail:
    """A Zimbra filter."""
    copy = _leaving(mail, at_ms, ZIMBRA, destination, mailbox)
    copy.top = (
        f"Received: from localhost (localhost [127.0.0.1])\r\n\tby {ZIMBRA.helo} (Postfix) with ESMTP id"
        f" {_code(rng, _BASE32, 9)}; {date_of(at_ms)}\r\nX-Zimbra-Forwarded: {mailbox}\r\n{mail.top}"
    )
    return copy


def dot_forward(rng: Random, mail: Mail, mailbox: str, destination: str, at_ms: int) -> Mail:
    """Postfix's alias or .forward: submitted anew, its reverse-path kept."""
    copy = _leaving(mail, at_ms, POSTFIX, destination, mail.reverse_path)
    copy.top = (
        f"Received: by {POSTFIX.helo} (Postfix)\r\n\tid {_code(rng, _BASE32, 9)}; {date_of(at_ms)}\r\n"
        f"Delivered-To: {mailbox}\r\n{mail.top}"
    )
    return copy


Mechanism = Callable[[Random, Mail, str, str, int], Mail]
REDIRECTS: dict[str, Mechanism] = {
    "exchange": exchange_redirect,
    "google": google_forward,
    "dovecot": sieve_redirect,
    "zimbra": zimbra_redirect,
}
"""What a rule of the user's own with "redirect" leaves, by platform."""

ALIASES: dict[str, Mechanism] = {
    "exchange": exchange_property,
    "google": google_forward,
    "dovecot": dot_forward,
    "zimbra": dot_forward,
}
"""What forwarding that an administrator set up leaves, by platform."""


# ---- no marks


def stripped(rng: Random, mail: Mail, mailbox: str, destination: str, at_ms: int) -> Mail:
    """
    A redirect behind a relay that removes every trace: fields of the platform, and the Received lines of the house.

    What is the relay's habit stays the same for a mailbox: the sender is kept, or rewritten as SRS0; the Message-ID is
    kept, or (one relay in five) written anew.
    """
    habit = chance("relay", mailbox, destination)
    sender = mail.reverse_path
    if habit.random() < 0.4 and sender and not is_ours(sender):
        tag = f"{_code(rng, _BASE64, 4)}={_code(rng, _BASE32, 2)}"
        sender = f"SRS0={tag}={_domain(sender)}={_local(sender)}@{OUR_DOMAIN}"
    copy = _leaving(mail, at_ms, Host("relay.corp.example", "10.0.1.50"), destination, sender)
    copy.top = ""
    if habit.random() < 0.2:
        copy.message_id = f"{_code(rng, _BASE32, 20)}@relay.corp.example"
    return copy


# ---- a person's client, or a rule in it


def by_client(rng: Random, mail: Mail, mailbox: str, destination: str, at_ms: int, *, client: str, words: str) -> Mail:
    """A forward that somebody's mail program wrote, with *words* above what is forwarded."""
    write = _CLIENTS[client]
    platform = next((each for each in HOSTS if f"@{_SUBDOMAINS[each]}" in mailbox), "exchange")
    forwarded = replace(
        _leaving(mail, at_ms, HOSTS[platform], destination, mailbox),
        author=mailbox,
        to=(destination,),
        cc=(),
        message_id=f"{_code(rng, _BASE32, 22)}@{_domain(mailbox)}",
        parents=(*mail.parents[-4:], mail.message_id),
        top="",
        more="",
        octets=mail.octets + 1_200,
    )
    write(forwarded, mail, words)
    return forwarded


_SUBDOMAINS = {
    "google": "eu.corp.example",
    "dovecot": "labs.corp.example",
    "zimbra": "shop.corp.example",
    "exchange": "corp.example",
}


def resent(rng: Random, mail: Mail, mailbox: str, destination: str, at_ms: int) -> Mail:
    """A mail that a person resends as it is, with the whole Resent block (RFC 5322 3.6.6)."""
    copy = _leaving(mail, at_ms, POSTFIX, destination, mailbox)
    copy.top = (
        f"Resent-From: {mailbox}\r\nResent-To: {destination}\r\nResent-Date: {date_of(at_ms)}\r\n"
        f"Resent-Message-ID: <{_code(rng, _BASE32, 20)}@{_domain(mailbox)}>\r\n{mail.top}"
    )
    return copy


def _outlook_block(mail: Mail) -> str:
    return (
        f"________________________________\r\nFrom: {mail.author}\r\nSent: {date_of(mail.at_ms)}\r\n"
        f"To: {', '.join(mail.to)}\r\nSubject: {mail.subject}\r\n\r\n"
    )


def _outlook(forwarded: Mail, mail: Mail, words: str) -> None:
    forwarded.subject = f"FW: {mail.subject}"
    forwarded.more = f"Thread-Topic: {mail.subject}\r\n"
    forwarded.body = f"{words}\r\n{_outlook_block(mail)}{mail.body}"


def _outlook_german(forwarded: Mail, mail: Mail, words: str) -> None:
    _outlook(forwarded, mail, words)
    forwarded.subject = f"WG: {mail.subject}"


def _gmail(forwarded: Mail, mail: Mail, words: str) -> None:
    forwarded.subject = f"Fwd: {mail.subject}"
    forwarded.body = (
        f"{words}\r\n---------- Forwarded message ---------\r\nFrom: {mail.author}\r\nDate: {date_of(mail.at_ms)}\r\n"
        f"Subject: {mail.subject}\r\nTo: {', '.join(mail.to)}\r\n\r\n{mail.body}"
    )


def _thunderbird(forwarded: Mail, mail: Mail, words: str) -> None:
    forwarded.subject = f"Fwd: {mail.subject}"
    forwarded.more = f"X-Forwarded-Message-Id: <{mail.message_id}>\r\nUser-Agent: Mozilla Thunderbird\r\n"
    forwarded.body = (
        f"{words}\r\n-------- Forwarded Message --------\r\nSubject: {mail.subject}\r\nDate: {date_of(mail.at_ms)}\r\n"
        f"From: {mail.author}\r\nTo: {', '.join(mail.to)}\r\n\r\n{mail.body}"
    )


def _apple(forwarded: Mail, mail: Mail, words: str) -> None:
    forwarded.subject = f"Fwd: {mail.subject}"
    quoted = mail.body.replace("\r\n", "\r\n> ")
    forwarded.body = (
        f"{words}\r\n> Begin forwarded message:\r\n> \r\n> From: {mail.author}\r\n> Subject: {mail.subject}\r\n"
        f"> Date: {date_of(mail.at_ms)}\r\n> To: {', '.join(mail.to)}\r\n> \r\n> {quoted}\r\n"
    )


def _attachment(forwarded: Mail, mail: Mail, words: str) -> None:
    forwarded.subject = f"FW: {mail.subject}"
    forwarded.content_type = "multipart/mixed; boundary=f"
    forwarded.body = (
        f"--f\r\nContent-Type: text/plain\r\n\r\n{words}\r\n--f\r\nContent-Type: message/rfc822\r\n"
        f'Content-Disposition: attachment; filename="mail.eml"\r\n\r\n{octets_of(mail).decode()}\r\n--f--\r\n'
    )


_CLIENTS: dict[str, Callable[[Mail, Mail, str], None]] = {
    "outlook": _outlook,
    "outlook_german": _outlook_german,
    "gmail": _gmail,
    "thunderbird": _thunderbird,
    "apple": _apple,
    "attachment": _attachment,
}


def arrival_line(mail: Mail, number: int, *, host: str, ip: str, for_: str | None) -> str:
    """The Received line that our gateway writes for mail from outside."""
    return received(mail.at_ms, from_=host, from_ip=ip, by="gw1.corp.example", number=number, for_=for_)
