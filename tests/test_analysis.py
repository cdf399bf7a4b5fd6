"""From mail to alerts: the same alerts at the same times, however mail was cut into batches."""

from collections.abc import Iterable, Sequence

from sensor.alert.alert import Alert
from sensor.alert.policy import Policy
from sensor.analysis import Analysis
from sensor.classify import Organisation
from sensor.detect import Runner, detectors
from sensor.detect.base import DAY_MS, HOUR_MS, MINUTE_MS
from sensor.ledger import Ledger
from sensor.model import Missed
from sensor.pipeline import Pipeline
from sensor.settings import AlertSettings
from sensor.tally import PlainTally
from tests.mails import START_NS, Batch, Mail, Tls, mail

START_MS = START_NS // 1_000_000
FORWARD = """
X-Forwarded-For: {mailbox} {to}
From: bill@shop.example
To: {mailbox}
Subject: Offer
Message-ID: <{id}@shop.example>

Buy.
"""


def forward(at_ms: int, mailbox: str = "ann@corp.example", to: str = "x@dst.example") -> Mail:
    at_ns = (START_MS + at_ms) * 1_000_000
    return mail(
        FORWARD.format(mailbox=mailbox, to=to, id=at_ms),
        id=f"t{at_ms}",
        started_at_ns=at_ns,
        ended_at_ns=at_ns + 1,
        reverse_path="{}+caf_={}@corp.example".format(mailbox.partition("@")[0], to.replace("@", "=")),
        forward_paths=[to],
    )


def analysis() -> Analysis:
    organisation = Organisation(["corp.example"])
    ledger = Ledger(watches=organisation.owns)
    pipeline = Pipeline(organisation, ledger, transaction_type=Mail, session_type=Tls)
    return Analysis(pipeline, Runner(detectors()), Policy(AlertSettings()))


def alerts_of(batches: Iterable[Sequence[Mail]]) -> list[Alert]:
    """Every telling, in order."""
    judge = analysis()
    told: list[Alert] = []
    for events in batches:
        told += judge.take(Batch(list(events)).tally(classify_all=True)).alerts
    return told + judge.finish()


def whole(mails: Sequence[Mail]) -> list[Alert]:
    return alerts_of([mails])


def one_by_one(mails: Sequence[Mail]) -> list[Alert]:
    return alerts_of([each] for each in mails)


def times(told: Iterable[Alert]) -> set[tuple[str, str, int]]:
    return {(alert.finding.detector, alert.status, alert.first_fired_ms - START_MS) for alert in told}


def test_an_alert_fires_when_its_mail_was_sent_not_when_its_batch_ended() -> None:
    month = [forward(day * DAY_MS) for day in range(30)]
    assert times(whole(month)) == times(one_by_one(month))
    assert ("new_forwarder", "firing", 0) in times(whole(month))


def test_what_was_over_within_a_batch_is_resolved_in_it() -> None:
    short = [forward(hour * HOUR_MS) for hour in range(5)]
    later = [forward(day * DAY_MS, "bob@corp.example") for day in range(5, 30)]
    for told in (whole(short + later), one_by_one(short + later)):
        last = {alert.id: alert for alert in told}.values()
        assert {each.status for each in last if each.finding.mailbox == "ann@corp.example"} == {"resolved"}
        assert {each.status for each in last if each.finding.mailbox == "bob@corp.example"} == {"firing"}


def test_an_alert_about_a_destination_fires_as_long_as_mail_goes_there() -> None:
    month = [forward(day * DAY_MS + late, f"{who}@corp.example") for day in range(30) for late, who in enumerate("ab")]
    last = {alert.id: alert for alert in whole(month)}.values()
    assert {"shared_destination", "new_destination"} <= {each.finding.detector for each in last}
    assert {each.status for each in last} == {"firing"}


def test_captures_out_of_order_let_no_alert_fire_before_its_mail() -> None:
    days = [[forward(day * DAY_MS + hour * HOUR_MS) for hour in range(4)] for day in range(20)]
    backwards = whole([each for day in reversed(days) for each in day])
    assert all(alert.first_fired_ms >= alert.finding.first_seen_ms for alert in backwards)
    late = whole([forward(20 * DAY_MS + hour * HOUR_MS, "bob@corp.example") for hour in range(4)] + days[0])
    (bob,) = {each.first_fired_ms for each in late if each.finding.mailbox == "bob@corp.example"}
    assert bob == START_MS + 20 * DAY_MS


def test_one_mail_of_an_absurd_time_resolves_nothing() -> None:
    mails = [forward(hour * HOUR_MS) for hour in range(5)]
    mails.insert(3, forward(40 * 365 * DAY_MS))
    assert {each.status for each in {alert.id: alert for alert in one_by_one(mails)}.values()} == {"firing"}


def test_without_further_mail_what_waits_is_told_as_time_passes_and_once() -> None:
    judge = analysis()
    mails = [forward(second * 1_000) for second in range(5)]
    assert judge.take(Batch(list(mails)).tally(classify_all=True)).alerts == []
    told = judge.wake(START_MS + 60 * MINUTE_MS).alerts
    assert times(told) == times(whole(mails))
    assert judge.wake(START_MS + 61 * MINUTE_MS).alerts == judge.finish() == []


def test_what_was_hidden_lately_is_known_behind_a_restart() -> None:
    before, after = analysis(), analysis()
    missed = Missed(at_ms=START_MS, why="dropped", mails=3)
    before.take(PlainTally(missed=[missed], sessions_seen=[(0, (START_MS // HOUR_MS, 1, 0))], events=1))
    for state in before.changed():
        assert after.restore(*state) is None
    assert after.pipeline.sessions.lately(START_MS) == (0.25, 3)
    assert after.pipeline.coverage.unseen_mails == 3
    assert after.restore("seen", "sessions", b"nonsense") is not None
