"""
Transaction records as OCSF Email Activity, class 4009, version 1.5.0.

What a mail was, who handed it to whom, and what became of it; what OCSF has no place for (verdicts per recipient,
forwarding, completeness, anomalies) stands in ``unmapped`` under our own names.
https://schema.ocsf.io/1.5.0/classes/email_activity
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import msgspec

from sensor.alert.sinks.ocsf import OCSF_VERSION, endpoint, product
from sensor.model import TransactionRecord, read_record

CLASS_UID = 4009

# OCSF's email_t.
_ADDRESS = re.compile(r"[a-zA-Z0-9!#$%&'*+-/=?^_`{|}~.]+@[a-zA-Z0-9-]+\.[a-zA-Z0-9-.]+")

_SEND, _RECEIVE = (1, "Send"), (2, "Receive")
_ACTIVITIES = MappingProxyType({"inbound": _RECEIVE})
_DIRECTIONS = MappingProxyType({"inbound": (1, "Inbound"), "outbound": (2, "Outbound"), "internal": (3, "Internal")})
_STATUSES = MappingProxyType({"delivered": (1, "Success"), "unknown": (0, "Unknown")})
_FAILURE = (2, "Failure")


def to_email_activity_line(line: bytes) -> bytes | None:
    """
    The event for one record line; none for what OCSF can't tell: a session that turned to TLS, and a mail without any
    address that OCSF takes for one, as an attempt with the null reverse-path that was given up.

    Raises ``msgspec.DecodeError`` for a line that is no record.
    """
    record = read_record(line)
    event = email_activity(record) if isinstance(record, TransactionRecord) else None
    return None if event is None else msgspec.json.encode(event) + b"\n"


def email_activity(record: TransactionRecord) -> dict[str, Any] | None:
    """The Email Activity that tells *record*, if OCSF can. Informational: a record judges nothing."""
    email = _email(record)
    if email is None:
        return None
    direction = record.forwarding.direction
    activity = _ACTIVITIES.get(direction, _SEND)
    status = _STATUSES.get(record.outcome, _FAILURE)
    direction_id, direction_name = _DIRECTIONS.get(direction, (0, "Unknown"))
    event: dict[str, Any] = {
        "activity_id": activity[0],
        "activity_name": activity[1],
        "category_uid": 4,
        "category_name": "Network Activity",
        "class_uid": CLASS_UID,
        "class_name": "Email Activity",
        "type_uid": CLASS_UID * 100 + activity[0],
        "type_name": f"Email Activity: {activity[1]}",
        "time": record.started_at_ns // 1_000_000,
        "start_time": record.started_at_ns // 1_000_000,
        "end_time": record.ended_at_ns // 1_000_000,
        "severity_id": 1,
        "severity": "Informational",
        "status_id": status[0],
        "status": status[1],
        "direction_id": direction_id,
        "direction": direction_name,
        "metadata": {
            "version": OCSF_VERSION,
            "uid": record.id,
            "log_provider": record.sensor,
            "product": product(),
        },
        "email": email,
        "smtp_hello": record.session.helo or "",
        "protocol_name": (record.session.protocol or "smtp").upper(),
        "src_endpoint": {
            **endpoint(record.session.client_ip or record.flow.src_ip, None),
            "port": record.flow.src_port,
        },
        "dst_endpoint": {**endpoint(record.flow.dst_ip, None), "port": record.flow.dst_port},
        "unmapped": _unmapped(record),
    }
    if record.reply is not None:
        event |= {"status_code": str(record.reply.code), "status_detail": record.reply.text}
    return {key: value for key, value in event.items() if value not in ({}, [], "")}


def _email(record: TransactionRecord) -> dict[str, Any] | None:
    """Envelope and header, as far as OCSF takes their addresses; an envelope speaks for a header that was not seen."""
    header, envelope_to = record.header, [path.address for path in record.forward_paths]
    email: dict[str, Any] = {
        "from": _first([record.reverse_path or ""] if header is None else header.from_),
        "to": _named(envelope_to if header is None else header.to),
        "smtp_from": _first([record.reverse_path or ""]),
        "smtp_to": _named(envelope_to),
        "size": record.size_octets,
    }
    if header is not None:
        email |= {
            "message_uid": header.message_id,
            "cc": _named(header.cc),
            "reply_to": _first(header.reply_to),
            "subject": header.subject,
            "delivered_to_list": _named(header.delivered_to),
        }
    # One of From and To has to be there.
    email["to"] = email["to"] or ([] if email["from"] else email["smtp_to"])
    known = {key: value for key, value in email.items() if value not in (None, [])}
    return known if "from" in known or "to" in known else None


def _named(addresses: Sequence[str]) -> list[str]:
    """Those that OCSF takes for addresses: it knows no null reverse-path, no UTF-8 and no quoted local part."""
    return [each for each in addresses if _ADDRESS.fullmatch(each)]


def _first(addresses: Sequence[str]) -> str | None:
    return next(iter(_named(addresses)), None)


def _unmapped(record: TransactionRecord) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(record)
    mapped = ("record", "id", "started_at", "ended_at", "sensor", "flow", "size_octets")
    rest = {key: value for key, value in plain.items() if key not in mapped and value is not None}
    return {**rest, "community_id": record.flow.community_id}
