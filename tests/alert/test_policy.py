"""Policy: one alert for each detector and subject, told again only for a reason, resolved when all is quiet."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.alert.alert import Alert
from sensor.alert.policy import MAX_PARTS, AlertStateError, Policy
from sensor.model import Finding
from tests.alert.findings import DAY_MS, HOUR_MS, NOW_MS, exhibit, finding, settings

WEEK_MS = 7 * DAY_MS


def restarted(policy: Policy, **changed: object) -> Policy:
    again = Policy(settings(**changed))
    for alert_id, blob in policy.changed():
        again.restore(alert_id, blob)
    return again


def test_a_finding_becomes_a_firing_alert() -> None:
    policy = Policy(settings())
    (alert,) = policy.take([finding()], NOW_MS)
    assert (alert.status, alert.severity, alert.updates, alert.resolved_at_ms) == ("firing", "medium", 0, None)
    assert (alert.first_fired_ms, alert.last_updated_ms) == (NOW_MS, NOW_MS)
    assert alert.finding == finding()
    assert policy.counters.opened == 1


def test_the_same_finding_told_again_is_not_told_again() -> None:
    policy = Policy(settings())
    policy.take([finding()], NOW_MS)
    assert policy.take([finding(), finding()], NOW_MS + 1) == []
    assert policy.counters.unchanged == 2


@pytest.mark.parametrize(
    "change",
    [
        {"forwards": 20},
        {"level": "admin"},
        {"severity": "high"},
        {"destinations": ("fay.home@dst.example", "drop@evil.example")},
        {"mailboxes": ("fay@corp.example", "gus@corp.example")},
        {"counts": {"forwards": 10, "nights": 1}},
    ],
    ids=str,
)
def test_a_material_change_is_told(change: dict[str, object]) -> None:
    policy = Policy(settings())
    policy.take([finding(forwards=10)], NOW_MS)
    (alert,) = policy.take([finding(**({"forwards": 10} | change))], NOW_MS + HOUR_MS)  # type: ignore[arg-type]
    assert (alert.updates, alert.last_updated_ms) == (1, NOW_MS + HOUR_MS)


def test_what_describes_the_mailbox_and_not_the_claim_is_no_material_change() -> None:
    policy = Policy(settings())
    policy.take(
        [finding(counts={"forwards": 10, "received_7d": 10, "days_known": 1, "most_in_a_day_before": 1})], NOW_MS
    )
    later = finding(counts={"forwards": 11, "received_7d": 99, "days_known": 9, "most_in_a_day_before": 9})
    assert policy.take([later], NOW_MS) == []


def test_of_two_episodes_only_what_adds_up_is_added() -> None:
    policy = Policy(settings())
    policy.take([finding(counts={"forwards": 10, "mailboxes": 3, "received_7d": 50})], NOW_MS)
    second = finding(episode="2", counts={"forwards": 12, "mailboxes": 2, "received_7d": 40}, at_ms=NOW_MS + 1)
    (alert,) = policy.take([second], NOW_MS + 1)
    assert alert.finding.counts == {"forwards": 22, "mailboxes": 2, "received_7d": 40}


def test_what_is_not_told_is_kept_for_the_next_telling() -> None:
    policy = Policy(settings())
    policy.take([finding(forwards=10)], NOW_MS)
    later = finding(forwards=15, at_ms=NOW_MS + HOUR_MS, exhibits=(exhibit(99),))
    assert policy.take([later], NOW_MS + HOUR_MS) == []
    (alert,) = policy.take([finding(forwards=20, at_ms=NOW_MS + HOUR_MS, exhibits=())], NOW_MS + HOUR_MS)
    assert "tx0099" in {link.exhibit.transaction_id for link in alert.chain.links}


def test_counts_are_compared_with_what_was_told_last() -> None:
    """So a slow rise is told at each doubling, however small its steps."""
    policy = Policy(settings())
    told = [count for count in range(1, 101) if policy.take([finding(forwards=count)], NOW_MS + count)]
    assert told == [1, 2, 4, 8, 16, 32, 64]


def test_another_episode_of_a_firing_alert_joins_it() -> None:
    policy = Policy(settings())
    (first,) = policy.take([finding(forwards=3)], NOW_MS)
    (second,) = policy.take([finding(episode="2", forwards=4, destinations=("b@dst.example",))], NOW_MS + HOUR_MS)
    assert second.id == first.id
    assert second.finding.counts == {"forwards": 7}
    assert second.finding.destinations == ("fay.home@dst.example", "b@dst.example")
    assert len(second.finding_ids) == 2


def test_detectors_and_mailboxes_have_alerts_of_their_own() -> None:
    policy = Policy(settings())
    told = policy.take(
        [
            finding(),
            finding(detector="silent_copy"),
            finding(mailbox="gus@corp.example"),
            finding(detector="shared_destination", mailbox=None, destinations=("a@dst.example",)),
            finding(detector="shared_destination", mailbox=None, destinations=("b@dst.example",), episode="2"),
        ],
        NOW_MS,
    )
    assert len({alert.id for alert in told}) == 5


def test_a_quiet_alert_is_resolved_once() -> None:
    policy = Policy(settings())
    policy.take([finding()], NOW_MS)
    assert policy.advance(NOW_MS + WEEK_MS - 1) == []
    (alert,) = policy.advance(NOW_MS + WEEK_MS)
    assert (alert.status, alert.resolved_at_ms, alert.updates) == ("resolved", NOW_MS + WEEK_MS, 1)
    assert policy.advance(NOW_MS + WEEK_MS + 1) == []


def test_an_update_that_is_not_told_keeps_an_alert_firing() -> None:
    policy = Policy(settings())
    policy.take([finding(forwards=10)], NOW_MS)
    policy.take([finding(forwards=11, at_ms=NOW_MS + 6 * DAY_MS)], NOW_MS + 6 * DAY_MS)
    assert policy.advance(NOW_MS + 12 * DAY_MS) == []
    assert len(policy.advance(NOW_MS + 13 * DAY_MS)) == 1


def test_within_the_cool_down_an_alert_fires_anew_instead_of_another() -> None:
    policy = Policy(settings())
    (first,) = policy.take([finding()], NOW_MS)
    policy.advance(NOW_MS + WEEK_MS)
    (again,) = policy.take([finding(episode="2", at_ms=NOW_MS + 8 * DAY_MS)], NOW_MS + 8 * DAY_MS)
    assert (again.id, again.status, again.updates, again.resolved_at_ms) == (first.id, "firing", 2, None)
    assert policy.counters.reopened == 1
    (resolved,) = policy.advance(NOW_MS + 15 * DAY_MS)
    assert resolved.updates == 3


def test_after_the_cool_down_another_alert_is_opened() -> None:
    policy = Policy(settings())
    (first,) = policy.take([finding()], NOW_MS)
    policy.advance(NOW_MS + WEEK_MS)
    policy.advance(NOW_MS + 2 * WEEK_MS)
    assert list(policy.alerts()) == []
    (other,) = policy.take([finding(episode="2")], NOW_MS + 2 * WEEK_MS)
    assert other.id != first.id


def test_a_cool_down_of_nothing_forgets_at_once() -> None:
    policy = Policy(settings(cool_down_s=0))
    policy.take([finding()], NOW_MS)
    assert [alert.status for alert in policy.advance(NOW_MS + WEEK_MS)] == ["resolved"]
    assert list(policy.alerts()) == []


def test_findings_resolve_what_time_has_passed_before_they_are_taken() -> None:
    policy = Policy(settings())
    policy.take([finding()], NOW_MS)
    told = policy.take([finding(mailbox="gus@corp.example")], NOW_MS + WEEK_MS)
    assert [(alert.status, alert.finding.mailbox) for alert in told] == [
        ("resolved", "fay@corp.example"),
        ("firing", "gus@corp.example"),
    ]


def test_below_the_minimum_severity_nothing_is_opened_until_it_rises() -> None:
    policy = Policy(settings(min_severity="high"))
    assert policy.take([finding()], NOW_MS) == []
    assert policy.counters.below_minimum == 1
    assert [alert.severity for alert in policy.take([finding(severity="critical")], NOW_MS)] == ["critical"]


def test_beyond_the_bound_the_quietest_alert_is_closed_aloud() -> None:
    policy = Policy(settings(max_alerts=2))
    told: list[Alert] = []
    for number in range(3):
        told += policy.take([finding(mailbox=f"m{number}@corp.example")], NOW_MS + number)
    assert [(alert.status, alert.finding.mailbox) for alert in told] == [
        ("firing", "m0@corp.example"),
        ("firing", "m1@corp.example"),
        ("resolved", "m0@corp.example"),
        ("firing", "m2@corp.example"),
    ]
    assert policy.counters.closed_early == 1
    assert len(list(policy.alerts())) == 2


def test_many_episodes_of_one_alert_stay_bounded_and_lose_no_count() -> None:
    policy = Policy(settings())
    for number in range(5 * MAX_PARTS):
        policy.take([finding(episode=str(number), at_ms=NOW_MS + number)], NOW_MS + number)
    (alert,) = policy.advance(NOW_MS + 2 * WEEK_MS)
    assert alert.finding.counts == {"forwards": 5 * MAX_PARTS}
    assert len(alert.finding.exhibits) <= 16


def test_an_earlier_telling_that_comes_late_takes_nothing_back() -> None:
    policy = Policy(settings())
    policy.take([finding(forwards=8, at_ms=NOW_MS + HOUR_MS)], NOW_MS + HOUR_MS)
    policy.take([finding(forwards=2)], NOW_MS + HOUR_MS)
    (held,) = policy.advance(NOW_MS + 2 * WEEK_MS)
    assert held.finding.counts == {"forwards": 8}


def test_a_restart_changes_nothing() -> None:
    policy = Policy(settings())
    policy.take([finding(forwards=10), finding(mailbox="gus@corp.example")], NOW_MS)
    again = restarted(policy)
    assert list(again.alerts()) == list(policy.alerts())
    later = [finding(forwards=15), finding(forwards=20)]
    assert again.take(later, NOW_MS + 1) == policy.take(later, NOW_MS + 1)
    assert again.advance(NOW_MS + WEEK_MS + 1) == policy.advance(NOW_MS + WEEK_MS + 1)


def test_what_was_forgotten_is_told_to_whoever_keeps_it() -> None:
    policy = Policy(settings(cool_down_s=0))
    (alert,) = policy.take([finding()], NOW_MS)
    assert [alert_id for alert_id, blob in policy.changed() if blob] == [alert.id]
    assert list(policy.changed()) == []
    policy.advance(NOW_MS + WEEK_MS)
    assert list(policy.changed()) == [(alert.id, b"")]


@pytest.mark.parametrize("blob", [b"", b"\x02abc", b"\x01", b"\x01\xff", b"\x01\x80"])
def test_a_blob_of_something_else_is_refused(blob: bytes) -> None:
    with pytest.raises(AlertStateError):
        Policy(settings()).restore("a", blob)


def test_a_blob_under_the_wrong_id_is_refused() -> None:
    policy = Policy(settings())
    policy.take([finding()], NOW_MS)
    ((_, blob),) = policy.changed()
    with pytest.raises(AlertStateError, match="is that of"):
        Policy(settings()).restore("another", blob)


STEPS = st.lists(
    st.tuples(
        st.integers(0, 3 * DAY_MS),
        st.sampled_from(["ann@corp.example", "bob@corp.example", None]),
        st.sampled_from(["1", "2", "3"]),
        st.integers(1, 40),
        st.sampled_from(["low", "medium", "critical"]),
    ),
    max_size=25,
)


@given(STEPS, st.integers(1, 3))
def test_tellings_are_numbered_and_their_states_alternate(steps: list[tuple], max_alerts: int) -> None:  # type: ignore[type-arg]
    """Whatever comes: each alert opens firing, is numbered without a hole, and ends no more often than it fires."""
    policy = Policy(settings(max_alerts=max_alerts, min_severity="medium"))
    told: dict[tuple[str, int], list[Alert]] = {}
    lives: dict[str, int] = {}
    now = NOW_MS
    for pause, mailbox, episode, forwards, severity in steps:
        now += pause
        told_now = policy.take(
            [finding(mailbox=mailbox, episode=episode, forwards=forwards, at_ms=now, severity=severity)], now
        )
        if pause % 2:
            policy = restarted_whole(policy, max_alerts)
        for alert in told_now:
            lives[alert.id] = lives.get(alert.id, 0) + (alert.updates == 0)
            told.setdefault((alert.id, lives[alert.id]), []).append(alert)
        assert len(list(policy.alerts())) <= max_alerts
    for life in told.values():
        assert [alert.updates for alert in life] == list(range(len(life)))
        assert life[0].status == "firing"
        assert all(not one.status == other.status == "resolved" for one, other in itertools.pairwise(life))
        assert all(one.last_updated_ms <= other.last_updated_ms for one, other in itertools.pairwise(life))


def restarted_whole(policy: Policy, max_alerts: int) -> Policy:
    again = Policy(settings(max_alerts=max_alerts, min_severity="medium"))
    # A policy tells what was touched since it was asked last; asked for the first time, all that it holds.
    for alert_id, blob in policy.changed():
        if blob:
            again.restore(alert_id, blob)
            again._touched[alert_id] = None  # noqa: SLF001 - the next restart is to take it along
    return again


def test_alerts_do_not_depend_on_how_findings_are_batched() -> None:
    findings: list[Finding] = [finding(mailbox=f"m{n % 3}@corp.example", forwards=n + 1) for n in range(30)]
    whole = Policy(settings()).take(findings, NOW_MS)
    policy = Policy(settings())
    assert whole == [alert for each in findings for alert in policy.take([each], NOW_MS)]
