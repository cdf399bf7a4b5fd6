"""``mailsensor alerts`` and ``mailsensor allow``: from an alert to its evidence, and to letting it be."""

import json
import sys
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.alert.allow import AllowList
from sensor.alert.allowfile import add_entry, entry_text
from sensor.alert.policy import Policy
from sensor.alert.reading import MAX_LINE_OCTETS, read_alerts
from sensor.alert.record import record_of, to_line
from sensor.cli import run_cli
from sensor.report.alerts import render_alert, render_list, render_suppressed
from sensor.settings import AllowEntry, SettingsError, load_settings
from tests.alert.findings import DAY_MS, NOW_MS, allowed, finding, settings

TODAY = date(2026, 11, 22)


def history() -> list[bytes]:
    """Lines of three alerts: one told twice and resolved, one grave and firing, one informational."""
    policy = Policy(settings())
    told = policy.take([finding(forwards=2), finding(mailbox="b@corp.example", severity="critical")], NOW_MS)
    told += policy.take([finding(forwards=4)], NOW_MS + 1)
    told += policy.advance(NOW_MS + 8 * DAY_MS)
    told += policy.take([finding(mailbox="c@corp.example", severity="informational")], NOW_MS + 8 * DAY_MS)
    return [to_line(record_of(alert, sensor="test")) for alert in told]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "alerts.jsonl"
    path.write_bytes(b"".join(history()))
    return path


def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["mailsensor", *map(str, arguments)])
    status = run_cli()
    out, err = capsys.readouterr()
    return status, out, err


# ---- reading and showing


def test_the_list_names_each_alert_once_the_gravest_first(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = run(monkeypatch, capsys, "alerts", file)
    assert status == 0
    lines = out.splitlines()
    assert lines[0] == "3 alerts in 1 case, 1 firing."
    assert [line.split()[1:3] for line in lines[3:]] == [
        ["firing", "informational"],
        ["resolved", "critical"],
        ["resolved", "medium"],
    ]


def test_the_list_can_be_of_a_mailbox_or_a_destination(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, capsys, "alerts", file, "--mailbox", "B@corp.example")[1].startswith("1 alert, 0 firing.")
    assert run(monkeypatch, capsys, "alerts", file, "--destination", "no@where.example")[1] == "0 alerts, 0 firing.\n"


def test_show_gives_everything_an_investigation_needs(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    alert_id = json.loads(history()[0])["id"]
    status, out, _ = run(monkeypatch, capsys, "alerts", file, "--show", alert_id[:8])
    assert status == 0
    for words in (
        alert_id,
        "RESOLVED",
        "fay@corp.example began to forward mail by a rule.",
        "fay.home@dst.example",
        "forwards 4",
        "100.0% (95 % interval 80.0% to 100.0%)",
        "by mx.corp.example from 192.0.2.1 to 198.51.100.2",
        "50% of mail sessions in clear, 12 octets missing",
        "The marks are genuine.",
        "X-Sieve-Redirected-From: fay@corp.example  [sieve_redirected_from]",
        "the hash chain is whole",
        "doveadm sieve list -u fay@corp.example",
        "M1060 Out-of-Band Communications Channel",
    ):
        assert words in out, words


@pytest.mark.parametrize(("start", "words"), [("", "3 alerts have ids"), ("zz", "no alert has such an id")])
def test_an_id_that_is_not_of_one_alert_is_an_error(
    file: Path, start: str, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = run(monkeypatch, capsys, "alerts", file, "--show", start)
    assert (status, out) == (1, "")
    assert words in err


def test_verify_tells_whole_evidence_from_broken(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = run(monkeypatch, capsys, "alerts", file, "--verify")
    assert (status, out.splitlines()[-1]) == (0, "All evidence is as it was written.")
    file.write_bytes(file.read_bytes().replace(b'"value":"fay@corp.example"', b'"value":"gus@corp.example"', 1))
    status, out, _ = run(monkeypatch, capsys, "alerts", file, "--verify")
    assert status == 3
    assert "exhibit 0 was changed" in out
    assert out.endswith("NOT ALL EVIDENCE IS AS WRITTEN.\n")


def test_a_record_that_was_delivered_twice_is_read_once(file: Path) -> None:
    again = file.read_bytes().replace(b'"redelivered":false', b'"redelivered":true')
    file.write_bytes(file.read_bytes() + again)
    alerts = read_alerts(str(file))
    assert [len(told.records) for told in alerts.alerts.values()] == [3, 2, 1]
    assert all(told.problems() == [] for told in alerts.alerts.values())


def test_lines_that_are_no_alerts_are_named_and_passed_over(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    long = b"x" * (MAX_LINE_OCTETS + 5)
    file.write_bytes(b'{"record":"ale\n\n[1,2]\n' + long + b"\n" + file.read_bytes() + b"\xff\x1b[2J")
    status, out, _ = run(monkeypatch, capsys, "alerts", file)
    assert status == 3
    assert out.startswith("3 alerts")
    assert [number for number in range(20) if f"line {number} is" in out] == [1, 3, 4, 11]
    assert "\x1b" not in out


def test_a_file_without_any_alert_is_none_read(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_bytes(b"hello\n")
    assert run(monkeypatch, capsys, "alerts", file)[0] == 1
    status, _, err = run(monkeypatch, capsys, "alerts", file.with_name("none"))
    assert status == 1
    assert "No such file" in err


HOSTILE = "evil\x1b]0;x\x07\u202e\n@corp.example"


def test_nothing_from_mail_moves_a_cursor_or_breaks_a_line(tmp_path: Path) -> None:
    hostile = finding(mailbox=HOSTILE, mailboxes=(HOSTILE,), destinations=(HOSTILE,), summary=HOSTILE, gaps=(HOSTILE,))
    policy = Policy(settings(allow=(allowed(mailbox="x@y.example"),)))
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"".join(to_line(record_of(each, sensor="t")) for each in policy.take([hostile], NOW_MS)))
    file = read_alerts(str(path))
    for text in (render_list(file), *map(render_alert, file.alerts.values())):
        assert all(line.isprintable() for line in text.split("\n"))


def test_what_the_allow_list_held_back_can_be_read() -> None:
    entry = allowed(mailbox="fay@corp.example", reason="HR case 12")
    old = allowed(destination="a@dst.example", reason="project", expires=date(2020, 1, 1))
    policy = Policy(settings(allow=(entry, old)))
    policy.take([finding()], NOW_MS)
    text = render_suppressed(policy.suppressed(), policy.expired_entries(NOW_MS))
    assert text == (
        "Allowed: mailbox fay@corp.example, until 2027-01-31 (HR case 12)\n"
        "  held back, 2026-11-22: fay@corp.example began to forward mail by a rule.\n"
        "Expired on 2020-01-01: allow destination a@dst.example (project)\n"
    )
    assert render_suppressed((), ()) == ""


# ---- allowing

SETTINGS = '# ours\n[sensor]\nname = "span-1"  # the one in the cellar\n'


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    path = tmp_path / "mailsensor.toml"
    path.write_text(SETTINGS)
    return path


ALLOW = ("--mailbox", "fay@corp.example", "--destination", "fay.home@dst.example", "--reason", "HR case 12")


def test_allow_adds_an_entry_and_keeps_what_a_person_wrote(
    toml: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    toml.chmod(0o640)
    status, out, _ = run(monkeypatch, capsys, "allow", "--settings", toml, *ALLOW, "--expires", "2999-01-31")
    assert status == 0
    assert toml.read_text().startswith(SETTINGS + "\n[[alerts.allow]]\n")
    assert toml.read_text().endswith(out.partition("\n\n")[2])
    assert toml.stat().st_mode & 0o777 == 0o640
    (entry,) = load_settings(str(toml), {}, known_limits=[]).alerts.allow
    assert AllowList([entry]).apply(finding(), NOW_MS).finding is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((*ALLOW, "--expires", "2020-01-31"), "that day is past"),
        ((*ALLOW, "--expires", "soon"), "a day such as"),
        (("--reason", "x", "--expires", "2999-01-31"), "must name one of"),
        (("--mailbox", "fay", "--reason", "x", "--expires", "2999-01-31"), "an address such as"),
        (("--domain", "a@b", "--reason", "x", "--expires", "2999-01-31"), "a domain such as"),
        (("--mailbox", "fay@corp.example", "--reason", " ", "--expires", "2999-01-31"), "must say why"),
        (("--mailbox", "fay@corp.example", "--reason", "a\nb", "--expires", "2999-01-31"), "in one line"),
        (("--destination", "a@b.c", "--domain", "b.c", "--reason", "x", "--expires", "2999-01-31"), "not name both"),
    ],
)
def test_allow_refuses_what_would_not_hold(
    toml: Path,
    arguments: tuple[str, ...],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    status, _, err = run(monkeypatch, capsys, "allow", "--settings", toml, *arguments)
    assert status == 1
    assert words in err
    assert toml.read_text() == SETTINGS


def test_allow_refuses_the_same_again_until_it_has_expired(toml: Path) -> None:
    entry = allowed(expires=TODAY, mailbox="fay@corp.example")
    with pytest.raises(SettingsError, match="is allowed already, until 2026-11-22"):
        add_entry(str(toml), allowed(mailbox="Fay@Corp.example"), [entry], TODAY)
    add_entry(str(toml), allowed(mailbox="fay@corp.example"), [entry], date(2026, 11, 23))


def test_a_file_without_a_line_end_or_with_crlf_is_continued(toml: Path) -> None:
    toml.write_bytes(b'[sensor]\r\nname = "a"')
    add_entry(str(toml), allowed(mailbox="fay@corp.example"), [], TODAY)
    assert toml.read_bytes().startswith(b'[sensor]\r\nname = "a"\n\n[[alerts.allow]]\n')
    assert len(load_settings(str(toml), {}, known_limits=[]).alerts.allow) == 1


def test_a_list_written_in_one_line_is_not_broken(toml: Path) -> None:
    before = '[alerts]\nallow = [{mailbox = "a@b.example", reason = "x", expires = 2027-01-01}]\n'
    toml.write_text(before)
    with pytest.raises(SettingsError, match=r"as tables, each \[\[alerts.allow\]\]"):
        add_entry(str(toml), allowed(mailbox="fay@corp.example"), [], TODAY)
    assert toml.read_text() == before


def test_a_link_to_the_settings_stays_a_link(toml: Path) -> None:
    link = toml.with_name("link.toml")
    link.symlink_to(toml)
    add_entry(str(link), allowed(mailbox="fay@corp.example"), [], TODAY)
    assert link.is_symlink()
    assert "[[alerts.allow]]" in toml.read_text()
    assert {each.name for each in toml.parent.iterdir()} == {"mailsensor.toml", "link.toml"}


PRINTABLE = st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters="@/:*"), min_size=1, max_size=30)


@given(PRINTABLE, PRINTABLE.map(str.strip).filter(bool))
def test_any_entry_that_settings_let_in_is_written_so_that_it_comes_back(local: str, reason: str) -> None:
    import tomllib

    entry = AllowEntry(mailbox=f"{local}@corp.example", reason=reason, expires=TODAY)
    ((row,),) = tomllib.loads(entry_text(entry))["alerts"].values()
    assert AllowEntry(**row) == entry
