"""Metrics: every one is documented, none goes backwards, and their number does not follow the mail."""

import subprocess
from itertools import product

import pytest

from docs.make_reference import pages
from sensor.alert.policy import Policy
from sensor.alert.route import SinkStatistics
from sensor.analysis import Analysis
from sensor.app.counting import FIRST, MAILBOX_GAUGES, TOP_EVERY_S, Meter
from sensor.classify import Organisation
from sensor.detect import Runner
from sensor.intervals import jeffreys
from sensor.ledger import Ledger
from sensor.metrics import FAMILIES, MAX_SERIES, WEB_FAMILIES, Counts, families, render
from sensor.model import Missed
from sensor.pipeline import Pipeline
from sensor.pseudonym import Key, KeyRing, Pseudonyms
from sensor.settings import AlertSettings
from sensor.tally import PlainTally
from sensor.taps.counters import tap_counters
from tests.ledger.forwards import forward
from tests.mails import Mail, Tls
from tests.running import needs

EVERY = (*families(tap_counters()), *WEB_FAMILIES)


def test_names_are_unique() -> None:
    names = [each.name for each in EVERY]
    assert len(names) == len(set(names))


def test_every_family_passes_promtool() -> None:
    counts = Counts(EVERY)
    for family in EVERY:
        labels = tuple(f"a {label}" for label in family.labels)
        if family.kind == "summary":
            counts.observe(family.name, 0.5, *labels)
        elif family.kind == "gauge":
            counts.set(family.name, 1, *labels)
        else:
            counts.add(family.name, 1, *labels)
    counts.publish()
    _, text = render(EVERY, [counts.snapshot])
    done = subprocess.run(
        [needs("promtool", "prometheus"), "check", "metrics"], input=text, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_counter_never_goes_backwards() -> None:
    counts = Counts()
    counts.reach("worker_restarts", 5, "live")
    counts.reach("worker_restarts", 3, "live")
    counts.add("worker_restarts", -2, "live")
    assert counts.value("worker_restarts", ("live",)) == 5


def test_what_is_not_a_family_can_not_be_counted() -> None:
    with pytest.raises(KeyError):
        Counts().add("nothing_of_that_name", 1)


def test_a_family_has_a_bound() -> None:
    counts = Counts()
    for number in range(MAX_SERIES + 100):
        counts.add("look_alikes", 1, str(number))
    counts.publish()
    assert len(counts.snapshot["look_alikes"]) == MAX_SERIES
    assert counts.snapshot["series_refused"] == {("look_alikes",): 100}


def test_series_that_are_replaced_have_the_same_bound() -> None:
    counts = Counts()
    counts.replace("mailbox_forwards", {(str(number), "auto_only"): 1 for number in range(MAX_SERIES + 1)})
    assert counts.value("series_refused", ("mailbox_forwards",)) == 1


def test_counters_of_known_labels_begin_at_zero() -> None:
    meter = Meter(Counts(), top=0, name_of=str)
    meter.build("1", "span-1")
    meter.counts.publish()
    for family, names in FIRST.items():
        assert set(meter.counts.snapshot[family]) == set(product(*names))
        assert not any(meter.counts.snapshot[family].values())


def test_a_snapshot_does_not_change() -> None:
    counts = Counts()
    counts.publish()
    before = counts.snapshot
    counts.add("batches", 1)
    assert before["batches"] == {(): 0}


def test_labels_of_any_text_can_be_scraped() -> None:
    counts = Counts()
    counts.replace("mailbox_forwards", {('a"\n\\\udc80@x', "auto_only"): 1})
    counts.publish()
    _, text = render(FAMILIES, [counts.snapshot])
    assert rb'mailbox="a\"\n\\\\udc80@x"' in text


# ---- mailboxes


def analysis_of(ledger: Ledger) -> Analysis:
    pipeline = Pipeline(Organisation(("corp.example",), ()), ledger, transaction_type=Mail, session_type=Tls)
    return Analysis(pipeline, Runner(()), Policy(AlertSettings()))


def forwarding(ledger: Ledger, mailbox: str, times: int, at_ms: int = 1_800_000_000_000) -> None:
    for number in range(times):
        ledger.count_forward(forward(mailbox, at_ms=at_ms + number), message_id=None)


def gathered(meter: Meter, analysis: Analysis, now_s: float = 0.0) -> dict[tuple[str, ...], object]:
    meter.gather(analysis, (), waiting=0, now_s=now_s)
    meter.counts.publish()
    return dict(meter.counts.snapshot["mailbox_forwards"])


def test_a_million_mailboxes_make_no_more_series_than_the_top() -> None:
    ledger = Ledger()
    for number in range(1_000_000):
        ledger.count_mail(None, (f"{number}@corp.example",), 1_800_000_000_000)
    for number in range(2_000):
        forwarding(ledger, f"f{number}@corp.example", 1 + number % 3)
    forwarding(ledger, "most@corp.example", 9)
    meter = Meter(Counts(), top=50, name_of=Pseudonyms(KeyRing([Key(b"k" * 32)])).address)
    series = gathered(meter, analysis_of(ledger))
    assert len({labels[0] for labels in series}) == 50
    total = sum(len(each) for each in meter.counts.snapshot.values())
    assert total < 800
    assert 9 in series.values()
    _, text = render(EVERY, [meter.counts.snapshot])
    assert b"corp.example" not in text


def test_a_shown_mailbox_has_its_share_with_an_interval_and_where_its_mail_goes() -> None:
    ledger, meter = Ledger(), Meter(Counts(), top=1, name_of=str)
    forwarding(ledger, "fay@corp.example", 3)
    gathered(meter, analysis_of(ledger))
    snapshot = meter.counts.snapshot
    low, high = jeffreys(3, 3)
    assert snapshot["mailbox_auto_share_low_ratio"] == {("fay@corp.example",): low}
    assert snapshot["mailbox_auto_share_high_ratio"] == {("fay@corp.example",): high}
    destinations = snapshot["mailbox_destinations"]
    assert sum(value for value in destinations.values() if isinstance(value, float | int)) == 1
    assert snapshot["mailbox_last_forward_timestamp_seconds"] == {("fay@corp.example",): 1_800_000_000.002}


def test_a_mailbox_that_left_the_top_takes_its_series_along() -> None:
    ledger, meter = Ledger(), Meter(Counts(), top=1, name_of=str)
    forwarding(ledger, "fay@corp.example", 1)
    gathered(meter, analysis_of(ledger))
    forwarding(ledger, "kim@corp.example", 2, at_ms=1_800_000_100_000)
    gathered(meter, analysis_of(ledger), now_s=TOP_EVERY_S)
    for family in ("mailbox_forwards", *MAILBOX_GAUGES):
        assert {labels[0] for labels in meter.counts.snapshot[family]} == {"kim@corp.example"}


def test_mail_that_passed_unseen_is_counted_by_why() -> None:
    analysis, meter = analysis_of(Ledger()), Meter(Counts(), top=0, name_of=str)
    batch = PlainTally(missed=[Missed(at_ms=1, why="unshown"), Missed(at_ms=1, why="dropped", mails=4)])
    for _ in range(2):
        meter.see(batch, analysis.take(batch), 0.0)
    assert [meter.counts.value("unseen_mails", (why,)) for why in ("unshown", "unread", "dropped")] == [2, 0, 8]


def test_a_sink_that_fails_is_down() -> None:
    meter = Meter(Counts(), top=0, name_of=str)
    meter.gather_sinks([SinkStatistics("soar"), SinkStatistics("siem", problem="refused")])
    assert meter.counts.value("sink_up", ("soar",)) == 1
    assert meter.counts.value("sink_up", ("siem",)) == 0


def test_parts_made_anew_count_on() -> None:
    ledger, meter = Ledger(), Meter(Counts(), top=0, name_of=str)
    ledger.duplicates = 7
    gathered(meter, analysis_of(ledger))
    meter.rebase()
    fresh = Ledger()
    gathered(meter, analysis_of(fresh))
    assert meter.counts.value("ledger_duplicates", ()) == 7
    fresh.duplicates = 2
    gathered(meter, analysis_of(fresh))
    assert meter.counts.value("ledger_duplicates", ()) == 9


def test_the_page_lists_every_metric() -> None:
    page = next(text for path, text in pages().items() if path.name == "metrics.md")
    for family in EVERY:
        assert f"`{family.shown_name}`" in page
