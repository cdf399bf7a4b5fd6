"""
A sample of the simulation as a real capture: the same mails as frames, read by the whole core.

What the fast path hands the pipeline was read by the core's header code from the same octets, but its envelopes, times
and outcomes are the simulation's word. Here they cross the wire instead, and both must come to the same verdicts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from benchmarks.detection.chance import chance
from benchmarks.detection.mails import Mail, Sight, octets_of
from benchmarks.generate import Facts, Side, Turn, Writer, connection, tls_session
from sensor.classify import Organisation as Domains
from sensor.classify import builtin_table, classify
from sensor.model import Forwarding, Transaction
from sensor.taps.capture import CaptureTap

TLS_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one mail came to, and what pairing would know it by."""

    at_ms: int
    reverse_path: str | None
    recipients: tuple[str, ...]
    outcome: str
    message_id: str | None
    body_digest: str | None
    forwarding: Forwarding


def write_capture(mails: Iterable[Mail], path: Path, seed: int) -> list[Mail]:
    """Write *mails*, each in a session of its own, and some sessions that turn to TLS; the mails that were written."""
    written: list[Mail] = []
    rng = chance(seed, "capture")
    with path.open("wb") as out:
        writer = Writer(out, rng)
        for number, mail in enumerate(mails):
            # Sessions one after the other: the same order on both roads.
            writer.now_us = max(writer.now_us, mail.at_ms * 1_000) if written else mail.at_ms * 1_000
            if rng.random() < TLS_SHARE:
                _play(tls_session(rng, Facts()), mail, number, writer)
            else:
                _play(_turns(mail), mail, number, writer)
                written.append(mail)
        writer.flush()
    return written


def _play(turns: list[Turn], mail: Mail, number: int, writer: Writer) -> None:
    client, server = IPv4Address(mail.client_ip).packed, IPv4Address(mail.server_ip).packed
    port = 20_000 + number % 40_000
    sides = Side(client, port, server, 25, number * 7_919, number & 0xFFFF), Side(server, 25, client, port, number, 1)
    for _ in connection(*sides, turns, writer):
        pass


def _turns(mail: Mail) -> list[Turn]:
    orcpt = f" ORCPT=rfc822;{mail.orcpt}" if mail.orcpt else ""
    recipients = "".join(f"RCPT TO:<{address}>{orcpt}\r\n" for address in mail.recipients)
    content = octets_of(mail).replace(b"\r\n.", b"\r\n..")
    content += b"" if content.endswith(b"\r\n") else b"\r\n"
    code, enhanced, text = mail.refused or (250, "2.0.0", "Ok: queued as 4F1")
    return [
        (False, b"220 gw.corp.example ESMTP Postfix\r\n"),
        (True, f"EHLO {mail.helo}\r\n".encode()),
        (False, b"250-gw.corp.example\r\n250-PIPELINING\r\n250-DSN\r\n250 8BITMIME\r\n"),
        (True, f"MAIL FROM:<{mail.reverse_path}>\r\n{recipients}DATA\r\n".encode()),
        (False, b"250 2.1.0 Ok\r\n" + b"250 2.1.5 Ok\r\n" * len(mail.recipients) + b"354 Go on\r\n"),
        (True, content + b".\r\n"),
        (False, f"{code} {enhanced} {text}\r\n".encode()),
        (True, b"QUIT\r\n"),
        (False, b"221 2.0.0 Bye\r\n"),
    ]


def verdicts_of_mails(mails: Sequence[Mail], domains: Domains) -> list[Verdict]:
    """What the fast path makes of *mails*."""
    return [_verdict(Sight(mail, number, 0), domains) for number, mail in enumerate(mails)]


def verdicts_of_capture(path: Path, domains: Domains) -> list[Verdict]:
    """What the core reads from the capture at *path*, and what it comes to."""
    return [_verdict(each, domains) for each in transactions_of(path)]


def transactions_of(path: Path) -> Iterator[Transaction]:
    """The mail transactions in the capture at *path*, in the order in which they began."""
    tap = CaptureTap([str(path)], builtin_table().interest)
    kind = tap.transaction_type
    events = (event for batch in tap.batches() for event in batch)
    return iter(sorted((each for each in events if isinstance(each, kind)), key=lambda each: each.started_at_ns))


def _verdict(mail: Transaction, domains: Domains) -> Verdict:
    header = mail.header
    return Verdict(
        # The simulation's clock ticks in milliseconds, and a session takes some.
        at_ms=mail.started_at_ns // 60_000_000_000,
        reverse_path=mail.reverse_path,
        recipients=tuple(each.address for each in mail.forward_paths),
        outcome=mail.outcome,
        message_id=None if header is None else header.message_id,
        body_digest=mail.body_digest,
        forwarding=classify(mail, domains),
    )


def differences(mails: Sequence[Mail], path: Path, domains: Domains) -> list[tuple[Verdict | None, Verdict | None]]:
    """Pairs of verdicts that are not the same: of the fast path, of the capture."""
    fast, slow = verdicts_of_mails(mails, domains), verdicts_of_capture(path, domains)
    longer = max(len(fast), len(slow))
    padded = ([*each, *[None] * (longer - len(each))] for each in (fast, slow))
    return [(one, other) for one, other in zip(*padded, strict=True) if not _same(one, other)]


def _same(one: Verdict | None, other: Verdict | None) -> bool:
    """Equal but for a minute that turned within a session."""
    if one is None or other is None:
        return one is other
    return abs(one.at_ms - other.at_ms) <= 1 and _without_time(one) == _without_time(other)


def _without_time(verdict: Verdict) -> tuple[object, ...]:
    return (
        verdict.reverse_path, verdict.recipients, verdict.outcome, verdict.message_id, verdict.body_digest,
        verdict.forwarding,
    )  # fmt: skip
