"""The pages for those who operate the sensor name settings, metrics, checks, alerts and files that there are."""

from __future__ import annotations

import re

import pytest

from sensor.check import CHECKS
from tests.running import ROOT

DOCS = ROOT / "docs"
PAGES = ("deploy.md", "spanport.md", "cloud-mirror.md", "sizing.md", "tuning.md")


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest) -> str:
    return (DOCS / str(request.param)).read_text()


def test_metrics_that_are_named_are_told(page: str) -> None:
    told = set(re.findall(r"^\| `(mailsensor_\w+)`", (DOCS / "metrics.md").read_text(), re.MULTILINE))
    named = set(re.findall(r"`(mailsensor_\w+)`", page))
    # A summary's family stands there without its two series.
    assert named <= told


def test_settings_that_are_named_exist(page: str) -> None:
    """With their section, as they are written in the pages."""
    known = set(re.findall(r"^\| `([a-z_]+\.[a-z_]+)`", (DOCS / "settings.md").read_text(), re.MULTILINE))
    limits = (DOCS / "limits.md").read_text() + (DOCS / "settings.md").read_text()
    known |= {f"limits.{name}" for name in re.findall(r"`(\w+)`", limits)}
    sections = "|".join(sorted({each.partition(".")[0] for each in known}))
    named = set(re.findall(rf"`((?:{sections})\.[a-z_]+)(?: = [^`]+)?`", page))
    assert {each for each in named - known if not each.endswith((".md", ".toml"))} == set()


def test_alerts_that_are_named_have_a_page(page: str) -> None:
    for name in re.findall(r"`(Mailsensor[A-Z]\w+)`", page):
        assert (DOCS / "runbooks" / f"{name}.md").exists(), name


def test_links_lead_somewhere(page: str) -> None:
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page):
        assert (DOCS / link).exists(), link


def test_every_check_is_on_the_page() -> None:
    told = re.findall(r"^\| `(\w+)` \|", (DOCS / "deploy.md").read_text(), re.MULTILINE)
    assert told == ["settings", "user", *(each.name for each in CHECKS)]
