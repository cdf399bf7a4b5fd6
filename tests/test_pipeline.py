"""From events to counts: what is counted as sent, received, forwarded, tried, and not at all."""

import pytest

from sensor.classify import NONE, Organisation
from sensor.ledger import Ledger
from sensor.model import Event, Finding, Forwarding, Outcome, Transaction
from sensor.pipeline import Detector, Pipeline
from tests.mails import Completeness, Mail, Path, Tls, core_mail, mail

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


def pipeline(organisation: Organisation = CORP, detectors: tuple[Detector, ...] = ()) -> Pipeline:
    ledger = Ledger(watches=organisation.owns if organisation.known else None)
    return Pipeline(organisation, ledger, transaction_type=Mail, session_type=Tls, detectors=detectors)


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


def test_detectors_see_forwards_and_nothing_else() -> None:
    class Claims:
        name = "claims"

        def observe(self, transaction: Transaction, forwarding: Forwarding, ledger: Ledger) -> Finding | None:
            mailbox = forwarding.mailbox
            if mailbox is None:
                return None
            return Finding(
                id=transaction.id,
                detector=self.name,
                mailbox=mailbox,
                mailboxes=(mailbox,),
                destinations=(),
                summary="seen",
                first_seen_ms=0,
                last_seen_ms=0,
            )

    verdicts = pipeline(detectors=(Claims(),)).feed([Mail(), forward(), Tls()])
    assert [(finding.detector, finding.mailbox) for finding in verdicts.findings] == [("claims", "ann@corp.example")]


def test_nothing_in_gives_nothing_out() -> None:
    road = pipeline(Organisation())
    assert road.feed([]).forwardings == {}
    assert road.feed([Mail()]).forwardings.get(0, NONE) is NONE
