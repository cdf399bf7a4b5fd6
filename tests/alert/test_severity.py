"""Severity: the detector's own, the organisation's map, then its rules in their order."""

import pytest

from sensor.alert.severity import severity_of
from sensor.model import Finding
from sensor.settings import SeverityRule
from tests.alert.findings import finding, settings

FOUND = finding(destinations=("a@dst.example", "b@partner.example"), level="admin", confidence="low")


def severity(*rules: SeverityRule, found: Finding = FOUND) -> str:
    return severity_of(found, settings(severity={"new_forwarder": "medium"}, rules=rules))


def test_the_map_replaces_what_the_detector_says() -> None:
    assert severity(found=finding(severity="critical")) == "medium"
    assert severity(found=finding(detector="silent_copy", severity="critical")) == "critical"


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (SeverityRule(steps=1), "high"),
        (SeverityRule(steps=4), "critical"),
        (SeverityRule(steps=-4), "informational"),
        (SeverityRule(severity="low"), "low"),
        (SeverityRule(detector="new_forwarder", steps=1), "high"),
        (SeverityRule(detector="silent_copy", steps=1), "medium"),
        (SeverityRule(mailbox="FAY@corp.example", steps=1), "high"),
        (SeverityRule(mailbox="gus@corp.example", steps=1), "medium"),
        (SeverityRule(destination="B@partner.example", steps=1), "high"),
        (SeverityRule(destination="c@partner.example", steps=1), "medium"),
        (SeverityRule(domain="partner.example", steps=1), "high"),
        (SeverityRule(domain=".example", steps=1), "high"),
        (SeverityRule(domain="ner.example", steps=1), "medium"),
        (SeverityRule(domain=".ner.example", steps=1), "medium"),
        (SeverityRule(level="admin", confidence="low", steps=1), "high"),
        (SeverityRule(level="admin", confidence="high", steps=1), "medium"),
    ],
)
def test_a_rule_applies_where_all_its_parts_fit(rule: SeverityRule, expected: str) -> None:
    assert severity(rule) == expected


def test_rules_apply_in_their_order() -> None:
    assert severity(SeverityRule(steps=1), SeverityRule(severity="low"), SeverityRule(steps=1)) == "medium"
