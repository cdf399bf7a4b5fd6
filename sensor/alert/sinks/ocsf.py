"""
Alerts as OCSF: Detection Finding, class 2004 of the Open Cybersecurity Schema Framework, version 1.5.0.

1.5.0 is the first version in which an attack names its mitigations and an evidence its id; what is written here is
also valid in the versions after it. What OCSF has no place for stands in ``unmapped`` under our own names, so nothing
of the record is lost. https://schema.ocsf.io/1.5.0/classes/detection_finding
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from types import MappingProxyType
from typing import Any

import msgspec

from sensor.alert.chain import ALGORITHM
from sensor.alert.record import AlertRecord, ExhibitRecord, ms_of
from sensor.alert.sinks.base import Sink
from sensor.alert.sinks.lines import LineSink
from sensor.version import version

OCSF_VERSION = "1.5.0"
CLASS_UID = 2004
CATEGORY_UID = 2

_CREATE, _UPDATE, _CLOSE = (1, "Create"), (2, "Update"), (3, "Close")
_NEW, _IN_PROGRESS, _RESOLVED = (1, "New"), (2, "In Progress"), (4, "Resolved")
_SEVERITIES = MappingProxyType(
    {
        "informational": (1, "Informational"),
        "low": (2, "Low"),
        "medium": (3, "Medium"),
        "high": (4, "High"),
        "critical": (5, "Critical"),
    }
)
_CONFIDENCES = MappingProxyType({"low": (1, "Low"), "medium": (2, "Medium"), "high": (3, "High")})

# Behavioral and Statistical, of analytic.type_id: what measures shares and volumes, and what follows events.
_STATISTICAL = frozenset(("auto_forward_ratio", "forward_volume_shift", "machine_paced_forwarding"))
_IP_ADDRESS, _EMAIL_ADDRESS, _USER_NAME = 2, 5, 4

# A host name as OCSF's hostname_t has it, and no longer than DNS allows.
_HOSTNAME = re.compile(
    r"(?=.{1,253}$)([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)

_TECHNIQUES = MappingProxyType(
    {
        "T1114": "Email Collection",
        "T1114.001": "Local Email Collection",
        "T1114.002": "Remote Email Collection",
        "T1114.003": "Email Forwarding Rule",
    }
)
_ATTACK = "https://attack.mitre.org"


def open_ocsf(target: str, *, append: bool = False, durable: bool = False) -> Sink:
    """A sink that writes OCSF events, one a line, to *target* or standard output (``-``). Raises ``SinkError``."""
    return LineSink("ocsf", target, to_ocsf_line, append=append, durable=durable)


def to_ocsf_line(record: AlertRecord) -> bytes:
    """The event as one line of JSON."""
    return msgspec.json.encode(detection_finding(record)) + b"\n"


def detection_finding(record: AlertRecord) -> dict[str, Any]:
    """The Detection Finding that tells *record*."""
    activity, status = _activity(record)
    severity, confidence = _SEVERITIES[record.severity], _CONFIDENCES[record.confidence]
    updated = ms_of(record.last_updated_at)
    event = {
        "activity_id": activity[0],
        "activity_name": activity[1],
        "category_uid": CATEGORY_UID,
        "category_name": "Findings",
        "class_uid": CLASS_UID,
        "class_name": "Detection Finding",
        "type_uid": CLASS_UID * 100 + activity[0],
        "type_name": f"Detection Finding: {activity[1]}",
        "time": updated,
        "start_time": ms_of(record.first_seen),
        "end_time": ms_of(record.last_seen),
        "severity_id": severity[0],
        "severity": severity[1],
        "confidence_id": confidence[0],
        "confidence": confidence[1],
        "status_id": status[0],
        "status": status[1],
        "is_alert": True,
        "message": record.summary,
        "metadata": _metadata(record),
        "finding_info": _finding_info(record, updated),
        "evidences": [_evidence(record, link.index, link.digest, link.exhibit) for link in record.evidence.links],
        "observables": list(_observables(record)),
        "resources": [{"name": each, "type": "mailbox"} for each in record.mailboxes],
        "remediation": {"desc": _remediation(record)},
        "unmapped": _unmapped(record),
    }
    return {key: value for key, value in event.items() if value not in ([], {})}


def _activity(record: AlertRecord) -> tuple[tuple[int, str], tuple[int, str]]:
    if record.status == "resolved":
        return _CLOSE, _RESOLVED
    return (_CREATE, _NEW) if record.updates == 0 else (_UPDATE, _IN_PROGRESS)


def _metadata(record: AlertRecord) -> dict[str, Any]:
    return {
        "version": OCSF_VERSION,
        "uid": f"{record.id}.{record.updates}",
        "sequence": record.updates,
        "correlation_uid": record.id,
        "log_provider": record.sensor,
        "event_code": record.detector,
        "product": product(),
    }


def product() -> dict[str, str]:
    """Who writes the event."""
    return {"name": "Mailflow Sensor", "uid": "mailsensor", "vendor_name": "Mailflow", "version": version()}


def _finding_info(record: AlertRecord, updated: int) -> dict[str, Any]:
    kind = (3, "Statistical") if record.detector in _STATISTICAL else (2, "Behavioral")
    return {
        "uid": record.id,
        "title": record.detector.replace("_", " "),
        "desc": " ".join(part for part in (record.summary, record.level_reason, record.confidence_reason) if part),
        "types": [record.detector],
        "analytic": {"name": record.detector, "uid": record.detector, "type_id": kind[0], "type": kind[1]},
        "attacks": list(_attacks(record)),
        "created_time": ms_of(record.first_fired_at),
        "modified_time": updated,
        "first_seen_time": ms_of(record.first_seen),
        "last_seen_time": ms_of(record.last_seen),
        "data_sources": ["SMTP mail flow"],
        "related_events": [
            {"uid": each, "product_uid": "mailsensor", "type": "mail transaction"}
            for each in dict.fromkeys(link.exhibit.transaction_id for link in record.evidence.links)
        ],
    }


def _attacks(record: AlertRecord) -> Iterator[dict[str, Any]]:
    """One entry for each mitigation, since an attack has a place for one."""
    technique = record.attack.technique
    parent, _, sub = technique.partition(".")
    attack: dict[str, Any] = {
        "tactic": {"uid": record.attack.tactic, "name": "Collection", "src_url": f"{_ATTACK}/tactics/TA0009/"},
        "technique": _technique(parent, f"{_ATTACK}/techniques/{parent}/"),
    }
    if sub:
        attack["sub_technique"] = _technique(technique, f"{_ATTACK}/techniques/{parent}/{sub}/")
    for each in record.attack.mitigations:
        mitigation = {"uid": each.id, "name": each.name, "src_url": f"{_ATTACK}/mitigations/{each.id}/"}
        yield attack | {"mitigation": mitigation}
    if not record.attack.mitigations:
        yield attack


def _technique(uid: str, url: str) -> dict[str, str]:
    return {"uid": uid, "name": _TECHNIQUES.get(uid, uid), "src_url": url}


def _evidence(record: AlertRecord, index: int, digest: str, exhibit: ExhibitRecord) -> dict[str, Any]:
    actor = record.actor
    evidence: dict[str, Any] = {
        "uid": exhibit.transaction_id,
        "name": f"mail {index + 1}",
        "data": {
            "transaction_id": exhibit.transaction_id,
            "at_ms": exhibit.at_ms,
            "index": index,
            ALGORITHM: digest,
            "lines": [msgspec.structs.asdict(line) for line in exhibit.lines],
        },
    }
    # Who handed the mails over is known of the claim, not of each mail.
    evidence["src_endpoint"] = endpoint(actor.client_ip, actor.helo)
    evidence["dst_endpoint"] = endpoint(actor.server_ip, None)
    evidence["actor"] = {"user": {"name": actor.auth_user}} if actor.auth_user else {}
    return {key: value for key, value in evidence.items() if value != {}}


def endpoint(ip: str | None, helo: str | None) -> dict[str, str]:
    """What of both is what OCSF calls an address and a hostname: a client may say anything in EHLO."""
    endpoint: dict[str, str] = {}
    if ip is not None and _is_ip(ip):
        endpoint["ip"] = ip
    if helo is not None and _HOSTNAME.fullmatch(helo):
        endpoint["hostname"] = helo
    return endpoint


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def _observables(record: AlertRecord) -> Iterator[dict[str, Any]]:
    named = [("mailboxes", each) for each in dict.fromkeys((*record.mailboxes, *filter(None, [record.mailbox])))]
    named += [("destinations", each) for each in record.destinations]
    for name, value in named:
        yield {"name": name, "type_id": _EMAIL_ADDRESS, "type": "Email Address", "value": value}
    for name, ip in (("actor.client_ip", record.actor.client_ip), ("actor.server_ip", record.actor.server_ip)):
        if ip is not None and _is_ip(ip):
            yield {"name": name, "type_id": _IP_ADDRESS, "type": "IP Address", "value": ip}
    if record.actor.auth_user:
        yield {
            "name": "actor.auth_user",
            "type_id": _USER_NAME,
            "type": "User Name",
            "value": record.actor.auth_user,
        }


def _remediation(record: AlertRecord) -> str:
    """The steps as text; their commands stand in ``unmapped``, each with the shell it is quoted for."""
    return " ".join(f"{number}. {step.title}." for number, step in enumerate(record.next_steps, start=1))


_MAPPED = frozenset(
    (
        "record", "id", "severity", "confidence", "summary", "first_fired_at", "last_updated_at", "first_seen",
        "last_seen", "attack", "sensor", "mailboxes",
    )
)  # fmt: skip


def _unmapped(record: AlertRecord) -> Mapping[str, Any]:
    """What OCSF has no place for, under the names of our record; the evidence without what stands in evidences."""
    plain: dict[str, Any] = msgspec.to_builtins(record)
    plain["evidence"] = {key: value for key, value in plain["evidence"].items() if key != "links"}
    return {key: value for key, value in plain.items() if key not in _MAPPED and value is not None}
