"""What a reader of the pages does with them works: links lead somewhere, settings are taken, every command is named."""

import re
from pathlib import Path

import pytest

from sensor.app.common import settings_of
from sensor.cli import cli
from tests.running import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_SETTINGS = re.compile(r"```toml\n(.*?)```", re.DOTALL)


def _texts() -> list[tuple[str, str]]:
    return [(str(page.relative_to(ROOT)), page.read_text(encoding="utf-8")) for page in PAGES]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    links = [link for link in _LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


SNIPPETS = [(name, text) for name, page in _texts() for text in _SETTINGS.findall(page)]


def test_there_are_settings_in_the_pages() -> None:
    assert len(SNIPPETS) >= 10


@pytest.mark.parametrize(("name", "text"), SNIPPETS)
def test_settings_that_a_page_shows_are_taken(name: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "sensor.toml"
    path.write_text(text, encoding="utf-8")
    settings_of(str(path), {})


def test_the_readme_names_every_command() -> None:
    commands = [each.name or each.callback.__name__ for each in cli.registered_commands if each.callback is not None]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in commands if not re.search(rf"`{name}\b", readme)] == []
