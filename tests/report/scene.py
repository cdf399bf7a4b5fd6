"""A report for tests: three weeks of an organisation whose mailboxes forward in every way, judged by all detectors."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date

from sensor.alert.policy import Policy
from sensor.alert.record import AlertRecord, record_of
from sensor.coverage import Coverage
from sensor.detect import Runner, detectors
from sensor.detect.base import DAY_MS, HOUR_MS
from sensor.detect.events import Context, ForwardRefused, ForwardSeen, stable_id
from sensor.ledger import Cell, Ledger
from sensor.model import Actor, Artifact, Level
from sensor.report.html import CaptureFacts, Page, RunFacts, page_of
from sensor.report.summary import DamageSummary, allowed_entries
from sensor.settings import AlertSettings, AllowEntry
from sensor.sightings import destinations_seen

MONDAY_MS = 20_766 * DAY_MS
"""A Monday at midnight, UTC: 9 November 2026."""
DAYS = 21
LAST_MS = MONDAY_MS + DAYS * DAY_MS

FACTS = RunFacts(
    sensor="gateway-1",
    version="0.1.0",
    domains=("corp.example",),
    captures=(
        CaptureFacts(name="span/2026-11-09.pcap.zst", octets=4_812_334_115, digest="5f2b8f0a6c1d4e7f9a3b5c7d9e1f2a4b"),
        CaptureFacts(name="span/2026-11-16.pcap.zst", octets=5_120_004_777, digest="0d1c2b3a495867768594a3b2c1d0e0f1"),
    ),
    damage=(DamageSummary(path="span/2026-11-16.pcap.zst", kind="truncated", detail="130 octets of 1530", offset=512),),
    anomalies={"smtp_reply_without_command": 3, "tcp_overlap_conflict": 1},
)


def forward(
    mailbox: str,
    to: str,
    at_ms: int,
    *,
    cell: Cell = "auto_only",
    level: Level = "user",
    line: tuple[str, str, str] = ("sieve_redirected_from", "X-Sieve-Redirected-From", ""),
) -> ForwardSeen:
    transaction = stable_id("transaction", mailbox, to, str(at_ms))
    slug, field, value = line
    return ForwardSeen(
        id=stable_id("forward", transaction),
        at_ms=at_ms,
        transaction_id=transaction,
        mailbox=mailbox,
        cell=cell,
        destinations=(to,),
        outside=() if to.endswith("@corp.example") else (to,),
        direction="outbound",
        level=level,
        evidence="strong" if cell == "paired" else "conclusive",
        octets=24_000,
        actor=Actor(helo="mail.corp.example", client_ip="192.0.2.25", server_ip="198.51.100.7"),
        lines=() if cell == "paired" else (Artifact(slug=slug, field=field, value=value or mailbox),),
        context=Context(
            received_24h=40,
            received_7d=200,
            sent_7d=30,
            mailbox_since_ms=MONDAY_MS,
            sensor_since_ms=MONDAY_MS,
            mailboxes=120,
            forwarders=6,
            clear_share=0.82,
        ),
    )


def at(day: int, hour: float = 0.0) -> int:
    return MONDAY_MS + day * DAY_MS + int(hour * HOUR_MS)


def by_rule(chance: random.Random) -> Iterator[ForwardSeen]:
    """Two mailboxes to one drop, and an administrator's copy of a third."""
    for mailbox, begin, a_day in (("fay@corp.example", 9, 30), ("gus@corp.example", 12, 12)):
        for number in range((DAYS - begin) * a_day):
            yield forward(mailbox, "drop.box@collector.example", at(begin + number // a_day, chance.uniform(0, 24)))
    srs = ("exchange_srs", "Return-Path", "bounces+SRS=abcde=FG@corp.example")
    for number in range(17 * 9):
        at_ms = at(4 + number // 9, chance.uniform(0, 24))
        yield forward("board@corp.example", "archive@partner.example", at_ms, level="admin", line=srs)


def by_hand(chance: random.Random) -> Iterator[ForwardSeen]:
    """People who forward in office hours, mostly home."""
    subject = ("subject_forward", "Subject", "Fwd: lunch")
    for name in ("ann", "ben", "dora", "eve", "hans"):
        for day in (day for day in range(DAYS) if day % 7 < 5 and chance.random() < 0.5):
            to = (
                f"{name}.home@mail.example"
                if chance.random() < 0.7
                else f"client{chance.randrange(30)}@partner.example"
            )
            yield forward(f"{name}@corp.example", to, at(day, chance.uniform(8, 18)), cell="visible_only", line=subject)


def forwards() -> Iterator[ForwardSeen]:
    """All of them, with a known forward, one that stays inside, and mail that goes out again unmarked."""
    chance = random.Random(7)  # noqa: S311 - the same weeks each time
    yield from by_rule(chance)
    yield from by_hand(chance)
    for day in range(DAYS):
        yield forward("iris@corp.example", "iris@old.example", at(day, 7), cell="auto_visible")
        yield forward("sales@corp.example", "kim@corp.example", at(day, 9))
    for hour in range(40):
        yield forward("legal@corp.example", "x@quiet.example", at(15, hour), cell="paired", level="unknown")


def told(*, more: tuple[ForwardSeen, ...] = ()) -> tuple[Ledger, Policy, list[AlertRecord]]:
    """Ledger, policy and the alerts of those weeks."""
    ledger, runner = Ledger(), Runner(detectors())
    policy = Policy(
        AlertSettings(
            min_severity="informational",
            allow=(
                AllowEntry(
                    reason="Iris' old address, ticket 4711", expires=date(2027, 1, 31), mailbox="iris@corp.example"
                ),
            ),
        )
    )
    latest: dict[str, AlertRecord] = {}
    for seen in sorted((*forwards(), *more), key=lambda each: each.at_ms):
        ledger.count_mail(None, (seen.mailbox,), seen.at_ms, 24_000)
        if not ledger.count_forward(seen, message_id=seen.id, slugs=[line.slug for line in seen.lines]):
            continue
        findings = runner.feed([seen, *destinations_seen(seen)])
        for alert in policy.take(findings, seen.at_ms):
            latest[alert.id] = record_of(alert, sensor=FACTS.sensor)
    ledger.count_attempt(
        ForwardRefused(
            id="r",
            at_ms=MONDAY_MS + 5 * DAY_MS,
            transaction_id="refused",
            mailbox="ben@corp.example",
            destinations=("ben@blocked.example",),
            is_policy=True,
        )
    )
    return ledger, policy, list(latest.values())


def coverage() -> Coverage:
    seen = Coverage(tls_sessions=412, tls_octets=81_000_000, missing_octets=14_600, incomplete=9, one_sided=2)
    seen.outcomes |= {"delivered": 48_122, "rejected": 730, "deferred": 51, "aborted": 19}
    seen.look_alikes |= {"list": 5_120, "auto_reply": 77, "delivery_report": 301}
    seen.unattributed = 4
    seen.first_seen_ns, seen.last_seen_ns = MONDAY_MS * 1_000_000, (MONDAY_MS + DAYS * DAY_MS) * 1_000_000
    return seen


def page(*, facts: RunFacts = FACTS, more: tuple[ForwardSeen, ...] = ()) -> Page:
    """The report of those weeks."""
    ledger, policy, alerts = told(more=more)
    return page_of(ledger, coverage(), facts, alerts=alerts, allowed=allowed_entries(policy, LAST_MS))
