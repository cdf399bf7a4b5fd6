"""
Makes ``events.jsonl``: ``python -m tests.detect.golden.make``.

Five weeks of a small organisation, as events for detectors, in which each detector has something to find beside much
that is harmless. Events come up to ``DISORDER_MS`` late, and some come again hours later. The file is the same wherever
it is made.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from sensor.detect.base import DAY_MS, HOUR_MS, LATENESS_MS, MINUTE_MS, SECOND_MS
from sensor.detect.events import (
    Attached,
    AttachmentsSent,
    Context,
    DestinationSeen,
    DetectorEvent,
    ForwardRefused,
    ForwardSeen,
    Leg,
    stable_id,
)
from sensor.model import Actor, Artifact

FILE = Path(__file__).with_name("events.jsonl")

START_MS = 20_003 * DAY_MS
"""A Monday at midnight, UTC; mail has been watched for thirty days then."""
WEEKS = 5
DISORDER_MS = LATENESS_MS - 10 * SECOND_MS

SINCE_MS = START_MS - 30 * DAY_MS

RULE = Artifact(slug="exchange_inbox_rules_loop", field="X-MS-Exchange-Inbox-Rules-Loop", value="")
ROUTE = Artifact(slug="exchange_transport_rules_loop", field="X-MS-Exchange-Transport-Rules-Loop", value="1")


class Golden:
    """Collects the events of all stories."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - chance that makes test data is repeatable, not secret
        self.events: list[DetectorEvent] = []

    def context(self, **changes: Any) -> Context:
        facts: dict[str, Any] = {
            "received_1h": 3,
            "received_24h": 40,
            "received_7d": 220,
            "sent_24h": 12,
            "sent_7d": 70,
            "mailbox_since_ms": SINCE_MS,
            "sensor_since_ms": SINCE_MS,
            "mailboxes": 400,
            "forwarders": 9,
            "clear_share": 0.97,
        }
        return Context(**facts | changes)

    def forward(self, at_ms: int, mailbox: str, to: str, **changes: Any) -> ForwardSeen:
        """One forward, and what each destination outside sees of it."""
        facts: dict[str, Any] = {
            "transaction_id": stable_id("transaction", mailbox, to, str(at_ms))[:16],
            "cell": "auto_only",
            "destinations": (to,),
            "outside": (to,) if not to.endswith("corp.example") else (),
            "direction": "outbound",
            "level": "user",
            "evidence": "conclusive",
            "octets": int(self.random.lognormvariate(9.5, 1)),
            "actor": Actor(helo="mail.corp.example", client_ip="192.0.2.10", server_ip="198.51.100.7"),
            "context": self.context(),
        } | changes
        if facts["cell"].startswith("auto"):
            facts.setdefault("lines", (msgspec.structs.replace(RULE, value=mailbox),))
        forward = ForwardSeen(id=stable_id("forward", mailbox, to, str(at_ms)), at_ms=at_ms, mailbox=mailbox, **facts)
        self.events.append(forward)
        for destination in forward.outside:
            self.events.append(
                DestinationSeen(
                    id=stable_id("destination", forward.id, destination),
                    at_ms=at_ms,
                    destination=destination,
                    domain=destination.rpartition("@")[2],
                    forward=forward,
                )
            )
        return forward

    def days(self, first: int, last: int) -> Iterator[int]:
        """The working days from *first* up to *last*, as times of their midnights."""
        return (START_MS + day * DAY_MS for day in range(first, last) if day % 7 < 5)

    def times(self, midnight_ms: int, count: int, hours: tuple[int, int] = (8, 18)) -> list[int]:
        """*count* times of a day, all different."""
        low, high = (midnight_ms + hour * HOUR_MS for hour in hours)
        return sorted(self.random.sample(range(low, high), count))


# ---- stories


def people_forward_by_hand(golden: Golden) -> None:
    """Nobody's business: a mail now and then, minutes or hours after it came, to a dozen people outside and inside."""
    for number in range(12):
        mailbox = f"person{number}@corp.example"
        for day in golden.days(0, 7 * WEEKS):
            for at_ms in golden.times(day, golden.random.choice((0, 0, 1, 1, 2))):
                to = f"contact{golden.random.randrange(12)}@partner{golden.random.randrange(4)}.example"
                delay_ms = golden.random.randrange(5 * MINUTE_MS, 6 * HOUR_MS)
                original = stable_id("original", mailbox, str(at_ms))[:16]
                golden.forward(
                    at_ms,
                    mailbox,
                    golden.random.choice((to, "colleague@corp.example")),
                    cell="visible_only",
                    original_id=original,
                    original_at_ms=at_ms - delay_ms,
                )


def a_rule_runs_since_long_ago(golden: Golden) -> None:
    """A ticket system gets all of the help desk's mail by an administrator's route, since before the sensor came."""
    for day in golden.days(-7, 7 * WEEKS):
        for at_ms in golden.times(day, 5):
            golden.forward(
                at_ms,
                "helpdesk@corp.example",
                "inbox@tickets.example",
                level="admin",
                lines=(ROUTE,),
                context=golden.context(sensor_since_ms=START_MS - 8 * DAY_MS),
            )


def a_redirect_is_set_up(golden: Golden) -> None:
    """From the third week on all mail of one mailbox goes to a free-mail provider, unforwarded by its look."""
    for day in golden.days(14, 7 * WEEKS):
        for at_ms in golden.times(day, 12, (0, 24)):
            golden.forward(at_ms, "victim@corp.example", "v1ct1m@gmail.com")


def many_share_a_drop(golden: Golden) -> None:
    """Five mailboxes forward to one address from one day on, a mail or two a day."""
    for number in range(5):
        for day in golden.days(21, 28):
            for at_ms in golden.times(day, golden.random.choice((1, 2))):
                golden.forward(at_ms, f"finance{number}@corp.example", "drop@collector.example", evidence="strong")


def copies_leave_in_silence(golden: Golden) -> None:
    """What one mailbox gets goes out again seconds later without a mark; both legs are seen."""
    for day in golden.days(10, 20):
        for at_ms in golden.times(day, 4, (0, 24)):
            golden.forward(
                at_ms,
                "board@corp.example",
                "shadow@elsewhere.example",
                cell="paired",
                level="unknown",
                evidence="strong",
                original_id=stable_id("board", str(at_ms))[:16],
                original_at_ms=at_ms - 3 * SECOND_MS,
            )


def a_program_poses_as_a_person(golden: Golden) -> None:
    """Forwards that look made by hand, five seconds after each original, day and night."""
    for day in range(5, 25):
        for at_ms in golden.times(START_MS + day * DAY_MS, 10, (0, 24)):
            golden.forward(
                at_ms,
                "sales@corp.example",
                "sales.copy@outside.example",
                cell="visible_only",
                original_id=stable_id("sales", str(at_ms))[:16],
                original_at_ms=at_ms - golden.random.randrange(3_000, 8_000),
                context=golden.context(sent_24h=0 if day % 7 >= 5 else 20),
            )


def a_mailbox_is_emptied(golden: Golden) -> None:
    """Two forwards a day for four weeks, then a hundred and fifty in one."""
    for day in golden.days(0, 28):
        for at_ms in golden.times(day, golden.random.choice((1, 2, 3))):
            golden.forward(at_ms, "archive@corp.example", "me@home.example", cell="auto_visible", octets=20_000)
    for at_ms in golden.times(START_MS + 29 * DAY_MS, 150):
        golden.forward(at_ms, "archive@corp.example", "me@home.example", cell="auto_visible", octets=30_000)


def a_dozen_words_are_watched(golden: Golden) -> None:
    """Weak hints only, which prove nothing whatever their number."""
    for day in golden.days(0, 20):
        for at_ms in golden.times(day, 3):
            golden.forward(at_ms, "hints@corp.example", "who@knows.example", evidence="weak", level="unknown")


def forwards_are_refused(golden: Golden) -> None:
    """One mailbox is told that forwarding is forbidden; another's destination is full, again and again."""
    for number, day in enumerate(golden.days(7, 28)):
        for at_ms in golden.times(day, 3):
            _refuse(golden, at_ms, "full@corp.example", "old@dst.example", "552 5.2.2 Mailbox full", is_policy=False)
        if number == 4:
            reply = "550 5.7.520 Access denied, Your organization does not allow external forwarding. AS(7555)"
            _refuse(golden, day + 9 * HOUR_MS, "lea@corp.example", "lea@free.example", reply, is_policy=True)


def _refuse(golden: Golden, at_ms: int, mailbox: str, to: str, reply: str, *, is_policy: bool) -> None:
    golden.events.append(
        ForwardRefused(
            id=stable_id("refused", mailbox, str(at_ms)),
            at_ms=at_ms,
            transaction_id=stable_id("refusal", mailbox, str(at_ms))[:16],
            mailbox=mailbox,
            destinations=(to,),
            is_policy=is_policy,
            reply=reply,
            level="user",
            context=golden.context(),
        )
    )


def archives_leave(golden: Golden) -> None:
    """A mail store in three volumes, a mail of thirty mails, and every day an innocent zip."""
    for day in golden.days(0, 7 * WEEKS):
        for at_ms in golden.times(day, 3):
            _attach(golden, at_ms, "person1@corp.example", [("offer.zip", "application/zip", 200_000)])
    leave = START_MS + 30 * DAY_MS + 20 * HOUR_MS
    for volume in (1, 2, 3):
        name = f"Outlook backup.pst.7z.{volume:03}"
        _attach(golden, leave + volume * MINUTE_MS, "leaver@corp.example", [(name, "application/x-7z", 9_000_000)])
    many = [(f"mail {number}.eml", "message/rfc822", 40_000) for number in range(30)]
    _attach(golden, START_MS + 12 * DAY_MS, "collector@corp.example", many)


def _attach(golden: Golden, at_ms: int, mailbox: str, files: Iterable[tuple[str, str, int]]) -> None:
    attachments = tuple(Attached(filename=name, content_type=kind, octets=octets) for name, kind, octets in files)
    golden.events.append(
        AttachmentsSent(
            id=stable_id("attached", mailbox, str(at_ms)),
            at_ms=at_ms,
            transaction_id=stable_id("attachment", mailbox, str(at_ms))[:16],
            mailbox=mailbox,
            destinations=("somebody@dst.example",),
            attachments=attachments,
            attached_messages=sum(each.content_type == "message/rfc822" for each in attachments),
            octets=sum(each.octets for each in attachments) * 4 // 3,
            context=golden.context(),
        )
    )


def legs_pass(golden: Golden) -> None:
    """Mails that come in and leave again, under one Message-ID, for the stage that pairs them."""
    for day in golden.days(2, 9):
        for at_ms in golden.times(day, 6):
            for delay_ms, side, recipient in ((0, "in", "paired@corp.example"), (2_000, "out", "twin@dst.example")):
                golden.events.append(
                    Leg(
                        id=stable_id("leg", side, str(at_ms)),
                        at_ms=at_ms + delay_ms,
                        transaction_id=stable_id("leg transaction", side, str(at_ms))[:16],
                        fingerprint=stable_id("message", str(at_ms)),
                        basis="message_id",
                        side="in" if side == "in" else "out",
                        sender="stranger@far.example",
                        recipients=(recipient,),
                        unaddressed=(recipient,) if side == "out" else (),
                        octets=20_000,
                        context=golden.context(),
                    )
                )


STORIES = (
    people_forward_by_hand,
    a_rule_runs_since_long_ago,
    a_redirect_is_set_up,
    many_share_a_drop,
    copies_leave_in_silence,
    a_program_poses_as_a_person,
    a_mailbox_is_emptied,
    a_dozen_words_are_watched,
    forwards_are_refused,
    archives_leave,
    legs_pass,
)


# ---- the file


def make(seed: int = 1) -> list[DetectorEvent]:
    """All events as a sensor would deliver them: a little out of order, some twice."""
    golden = Golden(seed)
    for story in STORIES:
        story(golden)
    chance = golden.random
    delivered = [(event.at_ms + chance.randrange(DISORDER_MS), event) for event in golden.events]
    delivered += [
        (at_ms + chance.randrange(12 * HOUR_MS), event) for at_ms, event in delivered if chance.random() < 0.04
    ]
    return [event for _, event in sorted(delivered, key=lambda each: (each[0], each[1].id))]


def lines(events: Iterable[DetectorEvent]) -> str:
    """One event a line, without what is as by default."""
    return "".join(msgspec.json.encode(_lean(event)).decode() + "\n" for event in events)


def read() -> list[DetectorEvent]:
    """The events of the file."""
    decode = msgspec.json.Decoder(DetectorEvent).decode
    return [decode(line) for line in FILE.read_bytes().splitlines()]


def _lean(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        fields = msgspec.structs.fields(value)
        told = {each.encode_name: getattr(value, each.name) for each in fields}
        tag = type(value).__struct_config__.tag
        given = {each.encode_name: each.default for each in fields}
        lean = {name: _lean(each) for name, each in told.items() if each != given[name]}
        return lean if tag is None else {"type": tag} | lean
    return [_lean(each) for each in value] if isinstance(value, tuple) else value


if __name__ == "__main__":
    FILE.write_text(lines(make()))
