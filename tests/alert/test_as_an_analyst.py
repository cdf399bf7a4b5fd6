"""The whole way on recorded servers: from captures to alerts, to their evidence, to explaining it, to letting it be."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from sensor.cli import run_cli
from tests.alert.test_ocsf import validator
from tests.alert.test_record import VALIDATOR

ROOT = Path(__file__).parent.parent.parent
CASES = ("lab_sieve_redirect", "lab_dot_forward", "lab_virtual_alias", "lab_exim_redirect")
CAPTURES = [f"pcaps/{case}" for case in CASES]


class Analyst:
    """Runs commands in the checkout, as the documentation shows them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        monkeypatch.chdir(ROOT)
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def run(self, *arguments: str, status: int = 0) -> str:
        self._monkeypatch.setattr(sys, "argv", ["mailsensor", *arguments])
        assert run_cli() == status, self._capsys.readouterr()
        return self._capsys.readouterr().out

    def replay(self, target: Path, *options: str) -> list[dict[str, Any]]:
        own = ("--internal-domain", "corp.example", "--quiet", "--alerts", str(target))
        self.run("replay", *CAPTURES, *own, *options)
        return [json.loads(line) for line in target.read_text().splitlines()]


@pytest.fixture
def analyst(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Analyst:
    return Analyst(monkeypatch, capsys)


def test_from_captures_to_evidence_to_explanation(analyst: Analyst, tmp_path: Path) -> None:
    target = tmp_path / "alerts.jsonl"
    told = analyst.replay(target)
    for record in told:
        VALIDATOR.validate(record)
    (fay,) = [each for each in told if each["detector"] == "new_forwarder" and each["mailbox"] == "fay@corp.example"]
    assert fay["id"][:12] in analyst.run("alerts", str(target))
    assert "All evidence is as it was written." in analyst.run("alerts", str(target), "--verify")
    shown = analyst.run("alerts", str(target), "--show", fay["id"][:6])
    assert "doveadm sieve list -u fay@corp.example" in shown
    transaction = fay["evidence"]["links"][0]["exhibit"]["transaction_id"]
    assert f"--transaction {transaction}" in shown
    explained = analyst.run("explain", *CAPTURES, "--transaction", transaction, "--internal-domain", "corp.example")
    assert "an automatic forward of fay@corp.example to fay.home@dst.example" in " ".join(explained.split())


def test_a_replay_tells_the_same_twice(analyst: Analyst, tmp_path: Path) -> None:
    analyst.replay(tmp_path / "one")
    analyst.replay(tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_events_of_ocsf_are_valid_by_the_published_schema(analyst: Analyst, tmp_path: Path) -> None:
    told = analyst.replay(tmp_path / "ocsf", "--alerts-format", "ocsf")
    assert told
    for event in told:
        assert [error.message for error in validator("1.5.0").iter_errors(event)] == []


def test_what_is_allowed_is_not_told_and_the_rest_is(analyst: Analyst, tmp_path: Path) -> None:
    settings = tmp_path / "mailsensor.toml"
    settings.write_text("# ours\n")
    entry = ("--mailbox", "fay@corp.example", "--destination", "fay.home@dst.example")
    analyst.run("allow", "--settings", str(settings), *entry, "--reason", "HR case 12", "--expires", "2999-12-31")
    told = analyst.replay(tmp_path / "alerts.jsonl", "--settings", str(settings))
    assert told
    assert [each for each in told if each["mailbox"] == "fay@corp.example"] == []
    assert {each["mailbox"] for each in told if each["detector"] == "new_forwarder"} == {
        "sales@corp.example",
        "info@corp.example",
    }


def test_the_documentation_shows_what_comes_out(analyst: Analyst, tmp_path: Path) -> None:
    """If this fails and the program is right: python docs/make_investigating.py."""
    page = (ROOT / "docs" / "investigating.md").read_text()
    target = tmp_path / "alerts.jsonl"
    analyst.replay(target)
    assert analyst.run("alerts", str(target)).rstrip() in page
    assert analyst.run("alerts", str(target), "--verify").rstrip() in page
    shown = page.partition("--show ")[2].partition("\n")[0]
    assert analyst.run("alerts", str(target), "--show", shown).rstrip() in page
