"""From events to counts: what is counted as sent, received, forwarded, tried, and not at all."""

from dataclasses import replace
from itertools import cycle
from typing import Any

import pytest

from sensor.classify import NONE, Organisation
from sensor.detect.events import Attached, AttachmentsSent, DestinationSeen, ForwardRefused, ForwardSeen
from sensor.ledger import Ledger
from sensor.model import Event, Forwarding, Missed, Outcome
from sensor.pipeline import Pipeline
from sensor.tally import PlainTally
from tests.mails import START_NS, Attachment, Completeness, Header, Mail, Path, Tls, core_mail, mail

CORP = Organisation(["corp.example"])
FORWARD = """
X-Forwarded-For: ann@corp.example x@dst.example
From: bill@shop.example
To: ann@corp.example
Subject: Offer
Message-ID: <{id}@shop.example>

Buy.
"""


def forward(number: int = 1, outcome: Outcome = "delivered") -> Mail:
    return mail(
        FORWARD.format(id=number),
        reverse_path="ann+caf_=x=dst.example@corp.example",
        forward_paths=["x@dst.example"],
        outcome=outcome,
    )


def pipeline(organisation: Organisation = CORP) -> Pipeline:
    ledger = Ledger(watches=organisation.owns if organisation.known else None)
    return Pipeline(organisation, ledger, transaction_type=Mail, session_type=Tls)


def test_ordinary_mail_counts_as_sent_and_received() -> None:
    road = pipeline(Organisation())
    verdicts = road.feed([Mail(reverse_path="Bill@shop.example", forward_paths=(Path("ann@corp.example"),))])
    assert verdicts.forwardings == {}
    bill, ann = road.ledger.account("bill@shop.example"), road.ledger.account("ann@corp.example")
    assert bill is not None
    assert ann is not None
    assert (bill.sent, ann.received) == (1, 1)


def test_a_refused_recipient_received_nothing() -> None:
    road = pipeline(Organisation())
    paths = (Path("ann@corp.example"), Path("bob@corp.example", 550, False), Path("carl@corp.example", None, False))
    road.feed([Mail(forward_paths=paths)])
    assert road.ledger.account("ann@corp.example") is not None
    assert road.ledger.account("bob@corp.example") is None
    assert road.ledger.account("carl@corp.example") is not None


def test_a_forward_counts_for_the_mailbox_and_not_for_its_rewritten_reverse_path() -> None:
    road = pipeline()
    verdicts = road.feed([Mail(), forward()])
    assert verdicts.forwardings[1].mailbox == "ann@corp.example"
    assert verdicts.forwardings[0] == Forwarding(direction="inbound")
    [(name, account, forwards)] = road.ledger.forwarders()
    assert (name, account.sent, forwards.auto_only) == ("ann@corp.example", 1, 1)
    assert road.ledger.account("ann+caf_=x=dst.example@corp.example") is None


@pytest.mark.parametrize("outcome", ["rejected", "deferred", "aborted"])
def test_what_no_server_took_is_an_attempt(outcome: Outcome) -> None:
    road = pipeline()
    road.feed([forward(outcome=outcome)])
    [(_, account, forwards)] = road.ledger.forwarders()
    assert (account.sent, forwards.total, forwards.attempts) == (0, 0, 1)


def test_an_unknown_outcome_counts_as_forwarded() -> None:
    road = pipeline()
    road.feed([forward(outcome="unknown")])
    [(_, _, forwards)] = road.ledger.forwarders()
    assert forwards.auto_only == 1


def test_a_deferred_copy_that_is_retried_counts_once_as_a_forward() -> None:
    road = pipeline()
    road.feed([forward(outcome="deferred"), forward(), forward()])
    [(_, _, forwards)] = road.ledger.forwarders()
    assert (forwards.auto_only, forwards.attempts, road.ledger.duplicates) == (1, 1, 1)


def test_forwards_of_mailboxes_elsewhere_are_named_and_not_counted() -> None:
    road = pipeline(Organisation(["dst.example"]))
    verdicts = road.feed([forward()])
    assert verdicts.forwardings[0].look_alike == "foreign_forward"
    assert road.ledger.forwarders() == []
    assert road.coverage.look_alikes == {"foreign_forward": 1}


REFUSED = """\
From: postmaster@corp.example
To: bill@shop.example
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b

The mail of ann@corp.example to x@dst.example was refused: 5.7.520 Access denied.
--b--
"""


def test_a_report_that_a_forward_was_refused_is_an_attempt_of_its_mailbox_and_no_mail_of_its() -> None:
    road = pipeline()
    road.feed([core_mail(REFUSED, reverse_path="", forward_paths=["bill@shop.example"])])
    ((name, account, forwards),) = road.ledger.forwarders()
    assert (name, account.sent, forwards.attempts, forwards.total) == ("ann@corp.example", 0, 1, 0)
    assert road.coverage.look_alikes == {"delivery_report": 1}


def test_coverage_adds_up() -> None:
    road = pipeline()
    events: list[Event] = [
        Mail(started_at_ns=5, ended_at_ns=9),
        Mail(outcome="rejected", completeness=Completeness(missing_octets=7, truncated=True)),
        Mail(outcome="unknown", completeness=Completeness(one_sided=True)),
        Tls(client_octets=1, server_octets=2),
    ]
    road.feed(events)
    coverage = road.coverage
    assert coverage.transactions == 3
    assert (coverage.outcomes["delivered"], coverage.outcomes["rejected"], coverage.outcomes["unknown"]) == (1, 1, 1)
    assert (coverage.incomplete, coverage.missing_octets, coverage.one_sided) == (1, 7, 1)
    assert (coverage.tls_sessions, coverage.tls_octets, coverage.first_seen_ns) == (1, 3, 5)


def test_the_cut_into_batches_does_not_matter() -> None:
    events: list[Event] = [Mail(), forward(1), Tls(), forward(2), Mail(outcome="aborted"), forward(1)]
    whole, pieces = pipeline(), pipeline()
    whole.feed(events)
    for event in events:
        pieces.feed([event])
    assert whole.coverage == pieces.coverage
    assert [each[2].auto_only for each in whole.ledger.forwarders()] == [2]
    assert [each[2].auto_only for each in pieces.ledger.forwarders()] == [2]


def test_the_cut_into_batches_does_not_change_what_is_told() -> None:
    minute_ns = 60_000_000_000
    events: list[Event] = []
    for number in range(200):
        at_ns = START_NS + number * 7 * minute_ns
        times: dict[str, Any] = {"started_at_ns": at_ns, "ended_at_ns": at_ns + 1_000_000}
        original = Header(message_id=f"m{number}", from_=("bill@shop.example",), to=("ann@corp.example",))
        events += [
            Tls(**times),
            Mail(id=f"in{number}", header=original, **times),
            replace(forward(number), **times, id=f"marked{number}"),
            Mail(id=f"out{number}", header=original, forward_paths=(Path("y@dst.example"),), **times),
            replace(forward(1_000 + number, "rejected"), **times, id=f"refused{number}"),
        ]
    whole, pieces, sizes = pipeline(), pipeline(), cycle((1, 7, 2, 30, 3))
    told = [*whole.feed(events).events, *whole.finish()]
    told_in_pieces, rest = [], list(events)
    while rest:
        size = next(sizes)
        told_in_pieces += pieces.feed(rest[:size]).events
        rest = rest[size:]
    assert [*told_in_pieces, *pieces.finish()] == told
    assert len(told) == 200 * 5
    assert whole.ledger.forwarders()[0][2].paired == 200


def test_a_forward_is_told_with_each_of_its_outside_destinations_and_what_was_known() -> None:
    road = pipeline()
    [forwarded, destination] = road.feed([Mail(), forward(), Tls()]).events
    assert isinstance(forwarded, ForwardSeen)
    assert (forwarded.mailbox, forwarded.cell, forwarded.direction) == ("ann@corp.example", "auto_only", "outbound")
    assert (forwarded.destinations, forwarded.outside) == (("x@dst.example",), ("x@dst.example",))
    assert (forwarded.context.received_1h, forwarded.context.sent_24h) == (1, 0)
    assert (forwarded.context.sensor_since_ms, forwarded.context.clear_share) == (START_NS // 1_000_000, 1.0)
    assert isinstance(destination, DestinationSeen)
    assert (destination.destination, destination.domain, destination.forward) == (
        "x@dst.example",
        "dst.example",
        forwarded,
    )


def test_a_further_hop_of_a_forward_is_not_told_again() -> None:
    road = pipeline()
    assert len(road.feed([forward()]).events) == 2
    assert road.feed([forward()]).events == []


def test_sessions_in_tls_lower_the_share_that_was_seen_in_clear() -> None:
    road = pipeline()
    road.feed([Tls(), Tls(), Tls()])
    forwarded = road.feed([forward()]).events[0]
    assert isinstance(forwarded, ForwardSeen)
    assert forwarded.context.clear_share == 0.25


def test_mail_that_passed_unseen_lowers_it_too_and_is_told_where_it_is_known_whose_it_was() -> None:
    road, at_ms = pipeline(), START_NS // 1_000_000
    road.take(
        PlainTally(
            missed=[
                Missed(at_ms=at_ms, why="unshown", mailboxes=("ann@corp.example",)),
                Missed(at_ms=at_ms, why="unshown", mails=0, mailboxes=("bob@corp.example",)),
                Missed(at_ms=at_ms, why="dropped", mails=2),
                Missed(at_ms=at_ms - 30 * 3_600_000, why="unread", mails=9),
            ]
        )
    )
    forwarded = road.feed([forward()]).events[0]
    assert isinstance(forwarded, ForwardSeen)
    context = forwarded.context
    assert (context.clear_share, context.unseen_24h, context.mailbox_unseen_24h) == (0.25, 3, 1)
    assert (road.coverage.unseen_mails, road.coverage.transactions) == (12, 1)


@pytest.mark.parametrize(("outcome", "told"), [("rejected", 1), ("deferred", 0), ("aborted", 0)])
def test_a_refused_forward_is_told_and_a_deferral_or_loss_is_not(outcome: Outcome, told: int) -> None:
    events = pipeline().feed([forward(outcome=outcome)]).events
    assert [type(event) for event in events] == [ForwardRefused] * told
    assert [event.is_policy for event in events if isinstance(event, ForwardRefused)] == [False] * told


def test_a_refusal_that_forbids_forwarding_is_told_as_policy() -> None:
    refused = core_mail(
        FORWARD.format(id=1),
        reverse_path="ann+caf_=x=dst.example@corp.example",
        forward_paths=["x@dst.example"],
        reply=(550, "5.7.520", "Access denied, Your organization does not allow external forwarding."),
    )
    [event] = pipeline().feed([refused]).events
    assert isinstance(event, ForwardRefused)
    assert (event.mailbox, event.is_policy, event.destinations) == ("ann@corp.example", True, ("x@dst.example",))
    assert (event.reply or "").startswith("550 5.7.520 Access denied")


ARCHIVE = Attachment("Backup.PST", "application/octet-stream", 1 << 20)


def test_an_archive_sent_to_outside_is_told_and_not_one_sent_inside() -> None:
    def sent(*to: str) -> Mail:
        paths = tuple(Path(address) for address in to)
        return Mail(reverse_path="ann@corp.example", forward_paths=paths, attachments=(ARCHIVE,))

    [event] = pipeline().feed([sent("x@dst.example", "bob@corp.example"), sent("bob@corp.example")]).events
    assert isinstance(event, AttachmentsSent)
    assert (event.mailbox, event.destinations) == ("ann@corp.example", ("x@dst.example",))
    assert event.attachments == (
        Attached(filename="Backup.PST", content_type="application/octet-stream", octets=1 << 20),
    )


def test_attachments_that_are_no_archives_or_come_from_outside_are_not_told() -> None:
    picture = Attachment("me.jpg", "image/jpeg", 5_000)
    ours = Mail(
        reverse_path="ann@corp.example",
        forward_paths=(Path("x@dst.example"),),
        attachments=(picture,),
    )
    theirs = Mail(reverse_path="x@dst.example", attachments=(ARCHIVE,))
    assert pipeline().feed([ours, theirs]).events == []


def test_nothing_in_gives_nothing_out() -> None:
    road = pipeline(Organisation())
    assert road.feed([]).forwardings == {}
    assert road.feed([Mail()]).forwardings.get(0, NONE) is NONE
