"""
One collector of plain counts, and the sole importer of ``prometheus_client``.

Whoever counts calls ``Counts`` from one thread; ``publish`` puts a copy in place of the last one, and a scrape renders
that copy in a thread of its own. So no scrape waits for the analysis, and none holds it up.

Every family stands in ``FAMILIES`` with its labels and its meaning; what is not there can't be counted. Addresses are
no labels: only mailboxes of the top K appear, under a pseudonym (``sensor.pseudonym``). Counters never go backwards:
``reach`` keeps the highest value, and whoever restarts brings a base (``sensor.app.worker``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import Literal

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

PREFIX = "mailsensor_"

MAX_SERIES = 2_000
"""Series of one family. Labels take values from short lists, and mailboxes are at most 1,000; a fault stops here."""

Kind = Literal["counter", "gauge", "summary"]
Labels = tuple[str, ...]
Value = float | tuple[int, float]
"""A number, or of a summary how often and how much in all."""

Snapshot = Mapping[str, Mapping[Labels, Value]]
"""By family, then by the values of its labels."""


@dataclass(frozen=True, slots=True)
class Family:
    """A metric: ``name`` is without prefix and ``_total``, ``meaning`` a sentence with unit and bounds."""

    name: str
    kind: Kind
    meaning: str
    labels: Labels = ()

    @property
    def shown_name(self) -> str:
        """As it is scraped."""
        return PREFIX + self.name + ("_total" if self.kind == "counter" else "")


FAMILIES: tuple[Family, ...] = (
    # ---- the process
    Family("build_info", "gauge", "Always 1; the labels say what runs.", ("version", "python", "sensor")),
    Family("start_time_seconds", "gauge", "When the process started, in seconds since the epoch."),
    Family("settings_reloads", "counter", "Reloads of the settings file.", ("result",)),
    Family("settings_reload_successful", "gauge", "1 if the last reload was applied, 0 if it was refused."),
    Family(
        "published_timestamp_seconds", "gauge",
        "When these counts were last brought up to date, by the sensor's clock, in seconds since the epoch.",
    ),
    Family("series_refused", "counter", "Counts given up because their family has all its series.", ("family",)),
    # ---- mail
    Family("transactions", "counter", "Mail transactions seen in clear.", ("direction", "outcome")),
    Family("sessions", "counter", "Mail sessions that ended: in clear, or turned to TLS.", ("privacy",)),
    Family("tls_octets", "counter", "Octets of mail sessions in TLS, which can't be read."),
    Family("missing_octets", "counter", "Octets of mail that were never seen."),
    Family("incomplete_transactions", "counter", "Transactions seen in part."),
    Family("one_sided_transactions", "counter", "Transactions of which one direction was seen."),
    Family(
        "forwards", "counter",
        "Mails that a mailbox forwarded, each once however many hops showed it. Kind: auto_only, auto_visible, "
        "visible_only (by hand), paired (seen in and out again, no mark).", ("kind", "level", "scope"),
    ),
    Family("forwards_refused", "counter", "Forwards that somebody on the way refused.", ("policy",)),
    Family("look_alikes", "counter", "Mails that look like forwards and are none.", ("look_alike",)),
    Family("anomalies", "counter", "Odd things on the wire (docs/anomalies.md).", ("worker", "anomaly")),
    Family("event_lag_seconds", "gauge", "Wall clock less the time of the latest mail. Grows while no mail is seen."),
    Family("last_mail_timestamp_seconds", "gauge", "Packet time of the latest mail, in seconds since the epoch."),
    # ---- workers
    Family("worker_up", "gauge", "1 while a worker reads, 0 while it waits for its next try.", ("worker",)),
    Family("worker_restarts", "counter", "Times that a worker died and was started again.", ("worker",)),
    Family("damage", "counter", "Places where a capture file was damaged.", ("worker",)),
    Family("interface_up", "gauge", "1 while an interface is captured.", ("worker", "interface")),
    Family("interface_frames", "counter", "Frames that the kernel put into the rings.", ("worker", "interface")),
    Family("interface_octets", "counter", "Octets of those frames.", ("worker", "interface")),
    Family("interface_dropped", "counter", "Frames that the kernel dropped: a ring was full.", ("worker", "interface")),
    Family("interface_freezes", "counter", "Times that a ring was full.", ("worker", "interface")),
    Family("interface_outages", "counter", "Times that an interface went away.", ("worker", "interface")),
    Family("batches", "counter", "Batches of mail taken through the analysis."),
    Family("batch_duration_seconds", "summary", "Time that the analysis took for each batch."),
    Family("batches_waiting", "gauge", "Batches that wait for the analysis, of at most 8."),
    Family(
        "inline_verdicts", "counter",
        "Verdicts on mail in its passage, by what a rule says (rule is empty where none fitted); in a dry run it is "
        "only said.", ("worker", "action", "rule", "dry_run"),
    ),
    # ---- ledger and detectors
    Family("active_mailboxes", "gauge", "Mailboxes that had mail in the last 7 days."),
    Family("active_forwarders", "gauge", "Mailboxes that forwarded to outside by a rule in the last 7 days."),
    Family("ledger_evictions", "counter", "Accounts dropped at a limit.", ("what",)),
    Family("ledger_duplicates", "counter", "Further hops of copies counted before."),
    Family("detector_duration_seconds", "summary", "Time that a detector took for each event.", ("detector",)),
    Family("detector_failures", "counter", "Events on which a detector failed.", ("detector",)),
    Family("detector_states", "gauge", "States of all detectors."),
    Family("detector_states_evicted", "counter", "States dropped at a limit."),
    Family("detector_events_released_early", "counter", "Events that had their turn early: too many waited."),
    # ---- alerts
    Family("findings", "counter", "Findings of detectors, by what policy made of each.", ("result",)),
    Family("alerts", "counter", "Alerts told.", ("detector", "severity", "status")),
    Family("alerts_firing", "gauge", "Alerts that fire now.", ("severity",)),
    Family("sink_alerts_delivered", "counter", "Alerts that a sink took.", ("sink",)),
    Family("sink_failures", "counter", "Writes that a sink refused.", ("sink",)),
    Family("sink_alerts_lost", "counter", "Alerts lost before a sink took them.", ("sink",)),
    Family("sink_alerts_refused", "counter", "Alerts that a sink refused for what they say.", ("sink",)),
    Family("sink_alerts_owed", "gauge", "Alerts that wait for a sink.", ("sink",)),
    Family("sink_up", "gauge", "1 while a sink takes alerts, 0 since its latest try failed.", ("sink",)),
    Family("record_octets", "counter", "Octets of records written."),
    Family("record_failures", "counter", "Batches whose records could not be written."),
    Family(
        "records_unwritten",
        "counter",
        "Records that could not be written: missing for good, but for those of copies, whose senders send them again.",
    ),
    # ---- store
    Family("store_saves", "counter", "Saves of the state.", ("result",)),
    Family("store_save_duration_seconds", "summary", "Time that each save took."),
    Family("store_last_save_timestamp_seconds", "gauge", "When the last good save ended, in seconds since the epoch."),
    # ---- mailboxes, the top K by automatic forwards
    Family(
        "mailbox_forwards", "counter",
        "Forwards of the mailboxes with most automatic ones, under pseudonyms.", ("mailbox", "kind"),
    ),
    Family(
        "mailbox_auto_share_low_ratio", "gauge",
        "Lower end of the 95 % interval (Jeffreys) of the share of auto_only in a mailbox's marked forwards.",
        ("mailbox",),
    ),
    Family("mailbox_auto_share_high_ratio", "gauge", "Upper end of that interval.", ("mailbox",)),
    Family(
        "mailbox_destinations", "gauge",
        "Addresses that a mailbox is known to forward to, as far as its account holds them.", ("mailbox", "scope"),
    ),
    Family(
        "mailbox_last_forward_timestamp_seconds", "gauge",
        "Packet time of a mailbox's latest forward, in seconds since the epoch.", ("mailbox",),
    ),
    Family("mailbox_overflow_forwards", "counter", "Forwards of mailboxes that had no series of their own.", ("kind",)),
)  # fmt: skip
"""What the sensor counts, but for what taps count."""

WEB_FAMILIES: tuple[Family, ...] = (
    Family("http_requests", "counter", "Requests answered.", ("path", "code")),
    Family("http_rejected_connections", "counter", "Connections closed by us.", ("reason",)),
    Family("http_connections", "gauge", "Connections open now."),
    Family("web_config_reloads", "counter", "Changes of the web config file.", ("result",)),
)
"""What the HTTP face counts, on its own thread."""


CAPTURE = "capture_"
IN_LINE = ("inline_", "journal_", "milter_", "relay_")
"""What the counters of taps in line begin with."""


def family_of(counter: str) -> str:
    """The family of a tap's counter: of what taps in line count its own name, of all else ``capture_NAME``."""
    return counter if counter.startswith(IN_LINE) else CAPTURE + counter


def families(counters: Sequence[tuple[str, str]]) -> tuple[Family, ...]:
    """``FAMILIES``, and one for each counter of taps, given as name and meaning."""
    taps = (Family(family_of(name), "counter", " ".join(text.split()), ("worker",)) for name, text in counters)
    return (*FAMILIES, *taps)


class Counts:
    """
    Plain counts by family and labels. One thread counts; ``snapshot`` may be read by any.

    Raises ``KeyError`` for a family that does not exist. Series beyond ``MAX_SERIES`` of a family are not taken up, and
    each try is counted in ``series_refused``.
    """

    def __init__(self, known: Sequence[Family] = FAMILIES) -> None:
        self._values: dict[str, dict[Labels, Value]] = {"series_refused": {}, **{each.name: {} for each in known}}
        for each in known:
            if not each.labels and each.kind != "gauge":
                self._values[each.name][()] = (0, 0.0) if each.kind == "summary" else 0
        self.snapshot: Snapshot = MappingProxyType({})

    @property
    def names(self) -> tuple[str, ...]:
        """The families that can be counted."""
        return tuple(self._values)

    def begin(self, family: str, each: Iterable[Labels]) -> None:
        """Have series with those labels, at zero where they were not counted yet."""
        """Let those series of a counter stand at zero before anything is counted: a rate then sees the first count."""
        for labels in each:
            self.add(family, 0, *labels)

    def add(self, family: str, amount: float, *labels: str) -> None:
        """Count *amount* more; a negative one counts as nothing, since counters only grow."""
        """Count *amount* more, never less than nothing."""
        before = self._values[family].get(labels, 0)
        if isinstance(before, float | int):
            self._put(family, labels, before + max(0, amount))

    def reach(self, family: str, value: float, *labels: str) -> None:
        """What somebody else counts stands at *value*; one that is less than before changes nothing."""
        """A counter kept elsewhere stands at *value*; where that is lower than before, it stays."""
        before = self._values[family].get(labels, 0)
        if isinstance(before, float | int):
            self._put(family, labels, max(before, value))

    def set(self, family: str, value: float, *labels: str) -> None:
        """A gauge stands at *value*."""
        """A gauge stands at *value*."""
        self._put(family, labels, value)

    def replace(self, family: str, series: Mapping[Labels, float]) -> None:
        """Have those *series* of a family and no others: the first ``MAX_SERIES`` of them."""
        """A family has these series and no others."""
        self._values[family] = dict(islice(series.items(), MAX_SERIES))
        if len(series) > MAX_SERIES:
            self.add("series_refused", len(series) - MAX_SERIES, family)

    def observe(self, family: str, amount: float, *labels: str, times: int = 1) -> None:
        """Add to a summary: *amount* in all, of so many *times*."""
        """A summary has seen *times* more, *amount* together."""
        before = self._values[family].get(labels, (0, 0.0))
        if isinstance(before, tuple):
            self._put(family, labels, (before[0] + times, before[1] + amount))

    def value(self, family: str, labels: Labels) -> float:
        """What a series stands at, 0 where there is none; of a summary the sum."""
        """Where a counter or gauge stands; 0 where it was never set."""
        found = self._values[family].get(labels, 0)
        return found if isinstance(found, float | int) else found[1]

    def publish(self) -> None:
        """Put the counts as they are now into ``snapshot``."""
        """Let scrapes see what was counted so far."""
        self.snapshot = MappingProxyType({family: dict(series) for family, series in self._values.items()})

    def _put(self, family: str, labels: Labels, value: Value) -> None:
        series = self._values[family]
        if labels in series or len(series) < MAX_SERIES:
            series[labels] = value
        else:
            self.add("series_refused", 1, family)


class _Published(Collector):
    """Turns one snapshot, or several, into what ``prometheus_client`` renders."""

    def __init__(self, known: Sequence[Family], snapshots: Sequence[Snapshot]) -> None:
        self._known = known
        self._snapshots = snapshots

    def collect(self) -> Iterator[Metric]:
        for family in self._known:
            yield _metric(family, self._snapshots)


def _metric(family: Family, snapshots: Sequence[Snapshot]) -> Metric:
    makers: Mapping[Kind, type[CounterMetricFamily | GaugeMetricFamily | SummaryMetricFamily]] = {
        "counter": CounterMetricFamily,
        "gauge": GaugeMetricFamily,
        "summary": SummaryMetricFamily,
    }
    metric = makers[family.kind](PREFIX + family.name, family.meaning, labels=family.labels)
    for snapshot in snapshots:
        for labels, value in sorted(snapshot.get(family.name, {}).items()):
            shown = [_shown(each) for each in labels]
            if isinstance(metric, SummaryMetricFamily):
                count, total = value if isinstance(value, tuple) else (0, 0.0)
                metric.add_metric(shown, count_value=count, sum_value=total)
            elif not isinstance(value, tuple):
                metric.add_metric(shown, value)
    return metric


def _shown(label: str) -> str:
    """As UTF-8 can hold it: an address on the wire may hold what no encoding of text has."""
    return label.encode("utf-8", "backslashreplace").decode()


def render(known: Sequence[Family], snapshots: Sequence[Snapshot], accept: str = "") -> tuple[str, bytes]:
    """
    Content type and text of a scrape, in OpenMetrics where *accept* asks for it. Facts of the process are added.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Published(known, snapshots))
    ProcessCollector(registry=registry)
    if "application/openmetrics-text" in accept:
        return openmetrics.CONTENT_TYPE_LATEST, openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call] # the library's own
    return CONTENT_TYPE_PLAIN_0_0_4, generate_latest(registry)
