"""
Mails in the shapes and sizes of real ones, made quickly and the same for the same seed.

What costs time to make (words, base64, trace lines) lies in pools; a mail is slices of them with its own names, numbers
and dates. No two mails are equal, so nothing that reads them can live on a cache.
"""

from __future__ import annotations

import base64
import math
import quopri
import random
from collections.abc import Callable
from dataclasses import dataclass

FORWARDED_SHARE = 0.03
LIST_SHARE = 0.06
"""Mail of lists: the commonest look-alike of a forward."""

_WORDS = """
the of and to in for on with that this we will your from are have please order report meeting invoice team time
project next week attached thanks regards number question support update change system customer contract review
budget office market quarter delivery payment service data access request account address training holiday
""".split()
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_ORGANISATION = [f"{name}.corp.example" for name in ("www", "mail", "sales", "labs", "eu")]
_OUTSIDE = [f"{name}{number}.example" for name in ("shop", "bank", "partner", "news", "host") for number in range(12)]
_POOL_OCTETS = 4 << 20


@dataclass(frozen=True, slots=True)
class Mix:
    """A mix of mail: the mean size of a whole mail, how far sizes spread (sigma of the log-normal), the largest."""

    mean_octets: int
    spread: float
    largest_octets: int


MIXES = {"large": Mix(40_000, 1.2, 4 << 20), "small": Mix(4_000, 0.35, 64 << 10)}


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail with its envelope; *content* has CRLF line ends and its dots stuffed."""

    reverse_path: str
    forward_paths: list[str]
    content: bytes
    forwarded: bool


class Mailbag:
    """An endless supply of mails of one mix."""

    def __init__(self, mix: Mix, rng: random.Random) -> None:
        self._rng = rng
        self._mix = mix
        self._mu = math.log(mix.mean_octets) - mix.spread**2 / 2
        self._number = 0
        self._inside = [f"user{number}@{_ORGANISATION[number % 5]}" for number in range(3_000)]
        self._outside = [f"{_WORDS[number % len(_WORDS)]}{number}@{_OUTSIDE[number % 60]}" for number in range(5_000)]
        self._text = _text_pool(rng)
        self._html = _html_pool(rng)
        self._base64 = base64.encodebytes(rng.randbytes(_POOL_OCTETS)).replace(b"\n", b"\r\n")
        self._traces = [_trace(rng, first=False) for _ in range(1_000)]
        self._entries = [_trace(rng, first=True) for _ in range(1_000)]
        self._extras = [_extra_fields(rng) for _ in range(500)]
        self._subjects = [" ".join(rng.choices(_WORDS, k=rng.randint(2, 8))).capitalize() for _ in range(2_000)]
        self._forwards: list[Callable[[str, str, str], tuple[str, str, str]]] = [
            _google, _exchange, _sieve, _inbox_rule, _srs, _by_hand,
        ]  # fmt: skip

    def mail(self) -> Mail:
        """The next mail."""
        rng = self._rng
        self._number += 1
        sender, recipient = rng.choice(self._outside), rng.choice(self._inside)
        if rng.random() < 0.4:
            sender, recipient = recipient, sender
        forward_paths = [recipient]
        if rng.random() < 0.12:
            forward_paths += rng.sample(self._inside, k=rng.randint(1, 5))
        reverse_path, subject, own = sender, rng.choice(self._subjects), ""
        kind = rng.random()
        forwarded = kind < FORWARDED_SHARE
        if forwarded:
            forward_paths = [rng.choice(self._outside)]
            mailbox = rng.choice(self._inside)
            reverse_path, subject, own = rng.choice(self._forwards)(sender, mailbox, forward_paths[0])
            recipient = mailbox
            subject = f"{subject} {rng.choice(self._subjects)}".strip()
        elif kind < FORWARDED_SHARE + LIST_SHARE:
            name = sender.partition("@")[2]
            reverse_path = f"list-bounces@{name}"
            own = (
                f"List-Id: Talk of {name} <talk.{name}>\r\nList-Unsubscribe: <mailto:talk-leave@{name}>\r\n"
                "Precedence: list\r\n"
            )
        wanted = min(int(rng.lognormvariate(self._mu, self._mix.spread)), self._mix.largest_octets)
        # The sender of a forward by hand is the forwarder.
        author = reverse_path if subject.startswith("Fwd:") else sender
        content = self._content(author, [recipient, *forward_paths[1:]], subject, own, wanted)
        return Mail(reverse_path, forward_paths, content, forwarded)

    def _content(self, author: str, addressed: list[str], subject: str, own: str, wanted: int) -> bytes:
        rng, number = self._rng, self._number
        second = number % 60
        date = (
            f"{1 + number % 28:02} {_MONTHS[number % 12]} 2026 {number % 24:02}:{number // 7 % 60:02}:{second:02} +0000"
        )
        # The topmost line is of the server that sends, or of the one before it.
        hops = "".join(rng.choices(self._traces, k=rng.randint(1, 3) if wanted < 8_000 else rng.randint(2, 5)))
        # Postfix names the recipient where there is one alone.
        trace = (rng.choice(self._entries) + hops).replace(
            _FOR, f"\r\n\tfor <{addressed[0]}>" if len(addressed) == 1 else ""
        )
        reply_to = f"References: <{number - 7}.a@x.example> <{number - 3}.b@y.example>\r\n" if number % 3 == 0 else ""
        head = (
            f"{own}{trace}"
            f"From: {author.partition('@')[0].title()} Example <{author}>\r\n"
            f"To: {', '.join(f'{_display(address)}<{address}>' for address in addressed)}\r\n"
            f"Subject: {subject}\r\n"
            f"Date: Sun, {date}\r\n"
            f"Message-ID: <{number}.{number * 2654435761 & 0xFFFFFFFF:08x}@{author.partition('@')[2]}>\r\n"
            f"{reply_to}{rng.choice(self._extras)}MIME-Version: 1.0\r\n"
        ).encode("ascii")
        room = max(200, wanted - len(head))
        if room < 6_000 or number % 4 == 0:
            return self._plain(head, room)
        return self._multipart(head, room, f"----=_Part_{number}_{rng.getrandbits(48):x}")

    def _plain(self, head: bytes, room: int) -> bytes:
        body = self._lines(self._text, room)
        return head + b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\n" + body

    def _multipart(self, head: bytes, room: int, boundary: str) -> bytes:
        """Text and HTML as alternatives, and what is left as one attachment in base64."""
        inner = boundary + "_alt"
        text = self._lines(self._text, min(2_000, room // 4))
        html = self._lines(self._html, min(12_000, room // 3))
        attached = self._lines(self._base64, max(78, room - len(text) - len(html)))
        outer_mark, inner_mark = f"--{boundary}".encode(), f"--{inner}".encode()
        return b"".join(
            (
                head,
                f'Content-Type: multipart/mixed;\r\n\tboundary="{boundary}"\r\n\r\n'.encode(),
                outer_mark,
                f'\r\nContent-Type: multipart/alternative; boundary="{inner}"\r\n\r\n'.encode(),
                inner_mark,
                b"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n",
                text,
                inner_mark,
                b"\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n",
                html,
                inner_mark,
                b"--\r\n",
                outer_mark,
                f'\r\nContent-Type: application/pdf; name="report-{self._number}.pdf"\r\n'.encode(),
                f'Content-Disposition: attachment; filename="report-{self._number}.pdf"\r\n'.encode(),
                b"Content-Transfer-Encoding: base64\r\n\r\n",
                attached,
                outer_mark,
                b"--\r\n",
            )
        )

    def _lines(self, pool: bytes, octets: int) -> bytes:
        """Whole lines out of *pool* from a random place, about *octets* of them."""
        octets = min(octets, len(pool) // 2)
        at = self._rng.randrange(len(pool) - octets - 200)
        start = pool.index(b"\r\n", at) + 2
        return pool[start : pool.index(b"\r\n", start + octets - 2) + 2]


def _display(address: str) -> str:
    # Every third address comes with a name, as address books write it.
    return f'"Example, {address[:6].title()}" ' if len(address) % 3 == 0 else ""


def _text_pool(rng: random.Random) -> bytes:
    """Lines of words, some of them stuffed dots, quotes and empty lines."""
    lines = []
    size = 0
    while size < _POOL_OCTETS // 4:
        line = " ".join(rng.choices(_WORDS, k=rng.randint(3, 12)))
        match rng.randrange(1_000):
            case 0:
                line = ".." + line
            case kind if kind < 50:
                line = "> " + line
            case kind if kind < 150:
                line = ""
        lines.append(line)
        size += len(line) + 2
    return "\r\n".join(lines).encode("ascii")


def _html_pool(rng: random.Random) -> bytes:
    """Lines of HTML in quoted-printable."""
    cells = []
    size = 0
    while size < _POOL_OCTETS // 4:
        words = " ".join(rng.choices(_WORDS, k=rng.randint(2, 9)))
        style = f'style="color:#{rng.getrandbits(24):06x};padding:4px"'
        cells.append(f'<td {style}><a href="https://www.shop.example/">{words}</a></td>')
        size += len(cells[-1])
    return quopri.encodestring("".join(cells).encode("ascii")).replace(b"\n", b"\r\n")


_FOR = "@FOR@"
"""Where a Received line may name the recipient."""


def _trace(rng: random.Random, *, first: bool) -> str:
    """A Received line as one of three servers writes it; *first*: as an organisation's own gateway does."""
    host = f"mx{rng.randrange(40)}.{rng.choice(_OUTSIDE)}"
    by = f"gw{rng.randrange(4)}.corp.example" if first else f"out{rng.randrange(40)}.{rng.choice(_OUTSIDE)}"
    ip = f"192.0.2.{rng.randrange(1, 255)}"
    date = f"Sun, 22 Nov 2026 {rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02} +0100"
    identifier = f"{rng.getrandbits(44):011X}"
    match rng.randrange(3):
        case 0:
            return (
                f"Received: from {host} ({host} [{ip}])\r\n"
                "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\r\n"
                "\t key-exchange X25519 server-signature RSA-PSS (2048 bits))\r\n"
                f"\tby {by} (Postfix) with ESMTPS id {identifier}"
                f"{_FOR}; {date} (CET)\r\n"
            )
        case 1:
            return (
                f"Received: from {host} (2001:db8:{rng.getrandbits(16):x}::12)\r\n by {by} (2001:db8:208:2::9)\r\n"
                " with Microsoft SMTP Server (version=TLS1_2, cipher=TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384)\r\n"
                f" id 15.20.{rng.randrange(9999)}.20; {date}\r\n"
            )
        case _:
            return f"Received: by {by} with SMTP id {identifier.lower()}-7so1; {date}\r\n"


def _extra_fields(rng: random.Random) -> str:
    """What gateways, signers and filters add: half a KB to 2 KB."""
    domain = rng.choice(_OUTSIDE)
    fields = [_signature(rng, "DKIM-Signature", f"d={domain}; s=s{rng.randrange(9)}")]
    if rng.random() < 0.3:
        fields.append(_signature(rng, "ARC-Message-Signature", f"i=1; d={domain}; s=arc"))
        fields.append(f"ARC-Authentication-Results: i=1; mx.{domain}; spf=pass smtp.mailfrom={domain}; dkim=pass\r\n")
    fields.append(
        f"Authentication-Results: mx.corp.example;\r\n\tdkim=pass header.d={domain} header.s=s1;\r\n"
        f"\tspf=pass (corp.example: domain of {domain} designates 192.0.2.9 as permitted sender)\r\n"
    )
    fields += rng.sample(
        [
            "X-Mailer: Apple Mail (2.3654.120.0.1.13)\r\n",
            "User-Agent: Mozilla Thunderbird\r\n",
            (
                f"X-Spam-Status: No, score={rng.uniform(-5, 3):.1f} required=5.0 tests=BAYES_00,DKIM_SIGNED,\r\n"
                "\tDKIM_VALID,HTML_MESSAGE,SPF_PASS autolearn=ham version=3.4.6\r\n"
            ),
            f"Thread-Index: AQHb{base64.b64encode(rng.randbytes(21)).decode()}\r\n",
            "X-Originating-IP: [192.0.2.77]\r\n",
            "X-MS-Has-Attach:\r\nX-MS-TNEF-Correlator:\r\nx-ms-publictraffictype: Email\r\n",
            f"x-microsoft-antispam: BCL:0;ARA:{'|'.join(str(rng.getrandbits(30)) for _ in range(8))};\r\n",
            f"x-ms-exchange-antispam-messagedata-0:\r\n {base64.b64encode(rng.randbytes(300)).decode()}\r\n",
            "Accept-Language: en-US, de-DE\r\nContent-Language: en-US\r\n",
            "X-Virus-Scanned: Debian amavisd-new at corp.example\r\n",
            "Feedback-ID: 1.eu:news:host\r\nX-CSA-Complaints: complaints@host1.example\r\n",
        ],
        k=rng.randint(2, 7),
    )
    return "".join(fields)


def _signature(rng: random.Random, name: str, who: str) -> str:
    value = base64.b64encode(rng.randbytes(256)).decode()
    folded = "\r\n\t ".join(value[at : at + 72] for at in range(0, len(value), 72))
    return (
        f"{name}: v=1; a=rsa-sha256; c=relaxed/relaxed; {who};\r\n"
        "\th=from:to:subject:date:message-id:mime-version:content-type:references;\r\n"
        f"\tbh={base64.b64encode(rng.randbytes(32)).decode()};\r\n\tb={folded}\r\n"
    )


# ---- forwards: (sender of the original, mailbox, destination) -> (reverse-path, start of the subject, fields on top)


def _google(_sender: str, mailbox: str, destination: str) -> tuple[str, str, str]:
    local, _, domain = mailbox.partition("@")
    path = f"{local}+caf_={destination.replace('@', '=')}@{domain}"
    return (
        path,
        "",
        f"X-Forwarded-To: {destination}\r\nX-Forwarded-For: {mailbox} {destination}\r\nDelivered-To: {mailbox}\r\n",
    )


def _exchange(sender: str, mailbox: str, _destination: str) -> tuple[str, str, str]:
    (local, _, domain), (from_local, _, from_domain) = mailbox.partition("@"), sender.partition("@")
    return (
        f"{local}+SRS=Ab3dE=BX={from_domain}={from_local}@{domain}",
        "",
        f"X-MS-Exchange-ForwardingLoop: {mailbox};0a1b2c3d\r\n",
    )


def _sieve(_sender: str, mailbox: str, _destination: str) -> tuple[str, str, str]:
    return mailbox, "", f"X-Sieve: Pigeonhole Sieve 0.5.19 (4eae2f79)\r\nX-Sieve-Redirected-From: {mailbox}\r\n"


def _inbox_rule(_sender: str, mailbox: str, _destination: str) -> tuple[str, str, str]:
    return mailbox, "FW:", f"X-MS-Exchange-Inbox-Rules-Loop: {mailbox}\r\n"


def _srs(sender: str, mailbox: str, _destination: str) -> tuple[str, str, str]:
    local, _, domain = sender.partition("@")
    return f"SRS0=Ab3d=BX={domain}={local}@{mailbox.partition('@')[2]}", "", ""


def _by_hand(_sender: str, mailbox: str, _destination: str) -> tuple[str, str, str]:
    return mailbox, "Fwd:", ""
