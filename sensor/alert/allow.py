"""
The allow-list: which forwards the organisation knows about, for what reason, and until when.

A finding claims that some mailboxes forward to some destinations: pairs. An entry covers pairs, never findings, so an
allowed destination does not hide another one of the same finding. A finding is cut to the pairs that no entry covers
and dropped only if none remains. Whatever an entry left out is counted under it and stays listed.

Matching is exact but for case and for how an internationalised domain is written. Case is lowered, not folded: folding
would take ``ß`` for ``ss``, and so an address that anybody can register for one that is allowed. ``domain`` stands for
itself alone; with a leading dot (``.corp.example``) for itself and all below it. The parts of one entry must all hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta

import msgspec

from sensor.alert.alert import Cut
from sensor.detect.claim import MAX_DESTINATIONS, MAX_MAILBOXES
from sensor.domains import same_form
from sensor.model import Finding
from sensor.settings import AllowEntry

LISTED = 16
"""Findings that are remembered by name under each entry; all are counted."""

_DAY = timedelta(days=1)
_Key = tuple[str | None, str | None, str | None]


class Covered(msgspec.Struct, frozen=True, kw_only=True):
    """A finding that an entry covered, whole or in part."""

    id: str
    detector: str
    summary: str
    last_seen_ms: int
    whole: bool


@dataclass(slots=True)
class Suppressed:
    """What one entry did: how many tellings it held back or cut, and the latest findings by id."""

    entry: AllowEntry
    tellings: int = 0
    findings: dict[str, Covered] = field(default_factory=dict)

    def note(self, finding: Finding, *, whole: bool) -> None:
        """Count one telling that this entry covered."""
        self.tellings += 1
        self.findings.pop(finding.id, None)
        self.findings[finding.id] = Covered(
            id=finding.id,
            detector=finding.detector,
            summary=finding.summary,
            last_seen_ms=finding.last_seen_ms,
            whole=whole,
        )
        while len(self.findings) > LISTED:
            del self.findings[next(iter(self.findings))]


@dataclass(frozen=True, slots=True)
class Passed:
    """What of a finding is not allowed (none: nothing), and what was left out."""

    finding: Finding | None
    cuts: tuple[Cut, ...] = ()


class AllowList:
    """
    The entries in force, looked up rather than walked: a list of thousands costs no more than one of ten.

    What they covered is remembered as *tell* tells it.
    """

    def __init__(
        self, entries: Sequence[AllowEntry], tell: Callable[[Finding], Finding] = lambda finding: finding
    ) -> None:
        self._tell = tell
        self.suppressed = tuple(Suppressed(entry) for entry in entries)
        self._by_key: dict[_Key, list[Suppressed]] = {}
        for held in self.suppressed:
            self._by_key.setdefault(_key_of(held.entry), []).append(held)

    def apply(self, finding: Finding, now_ms: int) -> Passed:
        """*finding* cut to what no entry covers that is in force at *now_ms*; entries count what they covered."""
        if not self._by_key:
            return Passed(finding)
        covers = {
            (mailbox, destination): self._covering(finding.detector, mailbox, destination, now_ms)
            for mailbox, destination in _pairs_of(finding)
        }
        open_pairs = [pair for pair, covering in covers.items() if covering is None]
        for held in {id(each): each for each in covers.values() if each is not None}.values():
            held.note(self._tell(finding), whole=not open_pairs)
        if len(open_pairs) == len(covers):
            return Passed(finding)
        cuts = tuple(_cut(pair, held.entry) for pair, held in covers.items() if held is not None)
        return Passed(_cut_to(finding, open_pairs) if open_pairs else None, cuts)

    def expired(self, now_ms: int) -> tuple[AllowEntry, ...]:
        """The entries that no longer hold at *now_ms*."""
        return tuple(held.entry for held in self.suppressed if not holds(held.entry, now_ms))

    def _covering(self, detector: str, mailbox: str | None, destination: str | None, now_ms: int) -> Suppressed | None:
        for place in _places(destination):
            for who in (None if mailbox is None else same_form(mailbox), None):
                for which in (detector, None):
                    for held in self._by_key.get((who, place, which), ()):
                        if holds(held.entry, now_ms):
                            return held
        return None


def _pairs_of(finding: Finding) -> Iterator[tuple[str | None, str | None]]:
    """Who forwards to whom, as far as the finding tells; else each of its mailboxes to each of its destinations."""
    if finding.pairs:
        yield from finding.pairs
        return
    destinations = _with_unnamed(finding.destinations, finding, "destinations", MAX_DESTINATIONS)
    for mailbox in _mailboxes(finding):
        for destination in destinations:
            yield mailbox, destination


def _mailboxes(finding: Finding) -> list[str | None]:
    if finding.mailbox is not None:
        return [finding.mailbox]
    return _with_unnamed(finding.mailboxes, finding, "mailboxes", MAX_MAILBOXES)


def _with_unnamed(names: Sequence[str], finding: Finding, counted: str, bound: int) -> list[str | None]:
    """
    The *names*, and none for those that the finding knows of and does not name: nobody can have allowed them by name.
    A list that is as long as detectors make it may go on.
    """
    unnamed = not names or finding.counts.get(counted, 0) > len(names) or len(names) >= bound
    return [*names, None] if unnamed else [*names]


def holds(entry: AllowEntry, now_ms: int) -> bool:
    """True until the end of the day (UTC) that the entry names as its last."""
    end = datetime.combine(entry.expires, time.min, UTC)
    return now_ms < int(end.timestamp()) * 1000 + _DAY // timedelta(milliseconds=1)


def title(entry: AllowEntry) -> str:
    """The entry in a few words, as messages and lists name it."""
    parts = (
        f"{name} {value}"
        for name, value in (
            ("mailbox", entry.mailbox),
            ("destination", entry.destination),
            ("domain", entry.domain),
            ("detector", entry.detector),
        )
        if value is not None
    )
    return ", ".join(parts)


def _key_of(entry: AllowEntry) -> _Key:
    place = None if entry.destination is None else same_form(entry.destination)
    if entry.domain is not None:
        place = f"@{same_form(entry.domain)}"
    return None if entry.mailbox is None else same_form(entry.mailbox), place, entry.detector


def _places(destination: str | None) -> Iterator[str | None]:
    """The ways in which an entry can name a destination: address, domain, domains above, or not at all."""
    if destination is not None:
        address = same_form(destination)
        yield address
        domain = address.rpartition("@")[2]
        yield f"@{domain}"
        while domain:
            yield f"@.{domain}"
            domain = domain.partition(".")[2]
    yield None


def _cut(pair: tuple[str | None, str | None], entry: AllowEntry) -> Cut:
    return Cut(mailbox=pair[0], destination=pair[1], entry=title(entry), reason=entry.reason, expires=entry.expires)


def _cut_to(finding: Finding, pairs: Sequence[tuple[str | None, str | None]]) -> Finding:
    mailboxes = {mailbox for mailbox, _ in pairs}
    destinations = {destination for _, destination in pairs}
    return msgspec.structs.replace(
        finding,
        mailboxes=finding.mailboxes
        if finding.mailbox is not None
        else tuple(each for each in finding.mailboxes if each in mailboxes),
        destinations=tuple(each for each in finding.destinations if each in destinations),
        pairs=tuple(pair for pair in finding.pairs if pair in pairs),
        assumptions=(
            *finding.assumptions,
            "Counts and measurements include what the allow-list left out of the names.",
        ),
    )
