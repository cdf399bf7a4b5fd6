"""The cases of the header parsers, read from Python: nothing is lost or bent at the border, and ``email`` agrees."""

from __future__ import annotations

import json
from email import policy
from email.message import EmailMessage
from email.parser import Parser
from pathlib import Path
from typing import Any

import pytest

from sensor import _core

FOLDER = Path(__file__).parent / "data" / "headers"
CASES: list[tuple[str, dict[str, Any]]] = [
    (path.stem, case) for path in sorted(FOLDER.glob("*.json")) for case in json.loads(path.read_text("utf-8"))
]

# What tells the reader of the body how to go on: it has no face of its own in Python.
HIDDEN = {"content"}
HEADER = {
    "message_id", "sender", "to", "cc", "reply_to", "subject", "date", "in_reply_to", "references", "resent_from",
    "delivered_to", "list_id", "auto_submitted", "received_count", "thread_topic", "from",
}  # fmt: skip
RECEIVED = {
    "from": "from_",
    "from_ip": "from_ip",
    "by": "by",
    "with": "with_",
    "id": "id",
    "for_address": "for_address",
    "date": "date",
}
# What is odd inside a Received line is some hop's doing and no anomaly of the mail.
TRACE = {"header_malformed_date", "header_obsolete_syntax"}
KEPT = ("name", "value", "position", "received_above")

every_case = pytest.mark.parametrize("case", [pytest.param(case, id=f"{stem}: {case['name']}") for stem, case in CASES])


def raw(case: dict[str, Any]) -> bytes:
    """The lines of the header section."""
    text: str = case["raw_latin1"] if "raw_latin1" in case else case["raw"]
    return text.encode("latin-1" if "raw_latin1" in case else "utf-8")


def parsed(case: dict[str, Any], *, body: bytes = b"\r\nbody\r\n") -> _core.Transaction:
    # Received lines are parsed only of mail that the table touches: where they are asked for, the table names them.
    fields = case.get("fields", ["Received"] if "received" in case["expected"] else [])
    interest = _core.Interest(fields=fields, subject_prefixes=case.get("subject_prefixes", ()))
    return _core.parse_message(raw(case) + body, interest)


def told(transaction: _core.Transaction) -> dict[str, Any]:
    """The facts of a transaction by their names in the record."""
    facts: dict[str, Any] = {name: getattr(transaction.header, "from_" if name == "from" else name) for name in HEADER}
    facts["touched"] = transaction.touched
    facts["fields"] = [{name: getattr(field, name) for name in KEPT} for field in transaction.fields]
    facts["received"] = [
        {name: value for name, attribute in RECEIVED.items() if (value := getattr(line, attribute)) is not None}
        for line in transaction.received
    ]
    return facts


def test_there_are_cases() -> None:
    """A wrong folder would make every other test here pass."""
    assert len(CASES) > 200


@every_case
def test_the_facts_cross_the_border_as_they_are(case: dict[str, Any]) -> None:
    """What the core is expected to find, Python reads."""
    facts = told(parsed(case))
    expected = {name: value for name, value in case["expected"].items() if name not in HIDDEN}
    assert {name: facts[name] for name in expected} == expected


@every_case
def test_the_anomalies_cross_the_border(case: dict[str, Any]) -> None:
    """Each slug of the header section, and no other of it."""
    interest = _core.Interest(fields=case.get("fields", ()))
    anomalies = _core.parse_message(raw(case) + b"\r\nbody\r\n", interest).anomalies
    found = [slug for slug in anomalies if slug.startswith("header_")]
    assert found == [slug for slug in case["anomalies"] if slug not in TRACE or not case["expected"].get("received")]


@every_case
def test_records_tell_what_objects_tell(case: dict[str, Any]) -> None:
    """Texts are Unicode that any JSON reader takes, whatever octets they were made from."""
    for value in told(parsed(case)).values():
        json.dumps(value, ensure_ascii=False).encode()


# ---- the second opinion

ADDRESSES = ("from", "to", "cc", "reply_to", "sender")
HAPPY = [
    pytest.param(case, id=f"{stem}: {case['name']}")
    for stem, case in CASES
    if case["kind"] == "happy"
    and not case["anomalies"]
    and set(case["expected"]) & {*ADDRESSES, "subject", "message_id"}
]


def second_opinion(message: EmailMessage) -> dict[str, Any]:
    """The facts that the standard library draws from a message."""
    facts: dict[str, Any] = {}
    for name in ADDRESSES:
        field = message.get(name.replace("_", "-"))
        if field is not None:
            parts = [each.addr_spec.rpartition("@") for each in field.addresses if each.domain]
            addresses = [f"{local}@{domain.lower()}" for local, _, domain in parts]
            facts[name] = addresses if name != "sender" else addresses[0]
    if message["subject"] is not None:
        facts["subject"] = str(message["subject"]).strip()
    if message["message-id"] is not None:
        facts["message_id"] = str(message["message-id"]).strip().strip("<>")
    return facts


@pytest.mark.parametrize("case", HAPPY)
def test_the_standard_library_agrees_on_happy_cases(case: dict[str, Any]) -> None:
    """Addresses, subjects and identifiers, as another implementation reads them."""
    text = raw(case).decode() + "\r\nbody\r\n"
    message = Parser(_class=EmailMessage, policy=policy.default).parsestr(text)
    facts, opinion = told(parsed(case)), second_opinion(message)
    common = {name: value for name, value in facts.items() if name in opinion and name in case["expected"]}
    assert {name: opinion[name] for name in common} == common
