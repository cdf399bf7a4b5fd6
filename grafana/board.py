"""
What a dashboard is made of, and the JSON that Grafana takes it as.

A ``Board`` has rows, a row has panels, a panel has queries. Panels are laid out from left to right in Grafana's 24
columns, so nobody counts coordinates. All that Grafana would fill in by itself is left out: what is written is what a
reader of the JSON has to know. The format is Grafana's dashboard model, schema version 39 (Grafana 10.4; later ones
bring it forward by themselves).

Plain classes and not Grafana's own builders for Python: those come anew for each version of Grafana and describe all of
it, where a tenth of one version is used here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Json = dict[str, Any]

SCHEMA_VERSION = 39
COLUMNS = 24
TAG = "mailsensor"
SOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}

SELECTED = 'job=~"$job",instance=~"$instance"'
"""The sensors that the variables at the top choose; every query goes by it."""

Unit = Literal[
    "short", "percentunit", "s", "bytes", "bps", "Bps", "cps", "pps", "dateTimeFromNow", "bool_yes_no", "none",
]  # fmt: skip
"""Grafana's names. ``percentunit`` is for shares alone: two counters by rate, or the sensor's own intervals."""

Kind = Literal["timeseries", "stat", "bargauge", "table"]

GREEN, AMBER, RED = "green", "orange", "red"
Steps = Sequence[tuple[float, str]]
"""From which value on which colour."""

WARN_ABOVE_0: Steps = ((1, AMBER),)
BAD_ABOVE_0: Steps = ((1, RED),)


@dataclass(frozen=True, slots=True)
class Query:
    """
    PromQL. ``legend`` names its series, in ``{{label}}``; ``column`` its values in a table.

    ``unit`` is for columns whose unit is not the panel's. ``now`` asks for the latest value alone.
    """

    expr: str
    legend: str = ""
    column: str = ""
    unit: Unit | None = None
    now: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """
    One picture. ``description`` says what it shows and what to do when it is odd.

    ``width`` is of 24 columns. ``steps`` colour values; ``stacked`` lays areas on each other.
    """

    title: str
    unit: Unit
    description: str
    queries: Sequence[Query]
    kind: Kind = "timeseries"
    width: int = 8
    height: int = 8
    steps: Steps = ()
    stacked: bool = False
    decimals: int | None = None
    hidden: Sequence[str] = ()
    """Columns of a table that are not shown."""


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under a heading."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True, slots=True)
class Variable:
    """A choice at the top: the values of *label* in *metric*."""

    name: str
    title: str
    metric: str
    label: str


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard. ``name`` names its file and its uid, which links and bookmarks hold on to: it never changes."""

    name: str
    title: str
    description: str
    rows: Sequence[Row]
    variables: Sequence[Variable] = ()
    since: str = "now-6h"

    @property
    def uid(self) -> str:
        return f"mailsensor-{self.name}"

    @property
    def panels(self) -> Iterator[Panel]:
        for row in self.rows:
            yield from row.panels

    def to_json(self) -> Json:
        """As Grafana takes it."""
        return {
            "uid": self.uid,
            "title": f"Mailflow Sensor: {self.title}",
            "description": self.description,
            "tags": [TAG],
            "schemaVersion": SCHEMA_VERSION,
            "editable": False,
            "graphTooltip": 1,
            "timezone": "utc",
            "refresh": "30s",
            "time": {"from": self.since, "to": "now"},
            "links": [_links()],
            "annotations": {"list": [_starts()]},
            "templating": {"list": [_source_variable(), *map(_variable, (*COMMON_VARIABLES, *self.variables))]},
            "panels": list(_laid_out(self.rows)),
        }


COMMON_VARIABLES = (
    Variable("job", "Job", "mailsensor_build_info", "job"),
    Variable("instance", "Sensor", 'mailsensor_build_info{job=~"$job"}', "instance"),
)


def _laid_out(rows: Sequence[Row]) -> Iterator[Json]:
    number, y = 0, 0
    for row in rows:
        number += 1
        yield {
            "id": number, "type": "row", "title": row.title, "collapsed": False, "panels": [],
            "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1},
        }  # fmt: skip
        x, line, y = 0, 0, y + 1
        for panel in row.panels:
            if x + panel.width > COLUMNS:
                x, line, y = 0, 0, y + line
            number += 1
            place = {"x": x, "y": y, "w": panel.width, "h": panel.height}
            yield {"id": number, "gridPos": place, **_panel(panel)}
            x, line = x + panel.width, max(line, panel.height)
        y += line


def _panel(panel: Panel) -> Json:
    defaults: Json = {"unit": panel.unit, "thresholds": _thresholds(panel.steps)}
    if panel.decimals is not None:
        defaults["decimals"] = panel.decimals
    if panel.kind == "timeseries":
        defaults["custom"] = _line(stacked=panel.stacked)
    if panel.kind == "timeseries":
        # No maximum, not of a share either: a thousandth lost would be a flat line at the foot.
        defaults["min"] = 0
    shown: Json = {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": SOURCE,
        "targets": [_target(panel, query, place) for place, query in enumerate(panel.queries)],
        "fieldConfig": {"defaults": defaults, "overrides": list(_overrides(panel))},
        "options": OPTIONS[panel.kind],
    }
    if panel.kind == "table":
        shown["transformations"] = _one_table(panel)
    return shown


OPTIONS: Mapping[Kind, Json] = {
    "timeseries": {
        "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "stat": {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value", "graphMode": "none"},
    "bargauge": {
        "reduceOptions": {"calcs": ["lastNotNull"]}, "orientation": "horizontal", "displayMode": "basic",
    },
    "table": {"showHeader": True},
}  # fmt: skip


def _line(*, stacked: bool) -> Json:
    return {
        "drawStyle": "line",
        "lineWidth": 1,
        "fillOpacity": 40 if stacked else 5,
        "showPoints": "never",
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
    }


def _thresholds(steps: Steps) -> Json:
    first: Json = {"color": GREEN, "value": None}
    return {"mode": "absolute", "steps": [first, *({"color": colour, "value": value} for value, colour in steps)]}


def _target(panel: Panel, query: Query, place: int) -> Json:
    is_table = panel.kind == "table"
    return {
        "refId": _letter(place),
        "datasource": SOURCE,
        "expr": query.expr,
        "legendFormat": query.legend or "__auto",
        "instant": is_table or query.now,
        "range": not (is_table or query.now),
        "format": "table" if is_table else "time_series",
    }


def _letter(place: int) -> str:
    return chr(ord("A") + place)


def _column(panel: Panel, place: int) -> str:
    """What Grafana calls the values of a query in a table: numbered where there are several."""
    return "Value" if len(panel.queries) == 1 else f"Value #{_letter(place)}"


def _overrides(panel: Panel) -> Iterator[Json]:
    for place, query in enumerate(panel.queries):
        if query.unit is not None:
            yield {
                "matcher": {"id": "byName", "options": query.column or _column(panel, place)},
                "properties": [{"id": "unit", "value": query.unit}],
            }


def _one_table(panel: Panel) -> list[Json]:
    """Queries side by side, a line for each set of labels."""
    names = {_column(panel, place): query.column for place, query in enumerate(panel.queries) if query.column}
    gone = dict.fromkeys(("Time", *panel.hidden), True)
    return [
        {"id": "merge", "options": {}},
        {"id": "organize", "options": {"excludeByName": gone, "renameByName": names}},
    ]


def _source_variable() -> Json:
    return {"type": "datasource", "name": "datasource", "label": "Data source", "query": "prometheus"}


def _variable(variable: Variable) -> Json:
    query = f"label_values({variable.metric}, {variable.label})"
    return {
        "type": "query",
        "name": variable.name,
        "label": variable.title,
        "datasource": SOURCE,
        "definition": query,
        "query": {"query": query, "refId": variable.name},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def _starts() -> Json:
    """A line where a sensor was started: its counts begin at zero there."""
    return {
        "name": "Starts of sensors",
        "datasource": SOURCE,
        "enable": True,
        "iconColor": "blue",
        "expr": f"mailsensor_start_time_seconds{{{SELECTED}}} * 1000",
        "titleFormat": "{{instance}} started",
        "useValueForTime": True,
    }


def _links() -> Json:
    return {
        "type": "dashboards", "title": "Mailflow Sensor", "tags": [TAG], "asDropdown": True,
        "keepTime": True, "includeVars": True,
    }  # fmt: skip
