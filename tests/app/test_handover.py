"""From one analysis to the next: states go over, and nothing that is not saved yet is lost on the way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sensor.alert.policy import Policy
from sensor.app.build import Plan, plan_of
from sensor.app.handover import Handover
from sensor.app.reload import Change
from sensor.privacy import CLEAR
from sensor.recent import RecentRecords
from sensor.settings import PrivacySettings
from sensor.view import View
from tests.alert.findings import NOW_MS, finding, settings
from tests.service import SIEVE

(ALERT,) = Policy(settings()).take([finding()], NOW_MS)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    path = tmp_path / "sensor.toml"
    path.write_text(f'[capture]\nfiles = ["{SIEVE}"]\n')
    return plan_of(str(path), {})


@pytest.fixture
def handover() -> Iterator[Handover]:
    with ExitStack() as opened:
        yield Handover(None, privacy=PrivacySettings(), keys=None, veil=CLEAR, observe=lambda *_: None, opened=opened)


def test_where_no_part_changed_the_analysis_goes_on_and_alerts_wait_for_the_next_save(
    handover: Handover, plan: Plan
) -> None:
    old = handover.first(plan)
    view = View(old, RecentRecords(0), CLEAR)
    view.take_alerts([ALERT], sensor="test")
    assert handover.after(old, plan, Change(output=True), view, {}) is old
    assert view.unsaved_alerts() == (ALERT,)


@pytest.mark.parametrize(
    "change", [Change(policy=True), Change(pipeline=True, runner=True), Change(pipeline=True, runner=True, policy=True)]
)
def test_alerts_and_clock_go_over_without_a_store_and_again(handover: Handover, plan: Plan, change: Change) -> None:
    analysis = handover.first(plan)
    (told,) = analysis.policy.take([finding()], NOW_MS)
    analysis.runner.wake(NOW_MS)
    view = View(analysis, RecentRecords(0), CLEAR)
    for _ in range(3):
        before, analysis = analysis, handover.after(analysis, plan, change, view, {})
        assert (analysis.policy is before.policy) is not change.policy
        assert (analysis.runner is before.runner) is not change.runner
        assert (analysis.pipeline is before.pipeline) is not change.pipeline
        assert list(analysis.policy.alerts()) == [told]
        assert analysis.runner.clock_ms == NOW_MS
