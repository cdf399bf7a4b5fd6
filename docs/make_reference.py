"""
Writes the reference pages that the core's own lists make: ``python docs/make_reference.py``.

``anomalies.md``, ``limits.md`` and ``counters.md`` hold what `sensor._core` says of itself; a test keeps them current.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from sensor import _core

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

Every bound of the core, with its reason. What is reached is counted, and named in the record that it concerns. Change
one with `--limit NAME=VALUE` or in the section `[limits]` of the settings file.
"""

COUNTERS = """\
# Counters

What the core counts. Counts only grow.
"""


def pages() -> Mapping[Path, str]:
    """Every page with what it should hold."""
    return {
        HERE / "anomalies.md": ANOMALIES + "".join(_layer(layer, title) for layer, title in LAYERS.items()),
        HERE / "limits.md": LIMITS
        + "\n"
        + _table(("Limit", "Default", "Meaning and reason"), ((f"`{n}`", f"{v:,}", m) for n, m, v in _core.limits())),
        HERE / "counters.md": COUNTERS
        + "\n"
        + _table(("Counter", "Meaning"), ((f"`{name}`", meaning) for name, meaning in _core.counters())),
    }


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
        path.write_text(text)
