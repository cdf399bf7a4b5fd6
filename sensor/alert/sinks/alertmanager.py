"""
Alertmanager, API v2: POST /api/v2/alerts.

An Alertmanager knows an alert by its labels, and takes it for over once its ``endsAt`` has passed. So what fires is
sent again and again with an end in the future, and where a label of an alert changes (its severity, say), the alert
under the old labels is ended in the same request. Labels route and group, and find their way into metrics and
silences: an address stands there only where the settings say so. Annotations are what a person reads, and name it.

Times of an alert are packet times; Alertmanager lives by the clock. A beginning in the future is told as now.
https://prometheus.io/docs/alerting/latest/alerts_api/
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from sensor.alert.record import AlertRecord, ms_of, rfc3339
from sensor.alert.secret import Secret, read_secret
from sensor.alert.sinks.base import Delivered
from sensor.alert.sinks.http import Answer, Poster
from sensor.settings import AlertmanagerSettings

PATH = "/api/v2/alerts"

MOST_AT_ONCE = 256
"""Alerts in one request: some 2 kB each, so half a megabyte, which every proxy lets pass."""

MOST_NAMED = 20
"""Mailboxes and destinations that an annotation names before it says how many more there are."""

MOST_CHARACTERS = 2_000
"""Of one annotation. Notifications are read on phones; the whole alert stands in the other sinks."""


class Posted(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """An alert as Alertmanager takes it."""

    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: str
    ends_at: str
    generator_url: str = msgspec.field(default="", name="generatorURL")


class AlertmanagerSink:
    """Posts batches, and sends again what fires. Remembers at most *most_firing* alerts, those told last."""

    batch = 64

    def __init__(
        self,
        settings: AlertmanagerSettings,
        environment: Mapping[str, str],
        *,
        most_firing: int = 10_000,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self.name = settings.name
        self.refresh_s: float | None = settings.resend_s
        self._settings = settings
        self._poster = Poster(settings, environment)
        self._key = read_secret(settings.pseudonym_key, environment) if settings.pseudonym_key is not None else None
        self._most_firing = most_firing
        self._wall_s = wall_s
        self._firing: dict[str, Posted] = {}

    async def deliver(self, batch: Sequence[AlertRecord]) -> Delivered:
        answer = await self._post(batch)
        if not answer.refused or len(batch) == 1:
            return answer.delivered(0, tried=len(batch))
        # One of them is not to its taste. It has taken the others, or none: only asking one by one tells.
        for number, record in enumerate(batch):
            answer = await self._post([record])
            if answer.problem is not None:
                return answer.delivered(number)
        return Delivered(len(batch))

    async def refresh(self) -> Delivered:
        """Send again all that fires, with an end further on."""
        firing = list(self._firing.values())
        for first in range(0, len(firing), MOST_AT_ONCE):
            part = firing[first : first + MOST_AT_ONCE]
            answer = await self._send([msgspec.structs.replace(each, ends_at=self._expiry()) for each in part])
            if answer.problem is not None:
                return answer.delivered(first, tried=len(part))
        return Delivered(len(firing))

    def remember(self, records: Sequence[AlertRecord]) -> None:
        """Alerts that an earlier run has told: they are sent again from now on, and known by their labels."""
        for record in records:
            self._note(record, self._posted(record))

    async def close(self) -> None:
        await self._poster.close()

    async def _post(self, batch: Sequence[AlertRecord]) -> Answer:
        # A record tells its alert whole, so of several only the last one matters.
        latest = {record.id: record for record in batch}
        posted = {record.id: self._posted(record) for record in latest.values()}
        answer = await self._send([*self._renamed(posted), *posted.values()])
        if answer.problem is None:
            for record in latest.values():
                self._note(record, posted[record.id])
        return answer

    async def _send(self, alerts: list[Posted]) -> Answer:
        return await self._poster.post(msgspec.json.encode(alerts), path=PATH) if alerts else Answer()

    def _renamed(self, posted: Mapping[str, Posted]) -> Iterator[Posted]:
        """Those that were told under other labels, ended under these."""
        for alert_id, new in posted.items():
            old = self._firing.get(alert_id)
            if old is not None and old.labels != new.labels:
                yield msgspec.structs.replace(old, ends_at=self._now())

    def _note(self, record: AlertRecord, posted: Posted) -> None:
        self._firing.pop(record.id, None)
        if record.status == "firing":
            self._firing[record.id] = posted
        while len(self._firing) > self._most_firing:
            del self._firing[next(iter(self._firing))]

    def _posted(self, record: AlertRecord) -> Posted:
        now_ms = int(self._wall_s() * 1000)
        starts_ms = min(ms_of(record.first_fired_at), now_ms)
        ends_at = self._expiry()
        if record.resolved_at is not None:
            ends_at = rfc3339(max(starts_ms, min(ms_of(record.resolved_at), now_ms)))
        url = self._settings.generator_url
        return Posted(
            labels=self._labels(record),
            annotations=notes(record),
            starts_at=rfc3339(starts_ms),
            ends_at=ends_at,
            generator_url=url.replace("{id}", record.id) if url is not None else "",
        )

    def _labels(self, record: AlertRecord) -> dict[str, str]:
        labels = {
            "alertname": record.detector,
            "severity": record.severity,
            "level": record.level,
            "sensor": record.sensor,
            "alert_id": record.id,
        }
        if record.mailbox is not None and self._settings.mailbox_label == "clear":
            labels["mailbox"] = _readable(record.mailbox)
        elif record.mailbox is not None and self._key is not None:
            labels["mailbox"] = pseudonym(self._key, record.mailbox)
        return labels

    def _now(self) -> str:
        return rfc3339(int(self._wall_s() * 1000))

    def _expiry(self) -> str:
        return rfc3339(int((self._wall_s() + self._settings.expires_after_s) * 1000))


def notes(record: AlertRecord) -> dict[str, str]:
    """The annotations: what a person reads of *record*; nothing that is empty."""
    step = record.next_steps[0] if record.next_steps else None
    told = {
        "summary": record.summary,
        "description": " ".join(part for part in (record.level_reason, record.confidence_reason) if part),
        "mailboxes": _named(record.mailboxes),
        "destinations": _named(record.destinations),
        "next_step": step.title if step is not None else "",
        "next_step_command": "\n".join(step.commands) if step is not None else "",
        "confidence": record.confidence,
        "not_seen": " ".join(record.gaps),
        "attack": record.attack.technique,
        "alert_id": record.id,
        "updates": str(record.updates),
        "evidence_head": record.evidence.head,
        "redelivered": "true" if record.redelivered else "",
    }
    return {key: _readable(text) for key, text in told.items() if text}


def pseudonym(key: Secret, mailbox: str) -> str:
    """The same 16 hex digits for the same mailbox, whatever its case; without *key* nobody can try names against it."""
    return hmac.digest(key.reveal(), mailbox.lower().encode("utf-8", "surrogatepass"), hashlib.sha256).hex()[:16]


def _named(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _readable(text: str) -> str:
    """*text* as JSON can carry it: one lone surrogate would make a request that no receiver takes."""
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 3] + "..."
