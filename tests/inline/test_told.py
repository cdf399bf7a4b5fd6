"""Rules that do less than whoever wrote them believes are told of at the start."""

from __future__ import annotations

import io

import pytest

from sensor.classify import Organisation, builtin_table
from sensor.inline import Judge
from sensor.log import Log
from sensor.model import Direction
from sensor.settings import InlineRule, InlineSettings, RelaySettings
from sensor.taps.relay.tap import RelayTap


def judge(organisation: Organisation, *directions: Direction) -> str:
    told = io.StringIO()
    rule = InlineRule(name="out", action="tag", directions=directions)
    Judge(builtin_table(), organisation, InlineSettings(rules=(rule,)), log=Log(told)).close()
    return told.getvalue()


def test_a_rule_about_a_direction_is_told_to_meet_nothing_where_none_is_known() -> None:
    said = 'warning rule_meets_nothing rule=out why="organisation.internal_domains is empty"\n'
    assert judge(Organisation(), "outbound") == said
    assert judge(Organisation(), "outbound", "unknown") == ""
    assert judge(Organisation()) == ""
    assert judge(Organisation(["corp.example"]), "outbound") == ""


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_relay_tells_that_it_holds_no_mail(dry_run: bool) -> None:
    told = io.StringIO()
    rule = InlineRule(name="hold", action="quarantine", dry_run=dry_run)
    table, inline = builtin_table(), InlineSettings(rules=(rule,))
    tap = RelayTap(
        RelaySettings(listen="127.0.0.1:0", next_hop="127.0.0.1:9"),
        table.interest,
        judge=Judge(table, Organisation(), inline, log=Log(told)),
        inline=inline,
        log=Log(told),
    )
    tap.stop()
    for _ in tap.batches():
        pass
    assert told.getvalue() == 'warning quarantine_defers rule=hold why="a relay has no hold queue"\n'
