"""Every query of every dashboard, run against a Prometheus that scraped sensors under traffic, gives data."""

import math
from collections.abc import Iterator

import pytest

from grafana.board import Board, Panel, Variable
from grafana.boards import BOARDS
from tests.grafana.scene import Prometheus, scene

CHOSEN = {
    "$__rate_interval": "1m",
    "$__range": "5m",
    "$job": "mailsensor",
    "$instance": ".*",
    "$mailbox": ".*",
}
"""What Grafana would put in for its variables."""

NOTHING_HAPPENED = {
    "overview": {"Sources that do not read", "Trouble of the sensors themselves"},
    "mailbox": set[str](),
    "health": {
        "Sources that do not read",
        "Interfaces away",
        "Share of frames dropped by the kernel",
        "Rings full, interfaces away",
        "Dropped at a limit",
        "Batches waiting",
        "Events on which a detector failed",
        "Starts of sources",
        "Series and reloads refused",
    },
    "inline": {
        "Passed without a verdict",
        "Deferred without a verdict",
        "Not seen, or not whole",
        "What verdicts came to",
        "Mail that did not get through",
        "Next hop",
        "Attempts at its protocol",
        "Connections given up",
    },
    "fleet": {"Sensors that do not answer", "Share of frames dropped", "Batches waiting"},
}
"""Panels that tell of trouble: where there is none, all their values are zero. Nothing at all would be a fault."""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with scene(tmp_path_factory.mktemp("scene")) as prometheus:
        yield prometheus


def filled_in(expr: str) -> str:
    for name, value in CHOSEN.items():
        expr = expr.replace(name, value)
    assert "$" not in expr
    return expr


def faults(seen: Prometheus, board: Board, panel: Panel) -> Iterator[str]:
    """What a reader of the panel would miss."""
    shown = [[float(each["value"][1]) for each in seen.ask(filled_in(query.expr))] for query in panel.queries]
    for query, values in zip(panel.queries, shown, strict=True):
        if not values:
            yield f"{board.name}, {panel.title}: nothing for {query.expr}"
        elif all(map(math.isnan, values)):
            yield f"{board.name}, {panel.title}: no number for {query.expr}"
    if not any(value > 0 for values in shown for value in values) and panel.title not in NOTHING_HAPPENED[board.name]:
        yield f"{board.name}, {panel.title}: zero all over"


def test_every_query_gives_data(seen: Prometheus) -> None:
    """All in one test: sensors and Prometheus are started once, and every fault is told at once."""
    found = [fault for board in BOARDS for panel in board.panels for fault in faults(seen, board, panel)]
    assert not found, "\n".join(found)


def test_variables_have_values(seen: Prometheus) -> None:
    variables = {variable.name: variable for board in BOARDS for variable in all_variables(board)}
    for variable in variables.values():
        labels = {series["metric"].get(variable.label) for series in seen.ask(filled_in(variable.metric))}
        assert labels - {None}, variable


def all_variables(board: Board) -> Iterator[Variable]:
    for each in board.to_json()["templating"]["list"]:
        if each["type"] == "query":
            metric, _, label = each["definition"].removeprefix("label_values(").removesuffix(")").rpartition(", ")
            yield Variable(each["name"], each["label"], metric, label)


def test_starts_of_sensors_are_drawn(seen: Prometheus) -> None:
    (starts,) = BOARDS[0].to_json()["annotations"]["list"]
    assert len(seen.ask(filled_in(starts["expr"]))) == 2


def test_recording_rules_give_data(seen: Prometheus) -> None:
    groups = seen.server.ask("/api/v1/rules?type=record").json["data"]["groups"]
    for rule in (rule for group in groups for rule in group["rules"]):
        assert rule["health"] == "ok", rule
        assert seen.ask(rule["name"]), rule["name"]


def test_alerting_rules_go_wrong_nowhere_and_a_dead_sink_is_noticed(seen: Prometheus) -> None:
    groups = seen.server.ask("/api/v1/rules?type=alert").json["data"]["groups"]
    for rule in (rule for group in groups for rule in group["rules"]):
        assert (rule["health"], rule.get("lastError", "")) == ("ok", ""), rule
    assert "MailsensorSinkFailing" in seen.alerts()
    assert "MailsensorDown" not in seen.alerts()
