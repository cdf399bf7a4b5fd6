r"""
An alert as a message of RFC 5424.

    <PRI>1 TIMESTAMP HOSTNAME mailsensor PROCID detector [alert@PEN id="..." ...] summary

PRI is facility and severity (6.2.1). In a value of structured data ``"``, ``\`` and ``]`` are escaped (6.3.3), and what
does not print is written as in our logs, since many receivers split at it. The text begins with a BOM where it is more
than ASCII (6.4). A message that would be too long loses parameters from the end of the list below, then text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sensor.alert.record import AlertRecord
from sensor.log import printable
from sensor.settings import FACILITIES

APP_NAME = "mailsensor"
_BOM = b"\xef\xbb\xbf"
_NIL = "-"
_SEVERITIES = {"critical": 2, "high": 3, "medium": 4, "low": 5, "informational": 6}

MOST_NAMED = 16
"""Mailboxes and destinations named as parameters; how many there are stands beside them."""

MOST_VALUE_OCTETS = 512
"""Of one parameter: an address may be 320 octets long, and no single one is to take the room of all."""


@dataclass(frozen=True, slots=True)
class Form:
    """How messages of one sink look. *max_octets* bounds a message, its structured data included."""

    facility: str
    host_name: str
    process_id: int
    enterprise_number: int
    max_octets: int

    def message(self, record: AlertRecord) -> bytes:
        """The message that tells *record*, without framing."""
        header = self._header(record)
        # Some room is kept for the text, so that a message is never without what it is about.
        room = self.max_octets - min(self.max_octets // 4, 256) - len(header)
        data = _structured_data(f"alert@{self.enterprise_number}", parameters(record), room)
        text = _text(printable(record.summary), self.max_octets - len(header) - len(data) - 1)
        return header + data + (b" " + text if text else b"")

    def _header(self, record: AlertRecord) -> bytes:
        priority = FACILITIES.index(self.facility) * 8 + _SEVERITIES[record.severity]
        fields = (
            record.last_updated_at,
            _field(self.host_name, 255),
            APP_NAME,
            str(self.process_id),
            _field(record.detector, 32),
        )
        return f"<{priority}>1 {' '.join(fields)} ".encode()


def parameters(record: AlertRecord) -> Iterator[tuple[str, str]]:
    """What the structured data says of *record*, what matters most first."""
    yield "id", record.id
    yield "updates", str(record.updates)
    yield "status", record.status
    yield "redelivered", "true" if record.redelivered else "false"
    yield "severity", record.severity
    yield "confidence", record.confidence
    yield "level", record.level
    yield "sensor", record.sensor
    yield "technique", record.attack.technique
    yield "evidence_head", record.evidence.head
    yield "first_seen", record.first_seen
    yield "last_seen", record.last_seen
    yield "mailboxes", str(len(record.mailboxes))
    yield "destinations", str(len(record.destinations))
    for mailbox in record.mailboxes[:MOST_NAMED]:
        yield "mailbox", mailbox
    for destination in record.destinations[:MOST_NAMED]:
        yield "destination", destination


def _structured_data(name: str, given: Iterator[tuple[str, str]], room: int) -> bytes:
    """As many of the parameters as *room* has octets for."""
    data, room = f"[{name}".encode(), room - len(name) - 2
    for key, value in given:
        parameter = f' {key}="'.encode() + _escaped(value) + b'"'
        if len(parameter) > room:
            break
        data += parameter
        room -= len(parameter)
    return data + b"]"


def _escaped(value: str) -> bytes:
    whole = printable(value).encode("utf-8", "backslashreplace")
    cut = whole[:MOST_VALUE_OCTETS].decode("utf-8", "ignore")
    return re.sub(r'(["\\\]])', r"\\\1", cut).encode()


def _text(text: str, room: int) -> bytes:
    octets = text.encode("utf-8", "backslashreplace")
    bom = b"" if octets.isascii() else _BOM
    return (bom + octets)[: max(room, 0)].decode("utf-8", "ignore").encode()


def _field(value: str, most: int) -> str:
    """A field of the header: printable ASCII without blanks (6), or the nil value."""
    return re.sub(r"[^\x21-\x7e]", "", value)[:most] or _NIL
