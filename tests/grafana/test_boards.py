"""Dashboards: what is committed is what the code makes, and every panel tells its reader what it needs to."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from grafana.board import COLUMNS, Board, Panel
from grafana.boards import BOARDS
from grafana.make import FOLDER, files
from sensor.metrics import WEB_FAMILIES, families
from sensor.taps.counters import tap_counters

GRAFANA = FOLDER.parent
KNOWN = {
    name
    for each in (*families(tap_counters()), *WEB_FAMILIES)
    for name in (each.shown_name, *(f"{each.shown_name}_{part}" for part in ("sum", "count") if each.kind == "summary"))
}
INTERVALS = ("mailsensor_mailbox_auto_share_low_ratio", "mailsensor_mailbox_auto_share_high_ratio")
"""Shares that the sensor itself gives an interval of."""

PANELS = [pytest.param(panel, id=f"{board.name}: {panel.title}") for board in BOARDS for panel in board.panels]


def exprs(panel: Panel) -> list[str]:
    return [query.expr for query in panel.queries]


def test_the_committed_files_are_what_the_code_makes() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {path.name for path in files()}
    for path, text in files().items():
        assert path.read_text() == text, f"{path.name} is old: python -m grafana.make"


def test_every_file_of_boards_is_in_the_list() -> None:
    names = {path.stem for path in (GRAFANA / "boards").glob("*.py")} - {"__init__"}
    assert {board.name for board in BOARDS} == names


def test_uids_stay_as_they_are() -> None:
    """Links and bookmarks hold on to them."""
    uids = [board.to_json()["uid"] for board in BOARDS]
    assert uids[:4] == ["mailsensor-overview", "mailsensor-mailbox", "mailsensor-health", "mailsensor-fleet"]
    assert len(uids) == len(set(uids))


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_says_what_it_shows_and_what_to_do(panel: Panel) -> None:
    assert panel.title
    assert panel.unit
    assert panel.queries
    assert len(panel.description.split()) >= 5
    assert panel.description.endswith(".")


@pytest.mark.parametrize("panel", PANELS)
def test_a_query_names_metrics_that_exist_and_goes_by_the_chosen_sensors(panel: Panel) -> None:
    for expr in exprs(panel):
        assert set(re.findall(r"mailsensor_\w+", expr)) <= KNOWN
        for selector in re.findall(r"\{([^}]*)\}", expr):
            assert 'instance=~"$instance"' in selector or "alertname" in selector


@pytest.mark.parametrize("panel", PANELS)
def test_a_share_is_of_counters_by_rate(panel: Panel) -> None:
    for query in panel.queries:
        if (query.unit or panel.unit) == "percentunit" and not any(name in query.expr for name in INTERVALS):
            assert " / " in query.expr
            assert "mailsensor_" not in re.sub(r"rate\(mailsensor_\w+_total\{[^}]*\}\[[^]]*\]\)", "", query.expr)


@pytest.mark.parametrize("panel", PANELS)
def test_a_runbook_that_is_named_exists(panel: Panel) -> None:
    for name in re.findall(r"Mailsensor[A-Z]\w+", panel.description):
        assert (GRAFANA.parent / "docs" / "runbooks" / f"{name}.md").exists()


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_panels_lie_side_by_side(board: Board) -> None:
    panels = board.to_json()["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < COLUMNS
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_the_data_source_is_a_variable(board: Board) -> None:
    document = board.to_json()
    assert document["templating"]["list"][0]["type"] == "datasource"
    assert sources_of(document) == {"${datasource}"}


def sources_of(value: Any) -> set[str]:
    """The uid of every data source that is named."""
    if isinstance(value, list):
        return {uid for each in value for uid in sources_of(each)}
    if not isinstance(value, dict):
        return set()
    own = {value["datasource"]["uid"]} if "datasource" in value else set()
    return own | {uid for each in value.values() for uid in sources_of(each)}


def test_provisioning_finds_data_source_and_dashboards() -> None:
    (source,) = yaml.safe_load(provisioned("datasources"))["datasources"]
    assert source["type"] == "prometheus"
    scraped = yaml.safe_load((GRAFANA.parent / "deploy" / "prometheus" / "prometheus.yml").read_text())
    assert source["jsonData"]["timeInterval"] == scraped["global"]["scrape_interval"]
    (provider,) = yaml.safe_load(provisioned("dashboards"))["providers"]
    assert provider["type"] == "file"


def provisioned(kind: str) -> str:
    (path,) = (GRAFANA / "provisioning" / kind).iterdir()
    assert isinstance(path, Path)
    return path.read_text()


def test_titles_of_boards_differ() -> None:
    titles = [json.dumps(board.to_json()["title"]) for board in BOARDS]
    assert len(titles) == len(set(titles))
