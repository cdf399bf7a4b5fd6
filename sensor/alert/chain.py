"""
The evidence of an alert as a hash chain, so that a change, a removal or a reordering shows.

Each exhibit is hashed together with the digest before it. The first one follows the alert's anchor, a digest of its
id, so a chain can't be moved to another alert. An update continues the chain and rewrites nothing. The seal is the
digest of a whole alert record, so that a changed count or severity shows as well.

The chain has no key: it shows damage, carelessness and a hand that edits one file. Against somebody who rewrites
every copy there is only a head kept where they can't reach it, which is what a second sink is for.

Canonical form: JSON with sorted keys, no blanks, UTF-8 unescaped; SHA-256 of ``domain NUL previous NUL content``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

import msgspec

from sensor.model import Exhibit

ALGORITHM = "sha256"

FIRST_LINKS = 16
"""Links kept from the beginning of a chain: how it began is what an investigation asks first."""

LAST_LINKS = 48
"""Links kept from its end. With 64 links of some lines each a record stays well under 100 kB."""


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """One exhibit in its place: ``digest`` covers ``previous``, ``index`` and the exhibit. Hex, 64 digits."""

    index: int
    previous: str
    digest: str
    exhibit: Exhibit


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """
    All exhibits ever taken, as ``length`` and ``head``; of a long chain ``links`` holds the first and the last ones.
    """

    length: int
    head: str
    links: tuple[Link, ...] = ()


def begin(alert_id: str) -> Chain:
    """The empty chain of an alert: its head is the anchor."""
    return Chain(length=0, head=anchor(alert_id))


def anchor(alert_id: str) -> str:
    """What the first link of an alert's chain follows."""
    return _digest("mailsensor alert", "", alert_id)


def extend(chain: Chain, exhibits: Iterable[Exhibit]) -> Chain:
    """The chain continued by those exhibits that it does not hold yet. Beyond the bound the middle gives way."""
    links = list(chain.links)
    held = {link.exhibit.transaction_id for link in links}
    length, head = chain.length, chain.head
    for exhibit in exhibits:
        if exhibit.transaction_id in held:
            continue
        held.add(exhibit.transaction_id)
        digest = link_digest(head, length, _plain(exhibit))
        links.append(Link(index=length, previous=head, digest=digest, exhibit=exhibit))
        length, head = length + 1, digest
    if len(links) > FIRST_LINKS + LAST_LINKS:
        links = links[:FIRST_LINKS] + links[-LAST_LINKS:]
    return Chain(length=length, head=head, links=tuple(links))


def link_digest(previous: str, index: int, exhibit: Mapping[str, object]) -> str:
    """The digest of an exhibit in its place."""
    return _digest("mailsensor exhibit", previous, canonical([index, exhibit]))


def seal(record: Mapping[str, Any]) -> str:
    """The digest of an alert record; the seal itself and the mark of a repeated delivery stay out of it."""
    evidence = {key: value for key, value in record["evidence"].items() if key != "seal"}
    sealed = {key: value for key, value in record.items() if key != "redelivered"} | {"evidence": evidence}
    return _digest("mailsensor record", evidence["head"], canonical(sealed))


def canonical(value: object) -> str:
    """The one text that a value is hashed as."""
    return _ENCODER.encode(value)


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


# ---- looking whether all is as it was written


def verify(record: Mapping[str, Any]) -> list[str]:
    """What is wrong with the evidence of an alert record as it was read: a sentence each, none if all holds."""
    evidence = record["evidence"]
    problems = list(_broken_links(record["id"], evidence))
    if evidence["algorithm"] != ALGORITHM:
        problems.append(f'the digests are said to be made by "{evidence["algorithm"]}", not {ALGORITHM}')
    if seal(record) != evidence["seal"]:
        problems.append("the record was changed after it was written: its seal does not fit")
    return problems


def verify_history(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """
    What is wrong between the records of one alert, in the order they were written: each continues the one before.
    """
    problems: list[str] = []
    known: dict[int, str] = {}
    told, length = -1, 0
    for record in records:
        evidence, number = record["evidence"], record["updates"]
        if number != told + 1 and not (number == told and record["redelivered"]):
            before = f"after update {told} comes update {number}" if told >= 0 else f"the first is update {number}"
            problems.append(f"{before}: a record is missing or out of place")
        if evidence["length"] < length:
            problems.append(f"update {number} has fewer exhibits than the record before it")
        problems += [
            f"update {number} has another exhibit {link['index']} than the records before it"
            for link in evidence["links"]
            if known.setdefault(link["index"], link["digest"]) != link["digest"]
        ]
        told, length = number, evidence["length"]
    return problems


def _broken_links(alert_id: str, evidence: Mapping[str, Any]) -> Iterable[str]:
    index, previous = 0, anchor(alert_id)
    for link in evidence["links"]:
        if link["index"] != index and not _may_skip(index, link["index"], evidence["length"]):
            yield f"after exhibit {index - 1} comes exhibit {link['index']}: one is missing or out of place"
        elif link["index"] == index and link["previous"] != previous:
            yield f"exhibit {link['index']} does not follow what stands before it"
        if link_digest(link["previous"], link["index"], link["exhibit"]) != link["digest"]:
            yield f"exhibit {link['index']} was changed"
        index, previous = link["index"] + 1, link["digest"]
    if index != evidence["length"] or previous != evidence["head"]:
        yield "the last exhibits are missing, or the head was changed"


def _may_skip(expected: int, found: int, length: int) -> bool:
    """True for the one gap that a long chain has."""
    return expected == FIRST_LINKS and found == length - LAST_LINKS


def _digest(domain: str, previous: str, content: str) -> str:
    return sha256(b"\0".join(part.encode() for part in (domain, previous, content))).hexdigest()


def _plain(exhibit: Exhibit) -> dict[str, Any]:
    """The exhibit as it stands in a record."""
    plain: dict[str, Any] = msgspec.to_builtins(exhibit)
    return plain
