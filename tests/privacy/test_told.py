"""In mode "pseudonym" no address leaves the sensor in clear, by any way that there is; and the key reveals them all."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from sensor.alert.schema import alert_schema
from sensor.pseudonym import Pseudonyms, key_ring
from sensor.schema import record_schema
from tests.running import mailsensor
from tests.service import SIEVE, running
from tests.test_pcaps import CASES, capture_of

RECORD, ALERT = Draft202012Validator(record_schema()), Draft202012Validator(alert_schema())

CLEAR = (
    b"fay@corp",
    b"fay.home",
    b"peter@",
    b".example",
    b"keep inside",
    b"@corp",
    b"@partner",
    b"@dst.",
    b"queued as",
)
"""
What of the mail in the capture of a Sieve redirect must not be told: names, domains, subject, replies. Five octets at
least: shorter ones come to stand in pseudonyms and in what is sealed by chance, once in some hundred runs.
"""


def settings(folder: Path, more: str = "", mode: str = "pseudonym") -> Path:
    path = folder / "settings.toml"
    path.write_text(
        f'[organisation]\ninternal_domains = ["corp.example"]\n'
        f'[privacy]\nmode = "{mode}"\nkey_file = "{folder / "key"}"\n'
        f"{more}\n"
    )
    return path


def told_in(octets: bytes) -> list[bytes]:
    """What of the clear text stands in it."""
    return [each for each in CLEAR if each in octets.lower()]


def revealed(folder: Path, octets: bytes) -> str:
    return Pseudonyms(key_ring(str(folder / "key"))).reveal_all(octets.decode())


def replay(folder: Path, *more: str | Path, mode: str = "pseudonym", capture: Path = SIEVE) -> dict[str, bytes]:
    """Every output of a replay, by name."""
    outputs = {"--events": folder / "records", "--alerts": folder / "alerts", "--report": folder / "report.html"}
    named = [part for option, path in outputs.items() for part in (option, path)]
    ended = mailsensor("replay", capture, "--settings", settings(folder, mode=mode), *named, *more)
    assert ended.status == 0, ended.words
    return {"out": ended.out, "err": ended.err, **{path.name: path.read_bytes() for path in outputs.values()}}


def test_a_replay_tells_no_address_and_the_key_reveals_all(tmp_path: Path) -> None:
    outputs = replay(tmp_path, "--json")
    assert {name: told_in(octets) for name, octets in outputs.items() if told_in(octets)} == {}
    for name in ("records", "alerts", "report.html", "out"):
        assert "fay@corp.example" in revealed(tmp_path, outputs[name]), name
        assert "fay.home@dst.example" in revealed(tmp_path, outputs[name]), name


def test_a_summary_on_a_terminal_tells_no_address(tmp_path: Path) -> None:
    assert told_in(replay(tmp_path)["out"]) == []


def test_records_and_alerts_are_as_their_schemas_say_and_evidence_is_whole(tmp_path: Path) -> None:
    outputs = replay(tmp_path)
    for name, validator in (("records", RECORD), ("alerts", ALERT)):
        for line in outputs[name].splitlines():
            validator.validate(json.loads(line))
    assert "All evidence is as it was written." in mailsensor("alerts", tmp_path / "alerts", "--verify").words


def test_what_is_told_is_told_of_the_same_mail_and_mailboxes(tmp_path: Path) -> None:
    """The same counts, ids of mails, verdicts: only the names are others."""
    (tmp_path / "clear").mkdir()
    veiled, clear = replay(tmp_path), replay(tmp_path / "clear", mode="clear")
    for mine, theirs in zip(veiled["records"].splitlines(), clear["records"].splitlines(), strict=True):
        one, other = json.loads(mine), json.loads(theirs)
        for key in ("id", "started_at", "flow", "outcome", "size_octets", "completeness", "anomalies"):
            assert one[key] == other[key]
        assert one["forwarding"]["kind"] == other["forwarding"]["kind"]
    for mine, theirs in zip(veiled["alerts"].splitlines(), clear["alerts"].splitlines(), strict=True):
        one, other = json.loads(mine), json.loads(theirs)
        assert (one["counts"], one["severity"], one["level"]) == (other["counts"], other["severity"], other["level"])
        assert revealed(tmp_path, one["summary"].encode()) == other["summary"]
        assert one["id"] != other["id"]


def test_no_address_of_any_capture_is_in_any_output(tmp_path: Path) -> None:
    """All cases at once. Addresses are taken from the clear records; what has no @ can't be told from other words."""
    (tmp_path / "clear").mkdir()
    folder = tmp_path / "captures"
    folder.mkdir()
    for case in CASES:
        (folder / f"{case.name}{''.join(capture_of(case).suffixes)}").symlink_to(capture_of(case))
    told = {}
    for where in (tmp_path, tmp_path / "clear"):
        mode = "pseudonym" if where is tmp_path else "clear"
        names = [
            part for name in ("records", "alerts") for part in (f"--{name.replace('records', 'events')}", where / name)
        ]
        ended = mailsensor("replay", folder, "--settings", settings(where, mode=mode), *names, "--report", where / "r")
        assert ended.status in (0, 3)
        told[mode] = (
            ended.out + ended.err + b"".join((where / name).read_bytes() for name in ("records", "alerts", "r"))
        )
    addresses = set(addresses_of((tmp_path / "clear" / "records").read_bytes()))
    assert len(addresses) > 50
    lowered = told["pseudonym"].lower()
    assert sorted(each for each in addresses if each.encode() in lowered) == []


def addresses_of(lines: bytes) -> Iterator[str]:
    for line in lines.splitlines():
        record = json.loads(line)
        if record["record"] != "transaction":
            continue
        header = record["header"] or {}
        found = [record["reverse_path"], *(each["address"] for each in record["forward_paths"])]
        found += [each for key in ("from", "to", "cc", "reply_to", "delivered_to") for each in header.get(key, ())]
        yield from (each.lower() for each in found if each and "@" in each)


def test_internal_domains_may_stay_clear(tmp_path: Path) -> None:
    path = settings(tmp_path)
    path.write_text(path.read_text().replace("[privacy]", '[privacy]\nclear_domains = "internal"'))
    ended = mailsensor("replay", SIEVE, "--settings", path, "--alerts", tmp_path / "alerts", "--quiet")
    alert = json.loads((tmp_path / "alerts").read_bytes().splitlines()[0])
    assert ended.status == 0
    assert alert["mailbox"].endswith("@corp.example")
    assert alert["destinations"][0].endswith(".invalid")
    assert told_in(alert["mailbox"].encode()) == [b".example", b"@corp"]


@pytest.mark.parametrize(
    ("privacy", "words"),
    [
        ('mode = "pseudonym"', "name a privacy.key_file"),
        ('mode = "pseudonym"\nclear_labels = true\nkey_file = "k"', "leave privacy.clear_labels out"),
        ('mode = "hidden"', "must be one of clear, pseudonym"),
        ('clear_domains = "some"', "must be one of none, internal, all"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(tmp_path: Path, privacy: str, words: str) -> None:
    (tmp_path / "settings.toml").write_text(f"[privacy]\n{privacy}\n")
    ended = mailsensor("replay", SIEVE, "--settings", tmp_path / "settings.toml", cwd=tmp_path)
    assert ended.status == 1
    assert words in ended.words


# ---- what is kept


def test_what_a_replay_keeps_is_sealed_and_reports_need_the_key(tmp_path: Path) -> None:
    store = tmp_path / "kept" / "ledger.db"
    store.parent.mkdir()
    for _ in range(2):
        replay(tmp_path, "--store", store)
    assert told_in(b"".join(each.read_bytes() for each in store.parent.iterdir()).replace(bytes(SIEVE), b"")) == []
    for command in (("report", "mailboxes", "--store", store), ("alerts", store)):
        assert "name the file that holds it" in mailsensor(*command).words
    ended = mailsensor("report", "mailboxes", "--store", store, "--format", "json", "--key", tmp_path / "key")
    assert told_in(ended.out) == []
    assert json.loads(revealed(tmp_path, ended.out))["mailbox"] == "fay@corp.example"
    ended = mailsensor("report", "destinations", "--store", store, "--format", "csv", "--key", tmp_path / "key")
    assert told_in(ended.out) == []
    assert "fay.home@dst.example" in revealed(tmp_path, ended.out)
    ended = mailsensor("alerts", store, "--key", tmp_path / "key")
    assert told_in(ended.out) == []
    assert "fay@corp.example" in revealed(tmp_path, ended.out)


def test_a_store_that_was_kept_in_clear_goes_on_under_pseudonyms(tmp_path: Path) -> None:
    """Accounts go on; alerts that were told in clear are forgotten, and told anew under pseudonyms."""
    store = tmp_path / "ledger.db"
    replay(tmp_path, "--store", store, mode="clear")
    replay(tmp_path, "--store", store)
    ended = mailsensor("report", "mailboxes", "--store", store, "--format", "json", "--key", tmp_path / "key")
    assert json.loads(ended.out)["auto_only"] == 2
    ended = mailsensor("report", "alerts", "--store", store, "--format", "json", "--key", tmp_path / "key")
    assert told_in(ended.out) == []
    assert len(ended.out.splitlines()) > 0
    ended = mailsensor("alerts", store, "--verify", "--key", tmp_path / "key")
    assert "All evidence is as it was written." in ended.words
    replay(tmp_path, "--store", store, mode="clear")
    assert b"fay@corp.example" in mailsensor("report", "mailboxes", "--store", store).out
    with sqlite3.connect(store) as database:
        assert database.execute("SELECT count(*) FROM seal").fetchone() == (0,)


# ---- run


def test_a_running_sensor_tells_no_address_by_any_way(tmp_path: Path) -> None:
    more = f"""
path = "{tmp_path / "kept.db"}"
[run]
records = "records.jsonl"
alerts = "alerts.jsonl"
[alerts]
spool_dir = "{tmp_path / "spool"}"
[[alerts.sink]]
type = "ocsf"
path = "{tmp_path / "findings.jsonl"}"
[[alerts.sink]]
type = "webhook"
url = "http://127.0.0.1:9/nobody"
[privacy]
mode = "pseudonym"
key_file = "{tmp_path / "key"}"
[capture]
files = ["{SIEVE}"]
"""
    said = {}
    with running(tmp_path, more) as service:
        service.until(lambda: service.ask("/api/v1/alerts").json["total"] > 0, "an alert")
        service.until(lambda: service.metric("mailsensor_store_saves_total", result="good") >= 1, "a save")
        named = "fay@corp.example"
        service.until(
            lambda: named in revealed(tmp_path, service.ask("/metrics").body), "her mailbox among the metrics"
        )
        evidence = service.ask("/api/v1/alerts").json["items"][0]["evidence"]["links"][0]["exhibit"]["transaction_id"]
        for path in ("/metrics", "/", "/api/v1/mailboxes", "/api/v1/destinations", "/api/v1/alerts"):
            said[path] = service.ask(path).body
            assert "fay@corp.example" in revealed(tmp_path, said[path]) or path == "/"
        said["record"] = service.ask(f"/api/v1/transactions/{evidence}").body
        # A filter takes the names that are told, and so tells nothing of others.
        name = service.ask("/api/v1/mailboxes").json["items"][0]["mailbox"]
        assert service.ask(f"/api/v1/mailboxes?mailbox={name}").json["total"] == 1
        assert service.ask("/api/v1/mailboxes?mailbox=fay@corp.example").json["total"] == 0
        assert service.ask("/api/v1/mailboxes?domain=corp.example").json["total"] == 0
        assert service.end() == 0
        said["log"] = service.log.encode()
    own = {"sensor.toml", "key", "log"}
    for file in (each for each in tmp_path.rglob("*") if each.is_file() and each.name not in own):
        said[file.name] = file.read_bytes().replace(bytes(SIEVE), b"")
        assert file.stat().st_mode & 0o077 == 0, file
    assert {"records.jsonl", "alerts.jsonl", "findings.jsonl", "kept.db", "sink-webhook.spool"} <= said.keys()
    assert {name: told_in(octets) for name, octets in said.items() if told_in(octets)} == {}
