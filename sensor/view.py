"""What the running sensor shows of itself: the analysis, alerts as last told, the latest records."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from sensor.alert.alert import Alert
from sensor.alert.record import AlertRecord, record_of
from sensor.analysis import Analysis, Step
from sensor.ledger import LedgerView
from sensor.model import TapName
from sensor.privacy import Veil
from sensor.recent import RecentRecords, WatchedRecords
from sensor.tally import Tally

ALERTS_REMEMBERED = 10_000
"""As many as policy holds by default; some kilobytes each."""


class View:
    """Looked at and changed by the thread of the analysis alone."""

    def __init__(self, analysis: Analysis, recent: RecentRecords, veil: Veil) -> None:
        self.analysis = analysis
        self.recent = recent
        self.watched = WatchedRecords(veil.record)
        self._veil = veil
        self.alerts: OrderedDict[str, AlertRecord] = OrderedDict()
        self._unsaved: dict[str, Alert] = {}

    @property
    def ledger(self) -> LedgerView:
        """Who forwards, under the names that may be told."""
        return self._veil.ledger(self.analysis.pipeline.ledger)

    @property
    def latest_ms(self) -> int:
        """The time of the latest mail, in milliseconds; 0 before the first."""
        return (self.analysis.pipeline.coverage.last_seen_ns or 0) // 1_000_000

    def take(self, batch: Tally, step: Step, *, sensor: str, tap: TapName) -> None:
        """Remember what a batch came to."""
        self.recent.take(batch, step.forwardings, sensor=sensor, tap=tap)
        self.watched.take(batch, step.forwardings, sensor=sensor, tap=tap)
        self.take_alerts(step.alerts, sensor=sensor)

    def take_alerts(self, alerts: Sequence[Alert], *, sensor: str) -> None:
        """Remember alerts as they were told."""
        for alert in alerts:
            self._unsaved[alert.id] = alert
            self._remember(record_of(alert, sensor=sensor))

    def restore_alerts(self, records: Iterable[AlertRecord]) -> None:
        """Alerts that were told before this process."""
        for record in records:
            self._remember(record)

    def forget_alerts(self, ids: Iterable[str]) -> None:
        """Alerts that are kept no longer."""
        for alert_id in ids:
            self.alerts.pop(alert_id, None)

    def unsaved_alerts(self) -> Sequence[Alert]:
        """The alerts told since the last call, each as last told."""
        alerts = tuple(self._unsaved.values())
        self._unsaved.clear()
        return alerts

    def _remember(self, record: AlertRecord) -> None:
        self.alerts[record.id] = record
        self.alerts.move_to_end(record.id)
        while len(self.alerts) > ALERTS_REMEMBERED:
            self.alerts.popitem(last=False)
