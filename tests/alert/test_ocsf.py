"""OCSF: what is written is valid by the published schema of 1.5.0 and of every version since, and loses nothing."""

import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema  # type: ignore[import-untyped]

from sensor.alert.policy import Policy
from sensor.alert.record import record_of
from sensor.alert.sinks.ocsf import OCSF_VERSION, detection_finding, to_ocsf_line
from sensor.model import Actor, Confidence, Finding, Seen, Severity
from tests.alert.findings import DAY_MS, NOW_MS, allowed, finding
from tests.alert.findings import settings as alert_settings

VERSIONS = ["1.5.0", "1.6.0", "1.7.0", "1.8.0"]


@cache
def validator(version: str) -> Draft202012Validator:
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=version)).get_class_schema(class_name="detection_finding")
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def event(found: Finding, **changed: Any) -> dict[str, Any]:
    (alert,) = Policy(alert_settings(**changed)).take([found], NOW_MS)
    told: dict[str, Any] = json.loads(to_ocsf_line(record_of(alert, sensor="test")))
    return told


FINDINGS = [
    finding(),
    finding(forwards=8),
    finding(mailbox=None, destinations=(), exhibits=(), actor=Actor(), coverage=Seen(), observed=None),
    finding(actor=Actor(auth_user="fay", helo="[192.0.2.1]", client_ip="2001:db8::1", server_ip="not an address")),
    finding(technique="T1114"),
    finding(technique="T1114.002", level="admin", detector="auto_forward_ratio"),
]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("found", FINDINGS)
def test_an_event_is_valid_by_the_published_schema(found: Finding, version: str) -> None:
    told = event(found, allow=(allowed(destination="a@dst.example"),))
    assert [error.message for error in validator(version).iter_errors(told)] == []
    assert told["metadata"]["version"] == OCSF_VERSION == VERSIONS[0]


def test_the_validator_refuses_what_is_wrong() -> None:
    """A schema that let everything in would prove nothing."""
    told = event(finding())
    changes: list[dict[str, Any]] = [
        {"class_uid": "2004"},
        {"severity_id": 77},
        {"invented": 1},
        {"finding_info": {}},
        {"time": None},
    ]
    for change in changes:
        assert not validator("1.5.0").is_valid(told | change), change


def test_an_alert_is_created_updated_and_closed() -> None:
    policy = Policy(alert_settings())
    told = [
        *policy.take([finding()], NOW_MS),
        *policy.take([finding(forwards=4)], NOW_MS + 1),
        *policy.advance(NOW_MS + 8 * DAY_MS),
    ]
    events = [detection_finding(record_of(alert, sensor="test")) for alert in told]
    assert [(each["activity_id"], each["type_uid"], each["status_id"]) for each in events] == [
        (1, 200401, 1),
        (2, 200402, 2),
        (3, 200403, 4),
    ]
    assert len({each["finding_info"]["uid"] for each in events}) == 1
    assert len({each["metadata"]["uid"] for each in events}) == 3


@pytest.mark.parametrize(
    ("severity", "number"), [("informational", 1), ("low", 2), ("medium", 3), ("high", 4), ("critical", 5)]
)
def test_severities_are_those_of_ocsf(severity: Severity, number: int) -> None:
    assert event(finding(severity=severity))["severity_id"] == number


@pytest.mark.parametrize(("confidence", "number"), [("low", 1), ("medium", 2), ("high", 3)])
def test_confidences_are_those_of_ocsf(confidence: Confidence, number: int) -> None:
    assert event(finding(confidence=confidence))["confidence_id"] == number


def test_the_technique_and_its_mitigations_are_named() -> None:
    attacks = event(finding())["finding_info"]["attacks"]
    assert {(each["tactic"]["uid"], each["technique"]["uid"], each["sub_technique"]["uid"]) for each in attacks} == {
        ("TA0009", "T1114", "T1114.003")
    }
    assert [each["mitigation"]["uid"] for each in attacks] == ["M1047", "M1041", "M1032", "M1060"]


def test_addresses_are_observables() -> None:
    observables = event(finding())["observables"]
    assert {(each["type_id"], each["value"]) for each in observables} == {
        (5, "fay@corp.example"), (5, "fay.home@dst.example"), (2, "192.0.2.1"), (2, "198.51.100.2"),
    }  # fmt: skip


def test_what_ocsf_has_no_place_for_is_kept_under_our_names() -> None:
    told = event(finding(), allow=())
    unmapped = told["unmapped"]
    assert unmapped["level"] == "user"
    coverage = {"clear_share": 0.5, "missing_octets": 12, "unseen_mails": 0, "unseen_of_mailbox": 0}
    assert unmapped["coverage"] == coverage
    assert unmapped["gaps"] == ["Half of the sessions were in TLS."]
    assert unmapped["evidence"]["head"] == told["evidences"][-1]["data"]["sha256"]
    assert any("doveadm" in each for step in unmapped["next_steps"] for each in step["commands"])


TEXT = st.text(max_size=30)


@settings(max_examples=25)
@given(TEXT, TEXT, TEXT, TEXT, TEXT)
def test_whatever_mail_said_the_event_is_valid(mailbox: str, to: str, helo: str, ip: str, user: str) -> None:
    hostile = finding(
        mailbox=mailbox,
        mailboxes=(mailbox,),
        destinations=(to,),
        actor=Actor(auth_user=user, helo=helo, client_ip=ip, server_ip=ip),
    )
    assert [error.message for error in validator("1.8.0").iter_errors(event(hostile))] == []
