"""The samples for Prometheus and Alertmanager: valid, tested by promtool, and every alert with a page."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from sensor.metrics import WEB_FAMILIES, families
from sensor.taps.counters import tap_counters
from tests.running import ROOT, needs

PROMETHEUS = ROOT / "deploy" / "prometheus"
RUNBOOKS = ROOT / "docs" / "runbooks"
ALERTMANAGER = ROOT / "deploy" / "alertmanager" / "alertmanager.yml"

HEADINGS = ["## First look", "## Causes and fixes"]
SUMS = ("_sum", "_count", "")


def rules(name: str) -> list[dict[str, Any]]:
    groups = yaml.safe_load((PROMETHEUS / "rules" / f"{name}.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


ALERTS = {rule["alert"]: rule for rule in rules("alerting")}
RECORDED = {rule["record"]: rule for rule in rules("recording")}
PAGES = sorted(path for path in RUNBOOKS.glob("*.md") if path.stem != "README")


def said(*command: str, folder: Path = PROMETHEUS) -> str:
    """What a tool says that must succeed."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_promtool_takes_settings_and_rules() -> None:
    promtool = needs("promtool", "prometheus")
    assert "SUCCESS" in said(promtool, "check", "config", "prometheus.yml")
    said(promtool, "check", "rules", "--lint=all", "--lint-fatal", "rules/recording.yml", "rules/alerting.yml")


def test_every_alert_fires_where_it_should_and_keeps_silent_elsewhere() -> None:
    assert "SUCCESS" in said(needs("promtool", "prometheus"), "test", "rules", "tests/alerting.yml")
    names = {each["name"] for each in yaml.safe_load((PROMETHEUS / "tests" / "alerting.yml").read_text())["tests"]}
    for alert in ALERTS:
        assert {f"{alert} fires", f"{alert} keeps silent"} <= names


def test_every_alert_has_a_page_and_every_page_an_alert() -> None:
    assert {path.stem for path in PAGES} == set(ALERTS)


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_says_how_bad_it_is_and_where_to_read_on(alert: str) -> None:
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"]["runbook_url"] == f"docs/runbooks/{alert}.md"
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["description"].endswith(".")


@pytest.mark.parametrize("name", [*ALERTS, *RECORDED])
def test_a_rule_names_metrics_that_exist(name: str) -> None:
    expr = (ALERTS.get(name) or RECORDED[name])["expr"]
    known = {each.shown_name for each in (*families(tap_counters()), *WEB_FAMILIES)}
    known |= {f"{each}{part}" for each in known for part in SUMS}
    assert set(re.findall(r"\bmailsensor_\w+", re.sub(r"\w+(:\w+)+", "", expr))) <= known
    assert set(re.findall(r"\w+(?::\w+)+", expr)) <= set(RECORDED)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_its_parts_and_its_links_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    assert text.startswith(f"# {page.stem}\n")
    assert re.findall(r"^## .*", text, re.MULTILINE) == HEADINGS
    assert text.count("\n| ") >= 3
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_names_alerts_that_exist(page: Path) -> None:
    assert set(re.findall(r"\bMailsensor[A-Z]\w+", page.read_text())) <= set(ALERTS)


# ---- Alertmanager


def test_amtool_takes_the_settings() -> None:
    assert "SUCCESS" in said(needs("amtool", "prometheus-alertmanager"), "check-config", str(ALERTMANAGER))


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (("alertname=new_forwarder", "severity=low", "alert_id=abc", "sensor=span-1"), "analysts"),
        (("alertname=silent_copy", "severity=critical", "alert_id=abc", "sensor=span-1"), "analysts-at-once"),
        (("alertname=MailsensorDown", "severity=critical", "instance=span-1"), "operators-at-once"),
        (("alertname=MailsensorGaps", "severity=warning", "instance=span-1"), "operators"),
    ],
)
def test_alerts_go_to_whom_they_concern(labels: tuple[str, ...], receiver: str) -> None:
    amtool = needs("amtool", "prometheus-alertmanager")
    routed = said(amtool, "config", "routes", "test", f"--config.file={ALERTMANAGER}", *labels)
    assert routed.strip() == receiver


def test_inhibition_names_alerts_that_exist() -> None:
    for rule in yaml.safe_load(ALERTMANAGER.read_text())["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            assert set(re.findall(r"Mailsensor\w+", matcher)) <= set(ALERTS)
