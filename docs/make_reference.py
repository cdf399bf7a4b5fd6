"""
Writes the reference pages that the code's own lists make: ``python docs/make_reference.py``.

``anomalies.md``, ``limits.md`` and ``counters.md`` hold what `sensor._core` says of itself, ``detectors.md`` what the
detectors do, ``metrics.md`` what can be scraped; a test keeps them current.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sensor import _core
from sensor.app.common import OWN_LIMITS as OWN
from sensor.detect import DETECTORS, BaseDetector
from sensor.metrics import WEB_FAMILIES, families
from sensor.settings import Limit
from sensor.taps.counters import tap_counters

HERE = Path(__file__).parent

LAYERS = {
    "link": "Link layer and tunnels",
    "ip": "IP",
    "tcp": "TCP",
    "smtp": "SMTP",
    "header": "Header section",
    "mime": "MIME",
}
"""What an anomaly's slug begins with, in the order in which a mail meets them."""

ANOMALIES = """\
# Anomalies

What the core can find odd on the wire. An anomaly never stops the reading: it is a fact of the record in which its slug
stands (`anomalies`), and all are counted. A slug keeps its meaning for ever; a new meaning gets a new slug.
"""

LIMITS = """\
# Limits

Every bound, with its reason. What is reached is counted; of the core's bounds it is named in the record, too, that it
concerns. Change one with `--limit NAME=VALUE` or in the section `[limits]` of the settings file.

"""

OWN_LIMITS = """
## Beside the core

What is kept of mailboxes and alerts (`ledger_`, `pairing_`, `detector_`, `unseen_`), and what taps in line take of mail
and of the MTA's log (`milter_`, `journal_`).

"""

COUNTERS = """\
# Counters

What the core counts. Counts only grow.
"""

METRICS = """\
# Metrics

What `mailsensor run` tells at `/metrics`, in the Prometheus text format or, where `Accept` asks for it, in OpenMetrics.
`process_*` (memory, processor time, file descriptors) is there as well, as every Prometheus client has it.

- **Counters never go backwards** while the process lives: not when a source dies and is opened anew, and not when a
  reload makes parts of the analysis anew. With the process they begin at zero, as Prometheus expects; of mailboxes they
  begin where the store is.
- **Shares are two counters.** The share of mail sessions in TLS, which nobody can read, is
  `sum(rate(mailsensor_sessions_total{privacy="tls"}[1h])) / sum(rate(mailsensor_sessions_total[1h]))`.
- **No address is a label.** The mailboxes with most automatic forwards (`web.top_mailboxes`, 50) have series under a
  pseudonym ([privacy.md](privacy.md)), made with the key in `privacy.key_file`; `privacy.clear_labels = true` shows
  addresses. Which are the top is looked at every 15 seconds. Forwards of all others are in
  `mailsensor_mailbox_overflow_forwards_total`; the API names every mailbox.
- **Counts are at most a second old.** A scrape renders a copy and holds nothing up.
- A family has at most 2,000 series, and all together some eight hundred: none follows what strangers send. A count that
  finds no room is in `mailsensor_series_refused_total`.

"""

DETECTORS_PAGE = """\
# Detectors

What `mailsensor` looks for in mail flow, and how it decides. A detector sees small events (a mail was forwarded, a
forward was refused, an archive was sent), keeps a bounded state for each mailbox or destination, and tells a
**finding** when its threshold is crossed. Policy makes alerts of findings.

- A finding is told when it crosses, and again, under the same id, while it goes on: when its count has doubled, or has
  grown and a day has passed.
- Time is that of the packets. A replay finds what the live sensor found, whatever the order in which events came in, so
  long as none was more than two minutes late; so a finding waits two minutes of packet time.
- "Outside" is what is not in `organisation.internal_domains`.
- Every finding says what could not be seen. Where most mail was hidden in TLS or passed unseen, its confidence is
  lowered.
- Shares come with their 95 % interval (Jeffreys).

A detector is set in the section `[detect.NAME]` of the settings file, by the options below; `enabled = false` turns
it off. What the organisation knows of and allows belongs into `[[alerts.allow]]` instead: then it is still seen.

```toml
[detect.new_forwarder]
learning_hours = 24

[detect.archive_sent]
enabled = false
```

"""


def pages() -> Mapping[Path, str]:
    """Every page with what it should hold."""
    return {
        HERE / "anomalies.md": ANOMALIES + "".join(_layer(layer, title) for layer, title in LAYERS.items()),
        HERE / "limits.md": LIMITS + _limits(_core.limits()) + OWN_LIMITS + _limits(OWN),
        HERE / "counters.md": COUNTERS
        + "\n"
        + _table(("Counter", "Meaning"), ((f"`{name}`", meaning) for name, meaning in _core.counters())),
        HERE / "metrics.md": METRICS + _table(("Metric", "Kind", "Labels", "Meaning"), _metrics()),
        HERE / "detectors.md": DETECTORS_PAGE
        + _table(("Detector", "Tells of"), (_overview(each) for each in DETECTORS))
        + "".join(_detector(each) for each in DETECTORS),
    }


def _limits(limits: Iterable[Limit]) -> str:
    return _table(("Limit", "Default", "Meaning and reason"), ((f"`{n}`", f"{v:,}", m) for n, m, v in limits))


def _metrics() -> Iterable[Sequence[str]]:
    for each in (*families(tap_counters()), *WEB_FAMILIES):
        yield f"`{each.shown_name}`", each.kind, " ".join(f"`{label}`" for label in each.labels), each.meaning


def _text_of(detector: type[BaseDetector[Any, Any]]) -> tuple[str, str]:
    """What a detector's module says of itself: what it tells of, and the rest."""
    text = (sys.modules[detector.__module__].__doc__ or "").replace("``", "`").strip()
    title, _, rest = text.partition("\n\n")
    return title.removeprefix(f"`{detector.name}`: "), rest


def _overview(detector: type[BaseDetector[Any, Any]]) -> tuple[str, str]:
    return f"[`{detector.name}`](#{detector.name})", _text_of(detector)[0]


def _detector(detector: type[BaseDetector[Any, Any]]) -> str:
    title, text = _text_of(detector)
    options = (
        (f"`{each.name}`", f"{each.default:,g}", f"{each.low:,g} to {each.high:,g}", each.meaning)
        for each in detector.OPTIONS
    )
    table = _table(("Option", "Default", "Allowed", "Meaning and reason"), options) if detector.OPTIONS else ""
    return f"\n## {detector.name}\n\n{title[:1].upper()}{title[1:]}\n\n{text}\n\n{table}"


def _layer(layer: str, title: str) -> str:
    rows = [(f"`{slug}`", meaning) for slug, meaning in _core.anomalies() if slug.startswith(f"{layer}_")]
    return f"\n## {title}\n\n" + _table(("Slug", "Meaning and source"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(_cell(text) for text in line) + " |\n" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
