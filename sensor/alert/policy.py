"""
Policy: which findings somebody hears of, as what, and how often. Pure: packet time comes in, alerts go out.

A finding passes the allow-list, gets its severity, and joins the alert it belongs to: that which knows its id, or
that of the same detector and subject if it is firing or was resolved within the cool-down. Otherwise it opens a new
one. What is firing is told again only when something material changed. An alert that nothing was heard of for a while
is resolved.

    (none) --finding--> firing --quiet for resolve_after_s--> resolved --cool_down_s--> forgotten
                          ^                                       |
                          +------------- finding -----------------+
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

import msgspec

from sensor.alert import chain as evidence
from sensor.alert.alert import Alert, Cut
from sensor.alert.allow import AllowList, Suppressed
from sensor.alert.merge import MAX_NAMES, SEVERITIES, differs_materially, ends, merged, newer
from sensor.alert.severity import severity_of
from sensor.alert.veiling import AlertVeil, Unveiled
from sensor.detect.events import stable_id
from sensor.model import Exhibit, Finding, Severity
from sensor.settings import AlertSettings, AllowEntry

BLOB_VERSION = 1

MAX_PARTS = 16
"""Findings that one alert unites. Beyond it the one quiet for longest is folded into the others' past."""

_NEVER = 2**63

_KNOWN_IDS = 64
"""Ids of findings that one alert remembers, so that what was folded is known again."""


class AlertStateError(Exception):
    """A blob is no alert's state, or that of a later version."""


class Held(msgspec.Struct, kw_only=True):
    """
    An alert as it was last told, with the findings it unites as they are now, and when the latest was heard of.

    ``is_veiled`` if it was told under other names than those that its findings have.
    """

    alert: Alert
    subject: str
    parts: dict[str, Finding]
    known_ids: list[str]
    active_ms: int
    is_veiled: bool = False


@dataclass(slots=True)
class Counters:
    """Plain counts of what became of findings: each was told, held back as nothing new, or left out for a reason."""

    findings: int = 0
    opened: int = 0
    reopened: int = 0
    updated: int = 0
    unchanged: int = 0
    resolved: int = 0
    suppressed: int = 0
    cut: int = 0
    below_minimum: int = 0
    closed_early: int = 0


class Policy:
    """
    Turns findings into alerts, one alert for each detector and subject.

    Bounded by ``settings.max_alerts``: beyond it the alert quiet for longest is resolved early, which is told and
    counted.

    Findings are judged by the names they come with; alerts, and all else that is told, have those of *veil*.
    """

    def __init__(self, settings: AlertSettings, veil: AlertVeil | None = None) -> None:
        self._settings = settings
        self._veil = veil or Unveiled()
        self._allow = AllowList(settings.allow, self._veil.leaving)
        self._entries = {id(entry): self._veil.entry(entry) for entry in settings.allow}
        self._held: dict[str, Held] = {}
        self._by_finding: dict[str, str] = {}
        self._by_subject: dict[str, str] = {}
        self._touched: dict[str, None] = {}
        self._queue: list[tuple[int, str]] = []
        self._queued: dict[str, int] = {}
        self.counters = Counters()

    # ---- findings in, alerts out

    def take(self, findings: Iterable[Finding], now_ms: int) -> list[Alert]:
        """The alerts that *findings* call for at *now_ms*, in their order, after those that time has resolved."""
        told = self.advance(now_ms)
        for finding in findings:
            told += self._take(finding, now_ms)
        return told

    def advance(self, now_ms: int) -> list[Alert]:
        """Resolve what has been quiet, forget what was resolved long ago. Cheap while nothing is due."""
        resolved: list[Alert] = []
        while self._queue and self._queue[0][0] <= now_ms:
            due, alert_id = heappop(self._queue)
            if self._queued.get(alert_id) != due:
                continue
            del self._queued[alert_id]
            held = self._held[alert_id]
            if held.alert.status == "firing" and self._due(held) <= now_ms:
                resolved.append(self._resolve(held, now_ms))
            if self._due(held) <= now_ms:
                self._forget(held)
            else:
                self._queue_at(held)
        return resolved

    def alerts(self) -> Iterator[Alert]:
        """Every alert that is firing or was resolved within the cool-down, as last told."""
        return (held.alert for held in self._held.values())

    def suppressed(self) -> tuple[Suppressed, ...]:
        """What the entries of the allow-list held back or cut; those that did nothing are left out."""
        return tuple(self._shown(each) for each in self._allow.suppressed if each.tellings)

    def expired_entries(self, now_ms: int) -> tuple[AllowEntry, ...]:
        """The entries of the allow-list that no longer hold."""
        return tuple(self._entries[id(entry)] for entry in self._allow.expired(now_ms))

    def _shown(self, suppressed: Suppressed) -> Suppressed:
        """What an entry did, as it may be told."""
        return Suppressed(self._entries[id(suppressed.entry)], suppressed.tellings, suppressed.findings)

    def _take(self, finding: Finding, now_ms: int) -> list[Alert]:
        self.counters.findings += 1
        finding = self._veil.entering(finding)
        passed = self._allow.apply(finding, now_ms)
        if passed.finding is None:
            self.counters.suppressed += 1
            return []
        self.counters.cut += bool(passed.cuts)
        held = self._alert_of(passed.finding)
        if held is not None:
            return self._update(held, passed.finding, passed.cuts, now_ms)
        severity = severity_of(passed.finding, self._settings)
        if SEVERITIES.index(severity) < SEVERITIES.index(self._settings.min_severity):
            self.counters.below_minimum += 1
            return []
        return [*self._make_room(now_ms), self._open(passed.finding, severity, passed.cuts, now_ms)]

    def _alert_of(self, finding: Finding) -> Held | None:
        alert_id = self._by_finding.get(finding.id) or self._by_subject.get(_subject(finding))
        return self._held.get(alert_id) if alert_id is not None else None

    def _open(self, finding: Finding, severity: Severity, cuts: tuple[Cut, ...], now_ms: int) -> Alert:
        alert_id = stable_id("alert", finding.id)
        alert = Alert(
            id=alert_id,
            status="firing",
            severity=severity,
            finding=self._veil.leaving(finding),
            finding_ids=(finding.id,),
            chain=evidence.extend(evidence.begin(alert_id), finding.exhibits),
            first_fired_ms=now_ms,
            last_updated_ms=now_ms,
            cuts=tuple(map(self._veil.cut, cuts[:MAX_NAMES])),
        )
        held = Held(
            alert=alert,
            subject=_subject(finding),
            parts={finding.id: finding},
            known_ids=[finding.id],
            active_ms=max(now_ms, finding.last_seen_ms),
            is_veiled=self._veil.hides,
        )
        self._keep(held)
        self.counters.opened += 1
        return alert

    def _update(self, held: Held, finding: Finding, cuts: tuple[Cut, ...], now_ms: int) -> list[Alert]:
        _join(held, finding)
        held.active_ms = max(held.active_ms, now_ms, finding.last_seen_ms)
        whole = merged(list(held.parts.values()))
        severity = severity_of(whole, self._settings)
        seen = self._veil.leaving(whole)
        told = held.alert
        chain = evidence.extend(told.chain, finding.exhibits)
        reopened = told.status == "resolved"
        if not reopened and severity == told.severity and not differs_materially(told.finding, seen):
            held.alert = msgspec.structs.replace(told, chain=chain)
            self._keep(held)
            self.counters.unchanged += 1
            return []
        held.alert = msgspec.structs.replace(
            told,
            status="firing",
            severity=severity,
            finding=msgspec.structs.replace(seen, exhibits=ends(link.exhibit for link in chain.links)),
            finding_ids=tuple(held.known_ids),
            chain=chain,
            last_updated_ms=max(now_ms, told.last_updated_ms),
            resolved_at_ms=None,
            updates=told.updates + 1,
            cuts=tuple(dict.fromkeys((*told.cuts, *map(self._veil.cut, cuts))))[:MAX_NAMES],
        )
        self._keep(held)
        self.counters.reopened += reopened
        self.counters.updated += not reopened
        return [held.alert]

    def _resolve(self, held: Held, now_ms: int) -> Alert:
        told = held.alert
        whole = self._veil.leaving(merged(list(held.parts.values())))
        held.alert = msgspec.structs.replace(
            told,
            status="resolved",
            finding=msgspec.structs.replace(whole, exhibits=ends(link.exhibit for link in told.chain.links)),
            finding_ids=tuple(held.known_ids),
            last_updated_ms=max(now_ms, told.last_updated_ms),
            resolved_at_ms=now_ms,
            updates=told.updates + 1,
        )
        self._touched[told.id] = None
        self.counters.resolved += 1
        return held.alert

    def _make_room(self, now_ms: int) -> list[Alert]:
        """Where no further alert fits, give up the one quiet for longest; whoever was told of it hears that."""
        if len(self._held) < self._settings.max_alerts:
            return []
        quiet = min(self._held.values(), key=lambda held: (held.alert.status == "firing", held.active_ms))
        told = [self._resolve(quiet, now_ms)] if quiet.alert.status == "firing" else []
        self.counters.closed_early += len(told)
        self._forget(quiet)
        return told

    # ---- what is held

    def _keep(self, held: Held) -> None:
        alert_id = held.alert.id
        self._held[alert_id] = held
        self._by_subject[held.subject] = alert_id
        for finding_id in held.known_ids:
            self._by_finding[finding_id] = alert_id
        self._touched[alert_id] = None
        if self._due(held) < self._queued.get(alert_id, _NEVER):
            self._queue_at(held)

    def _queue_at(self, held: Held) -> None:
        """One entry of the queue counts for each alert; it may come too early, and is then put back."""
        due = self._queued[held.alert.id] = self._due(held)
        heappush(self._queue, (due, held.alert.id))

    def _forget(self, held: Held) -> None:
        alert_id = held.alert.id
        del self._held[alert_id]
        self._queued.pop(alert_id, None)
        if self._by_subject.get(held.subject) == alert_id:
            del self._by_subject[held.subject]
        for finding_id in held.known_ids:
            if self._by_finding.get(finding_id) == alert_id:
                del self._by_finding[finding_id]
        self._touched[alert_id] = None

    def _due(self, held: Held) -> int:
        """When the alert is to be resolved, or forgotten."""
        if held.alert.resolved_at_ms is None:
            return held.active_ms + self._settings.resolve_after_s * 1000
        return held.alert.resolved_at_ms + self._settings.cool_down_s * 1000

    # ---- what survives a restart

    def changed(self) -> Iterator[tuple[str, bytes]]:
        """
        Alert id and state for each alert touched since the last call; an empty blob where the alert was forgotten.
        """
        touched, self._touched = self._touched, {}
        for alert_id in touched:
            held = self._held.get(alert_id)
            yield alert_id, b"" if held is None else bytes([BLOB_VERSION]) + msgspec.msgpack.encode(held)

    def restore(self, alert_id: str, blob: bytes) -> None:
        """
        Take back what ``changed`` gave. Raises ``AlertStateError`` for anything else.

        An alert that was told under clear names goes on under an id, a chain and names that the veil allows. One that
        was veiled where nothing is now is forgotten: its evidence can't be had back.
        """
        if not blob or blob[0] != BLOB_VERSION:
            raise AlertStateError(f"the state of alert {alert_id} is of version {blob[0] if blob else 'none'}")
        try:
            held = msgspec.msgpack.decode(blob[1:], type=Held)
        except msgspec.DecodeError as error:
            raise AlertStateError(f"the state of alert {alert_id} can't be read: {error}") from None
        if held.alert.id != alert_id:
            raise AlertStateError(f"the state of alert {alert_id} is that of {held.alert.id}")
        if held.is_veiled != self._veil.hides:
            self._touched[alert_id] = None
            if self._veil.hides:
                self._keep(self._hidden(held))
            return
        self._keep(held)
        self._touched.pop(alert_id, None)

    def _hidden(self, held: Held) -> Held:
        """An alert that was told under clear names, as if it had never been: its first telling is still to come."""
        told = held.alert
        parts = [self._veil.entering(each) for each in held.parts.values()]
        shown = self._veil.entering(msgspec.structs.replace(told.finding, exhibits=_exhibits(told.chain)))
        alert_id = stable_id("alert", shown.id)
        alert = msgspec.structs.replace(
            told,
            id=alert_id,
            finding=msgspec.structs.replace(self._veil.leaving(shown), exhibits=ends(shown.exhibits)),
            finding_ids=tuple(each.id for each in parts),
            chain=evidence.extend(evidence.begin(alert_id), shown.exhibits),
            updates=0,
            cuts=tuple(map(self._veil.cut, told.cuts)),
        )
        return msgspec.structs.replace(
            held,
            alert=alert,
            parts={each.id: each for each in parts},
            known_ids=[each.id for each in parts],
            is_veiled=True,
        )

    def forget(self, alert_id: str) -> bool:
        """Forget an alert that is over; false if it fires, and so has to be kept."""
        held = self._held.get(alert_id)
        if held is not None and held.alert.status == "firing":
            return False
        if held is not None:
            self._forget(held)
        return True

    def holds(self, alert_id: str) -> bool:
        """True if the alert fires, or was resolved within the cool-down."""
        return alert_id in self._held


def _exhibits(chain: evidence.Chain) -> tuple[Exhibit, ...]:
    return tuple(link.exhibit for link in chain.links)


def _join(held: Held, finding: Finding) -> None:
    """Add a telling to what an alert unites; where that is full, the finding quiet for longest is merged into this."""
    held.parts[finding.id] = newer(held.parts.pop(finding.id, None), finding)
    if finding.id not in held.known_ids:
        held.known_ids.append(finding.id)
        del held.known_ids[:-_KNOWN_IDS]
    if len(held.parts) > MAX_PARTS:
        quiet = sorted(held.parts.values(), key=lambda each: (each.last_seen_ms, each.id))[:2]
        for each in quiet:
            del held.parts[each.id]
        both = merged(quiet)
        held.parts[both.id] = both


def _subject(finding: Finding) -> str:
    """What an alert is about: the detector with the mailbox or, for a claim about none, its first destination."""
    about: Sequence[str] = (
        ("mailbox", finding.mailbox) if finding.mailbox is not None else ("destination", *finding.destinations[:1])
    )
    return stable_id(finding.detector, *(part.lower() for part in about))
