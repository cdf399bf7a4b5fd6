"""Each check sees what it is for, and says what would put it right; the list of them is whole."""

from __future__ import annotations

import fcntl
import os
import pkgutil
import pwd
import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import sensor.check
from sensor.check import CHECKS, Line, Subject, facts
from sensor.check import clock as clock_check
from sensor.check import disk as disk_check
from sensor.check import rings as rings_check
from sensor.check.base import Check
from sensor.check.ports import listening
from sensor.database import Database
from sensor.pseudonym import key_ring
from sensor.settings import (
    AlertSettings,
    CaptureSettings,
    FileSinkSettings,
    JournalSettings,
    LiveSettings,
    MilterSettings,
    OrganisationSettings,
    PrivacySettings,
    RelaySettings,
    RunSettings,
    SecretSource,
    Settings,
    StoreSettings,
    SyslogSettings,
    TlsSettings,
    WebhookSettings,
    WebSettings,
)
from tests.postfix import open_folder
from tests.running import root_for

BY_NAME = {each.name: each for each in CHECKS}

needs_root = root_for("packet sockets take the right to them")


def look(
    name: str, *, probe: bool = False, environment: Mapping[str, str] | None = None, **sections: Any
) -> list[Line]:
    """What the check says of usual settings with those *sections*."""
    settings = replace(Settings(), **sections)
    return list(BY_NAME[name].look(Subject(settings, None, environment or {}, probe)))


def worst(lines: list[Line]) -> str:
    return max((each.status for each in lines), key=("ok", "warn", "fail").index, default="ok")


def test_every_check_is_in_the_list() -> None:
    """A file that is in nobody's list would never be looked at."""
    modules = {each.name for each in pkgutil.iter_modules(sensor.check.__path__)} - {"base", "facts", "probe"}
    assert modules == {each.name for each in CHECKS}
    assert len(BY_NAME) == len(CHECKS)


@pytest.mark.parametrize("each", CHECKS, ids=lambda each: each.name)
def test_a_check_says_little_of_usual_settings_and_fails_nothing(each: Check) -> None:
    """Nothing is set, so nothing can be wrong but what has to be set."""
    for line in each.look(Subject(replace(Settings(), web=WebSettings(listen="127.0.0.1:0")))):
        assert line.status != "fail", line
        assert line.what
        assert line.said
        assert bool(line.fix) == (line.status != "ok")


@pytest.mark.parametrize("each", CHECKS, ids=lambda each: each.name)
def test_a_check_is_described(each: Check) -> None:
    assert re.fullmatch(r"[a-z][a-z_]+", each.name)
    assert each.about


# ---- what is watched, and as whom


def test_no_domain_of_ours_is_a_warning() -> None:
    assert worst(look("organisation")) == "warn"
    assert worst(look("organisation", organisation=OrganisationSettings(("corp.example",)))) == "ok"


def test_capturing_without_the_right_would_not_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sensor.privileges.may", lambda _: False)
    monkeypatch.setattr(os, "geteuid", lambda: 1_000)
    lines = look("rights", live=LiveSettings(interfaces=("eth1",)))
    assert [(each.status, each.what) for each in lines] == [("ok", "user"), ("fail", "capture")]
    assert "AmbientCapabilities=CAP_NET_RAW" in lines[1].fix


def test_giving_the_right_up_is_said_with_what_it_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sensor.privileges.may", lambda _: True)
    monkeypatch.setattr(os, "geteuid", lambda: 1_000)
    live = LiveSettings(interfaces=("eth1",))
    assert "run.keep_net_raw" in look("rights", live=live)[1].said
    assert "comes back" not in look("rights", live=live, run=RunSettings(keep_net_raw=True))[1].said


def test_staying_root_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert worst(look("rights", run=RunSettings(user="root"))) == "warn"
    # Where there is nobody to become, that is told already.
    assert look("rights") == []


# ---- interfaces


def test_an_interface_that_is_not_there_is_answered_with_those_there_are() -> None:
    (line,) = look("interfaces", live=LiveSettings(interfaces=("nix0",)))
    assert line.status == "fail"
    assert re.search(r"there are: .*\blo\b", line.said)


@needs_root
def test_loopback_can_be_captured() -> None:
    assert worst(look("interfaces", live=LiveSettings(interfaces=("lo",)))) == "ok"


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An interface eth1 as ``/sys`` shows it: up, with a carrier, without losses."""
    made = tmp_path / "eth1"
    (made / "statistics").mkdir(parents=True)
    for name, text in (("flags", "0x1003"), ("carrier", "1"), ("mtu", "1500"), ("statistics/rx_missed_errors", "0")):
        (made / name).write_text(text + "\n")
    monkeypatch.setattr(facts, "_NET", str(tmp_path))
    for module in ("interfaces", "offloads"):
        monkeypatch.setattr(f"sensor.check.{module}.interface_names", lambda: ["eth1", "lo"])
    monkeypatch.setattr("sensor.check.interfaces._opened", lambda *_, **__: iter(()))
    return made


@pytest.mark.parametrize(
    ("fact", "value", "status", "told"),
    [
        ("flags", "0x1003", "ok", "MTU 1500"),
        ("flags", "0x1002", "fail", "ip link set eth1 up"),
        ("carrier", "0", "warn", "cable"),
        ("mtu", "9000", "warn", "snap_octets"),
        ("statistics/rx_missed_errors", "17", "warn", "ethtool -G"),
        ("statistics/rx_fifo_errors", "1000", "warn", "1,000 frames"),
        ("flags", "no number", "fail", "up"),
    ],
)
def test_what_an_interface_lacks_is_said(fact: str, value: str, status: str, told: str, card: Path) -> None:
    (card / fact).write_text(value)
    lines = look("interfaces", live=LiveSettings(interfaces=("eth1",), snap_octets=2_000))
    assert worst(lines) == status
    assert any(told in f"{each.said} {each.fix}" for each in lines)


class Card:
    """What a driver tells."""

    def __init__(self, **told: Any) -> None:
        self.lro = self.gro = self.rx_vlan = self.ring = self.ring_most = None
        self.__dict__ |= told


@pytest.mark.parametrize(
    ("told", "snap", "status", "fix"),
    [
        ({"gro": True, "lro": False}, 262_144, "ok", ""),
        ({"gro": True, "lro": False}, 2_000, "warn", "ethtool -K eth1 gro off"),
        ({"gro": False, "lro": False}, 2_000, "ok", ""),
        ({"lro": True}, 262_144, "warn", "ethtool -K eth1 lro off"),
        ({"ring": 256, "ring_most": 4_096}, 262_144, "warn", "ethtool -G eth1 rx 4096"),
        ({"ring": 256, "ring_most": 256}, 262_144, "ok", ""),
        ({}, 262_144, "ok", ""),
    ],
)
def test_what_a_card_does_to_frames_is_judged(
    told: dict[str, Any], snap: int, status: str, fix: str, card: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sensor.check.offloads.Offloads", lambda _: Card(**told))
    lines = look("offloads", live=LiveSettings(interfaces=("eth1",), snap_octets=snap))
    assert worst(lines) == status
    assert any(fix in each.fix for each in lines)


def test_a_driver_that_tells_nothing_is_no_fault() -> None:
    """Loopback has no queue of its own, and no name but its own is asked for."""
    found = facts.Offloads("no-such-card")
    assert (found.lro, found.gro, found.rx_vlan, found.ring, found.ring_most) == (None,) * 5
    assert facts.Offloads("lo").ring is None


# ---- memory, disk and time


@pytest.mark.parametrize(
    ("available", "status"), [(None, "ok"), (1 << 30, "ok"), (200 << 20, "warn"), (100 << 20, "fail")]
)
def test_rings_are_compared_with_memory(available: int | None, status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two interfaces of a ring of 64 MiB."""
    monkeypatch.setattr(rings_check, "memory_octets", lambda: available)
    assert worst(look("rings", live=LiveSettings(interfaces=("a", "b")))) == status


def test_more_workers_than_processors_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rings_check, "memory_octets", lambda: None)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    for workers, status in ((2, "ok"), (3, "warn")):
        assert worst(look("rings", live=LiveSettings(interfaces=("a",), workers=workers))) == status


@pytest.mark.parametrize(("free", "status"), [(1 << 31, "ok"), (1 << 29, "warn"), (1 << 20, "fail")])
def test_room_is_judged(free: int, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_check, "_free", lambda _: free)
    assert worst(look("disk", store=StoreSettings(str(tmp_path / "ledger.db")))) == status


def test_spools_that_may_outgrow_the_disk_are_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_check, "_free", lambda _: 2 << 30)
    for octets, status in ((1 << 30, "ok"), (3 << 30, "warn")):
        assert worst(look("disk", alerts=AlertSettings(spool_dir=str(tmp_path), spool_octets=octets))) == status


@pytest.mark.parametrize(("kept", "status"), [(True, "ok"), (None, "ok"), (False, "warn")])
def test_a_clock_that_nobody_keeps_is_a_warning(
    kept: bool | None, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock_check, "clock_is_synchronised", lambda: kept)
    assert worst(look("clock")) == status


def test_the_kernel_says_whether_the_clock_is_kept() -> None:
    assert facts.clock_is_synchronised() in (True, False, None)


def test_octets_are_told_in_the_largest_unit() -> None:
    assert [facts.in_words(each) for each in (5, 2_048, 64 << 20, 3 << 30)] == ["5 octets", "2 KiB", "64 MiB", "3 GiB"]


# ---- files and secrets


def test_a_folder_that_lacks_is_said_with_the_command_that_makes_it(tmp_path: Path) -> None:
    path = tmp_path / "none" / "ledger.db"
    (line,) = look("files", store=StoreSettings(str(path)))
    assert line.status == "fail"
    assert line.fix.startswith("install -d -m 0700")


def test_a_file_that_others_can_read_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    for mode, status in ((0o600, "ok"), (0o640, "warn"), (0o604, "warn")):
        path.touch()
        path.chmod(mode)
        assert worst(look("files", run=RunSettings(alerts=str(path)))) == status


def test_files_of_sinks_and_spools_are_looked_at_too(tmp_path: Path) -> None:
    sink = FileSinkSettings(name="lines", path=str(tmp_path / "no" / "alerts.jsonl"))
    lines = look("files", alerts=AlertSettings(sinks=(sink,), spool_dir=str(tmp_path / "neither")))
    assert [(each.status, each.what) for each in lines] == [
        ("fail", "alerts.spool_dir"),
        ("fail", "alerts.sink lines"),
    ]


def test_standard_output_needs_no_folder() -> None:
    assert look("files", run=RunSettings(alerts="-")) == []


def webhook(**more: Any) -> AlertSettings:
    return AlertSettings(sinks=(WebhookSettings(name="hook", url="https://127.0.0.1:9/", **more),))


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("open sesame")
    for mode, status in ((0o600, "ok"), (0o640, "ok"), (0o644, "fail"), (0o602, "fail")):
        path.chmod(mode)
        lines = look("secrets", alerts=webhook(secret=SecretSource(file=str(path))))
        assert worst(lines) == status
        assert all("sesame" not in each.said for each in lines)
    lines = look("secrets", alerts=webhook(tls=TlsSettings(cert_file=str(path), key_file=str(path))))
    assert worst(lines) == "fail"


def test_a_secret_that_is_not_there_is_refused() -> None:
    sinks = webhook(token=SecretSource(variable="HOOK_TOKEN"))
    assert worst(look("secrets", alerts=sinks)) == "fail"
    assert worst(look("secrets", alerts=sinks, environment={"HOOK_TOKEN": "open sesame"})) == "ok"
    assert worst(look("secrets", alerts=webhook(secret=SecretSource(file="/no/such/file")))) == "fail"


def test_the_key_of_pseudonyms_may_lack_where_it_can_be_made(tmp_path: Path) -> None:
    path = tmp_path / "key"
    for there, status in ((str(path), "ok"), (str(tmp_path / "none" / "key"), "fail")):
        assert worst(look("secrets", privacy=PrivacySettings(key_file=there))) == status
    for mode, status in ((0o600, "ok"), (0o640, "fail"), (0o604, "fail")):
        path.write_text("0" * 64)
        path.chmod(mode)
        assert worst(look("secrets", privacy=PrivacySettings(key_file=str(path)))) == status


@pytest.mark.parametrize("text", ["", "open sesame"])
def test_a_file_without_a_key_of_pseudonyms_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(text)
    path.chmod(0o600)
    (line,) = look("secrets", privacy=PrivacySettings(key_file=str(path)))
    assert line.status == "fail"
    assert "sesame" not in line.said


def test_the_key_of_a_listener_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_text("open sesame")
    for mode, status in ((0o640, "ok"), (0o644, "fail")):
        path.chmod(mode)
        assert worst(look("secrets", relay=RelaySettings(tls_key_file=str(path)))) == status
        assert worst(look("secrets", journal=JournalSettings(key_file=str(path)))) == status


# ---- the store


def test_a_store_is_told_by_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    assert worst(look("store")) == "warn"
    assert worst(look("store", store=StoreSettings(str(path)))) == "ok"
    Database(str(path), writes=True).close()
    assert worst(look("store", store=StoreSettings(str(path)))) == "ok"
    path.write_bytes(b"no database at all, but long enough to be told from an empty one" * 40)
    assert worst(look("store", store=StoreSettings(str(path)))) == "fail"


def test_a_sealed_store_is_well_where_its_key_is_at_hand(tmp_path: Path) -> None:
    path, key = tmp_path / "ledger.db", tmp_path / "p.key"
    Database(str(path), writes=True, keys=key_ring(str(key)), sealed=True).close()
    at = StoreSettings(str(path))
    assert worst(look("store", store=at, privacy=PrivacySettings(key_file=str(key)))) == "ok"
    assert worst(look("store", store=at, privacy=PrivacySettings(key_file=str(tmp_path / "none.key")))) == "fail"


def test_a_store_in_use_is_a_warning_that_names_the_process(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Database(str(path), writes=True):
        lines = look("store", store=StoreSettings(str(path)))
    assert [each.status for each in lines] == ["warn", "ok"]
    assert f"process {os.getpid()}" in lines[0].said


def test_looking_at_a_store_leaves_its_lock_free(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    Database(str(path), writes=True).close()
    look("store", store=StoreSettings(str(path)))
    with Path(f"{path}.lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


# ---- the network


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def test_a_port_that_is_taken_is_a_warning(listener: socket.socket) -> None:
    """The running sensor is who takes it, mostly."""
    taken = f"127.0.0.1:{listener.getsockname()[1]}"
    assert worst(look("ports", web=WebSettings(listen=taken))) == "warn"


@dataclass
class Section:
    """A section of settings to come."""

    listen: str | tuple[str, ...] = ""


@dataclass
class Listeners:
    """Settings with listeners of every form."""

    web: Section
    relay: Section
    milter: Section
    sensor: str = ""


def test_every_section_that_listens_is_looked_at() -> None:
    """A relay or a milter needs no line of its own in the check."""
    addresses = ("unix:/run/mailsensor/milter.sock", "inet:[::1]:8894")
    settings = Listeners(Section(""), Section("192.0.2.1:25"), Section(addresses))
    assert list(listening(settings)) == [  # type: ignore[arg-type]
        ("relay.listen", "192.0.2.1:25"),
        ("milter.listen", "[::1]:8894"),
    ]


def test_an_address_of_another_host_would_not_work() -> None:
    assert worst(look("ports", web=WebSettings(listen="192.0.2.1:9465"))) == "fail"


@pytest.mark.parametrize(
    ("listen", "allow", "status"),
    [
        ("127.0.0.1:9465", False, "ok"),
        ("[::1]:9465", False, "ok"),
        ("0.0.0.0:9465", False, "fail"),
        ("0.0.0.0:9465", True, "warn"),
        ("", False, "ok"),
    ],
)
def test_who_can_reach_the_face_is_judged(listen: str, allow: bool, status: str) -> None:
    assert worst(look("web", web=WebSettings(listen=listen, allow_without_auth=allow))) == status


def test_a_web_config_file_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "web.yaml"
    path.write_text("basic_auth_users:\n  ann: not a hash\n")
    path.chmod(0o600)
    assert worst(look("web", web=WebSettings(config_file=str(path)))) == "fail"


def test_sinks_are_asked_only_where_that_is_wanted(listener: socket.socket) -> None:
    open_port, closed = listener.getsockname()[1], socket.create_server(("127.0.0.1", 0))
    closed_port = closed.getsockname()[1]
    closed.close()
    for port, probe, status in ((open_port, True, "ok"), (closed_port, False, "ok"), (closed_port, True, "fail")):
        sinks = (SyslogSettings(name="siem", host="127.0.0.1", port=port, transport="tcp"),)
        assert worst(look("sinks", probe=probe, alerts=AlertSettings(sinks=sinks))) == status


def test_a_sink_that_speaks_no_tls_where_it_should_is_told(listener: socket.socket) -> None:
    """Nobody answers the greeting; the check does not wait for ever."""
    listener.settimeout(0)
    sinks = (SyslogSettings(name="siem", host="127.0.0.1", port=listener.getsockname()[1], transport="tls"),)
    assert worst(look("sinks", probe=True, alerts=AlertSettings(sinks=sinks))) == "fail"


def test_alerts_that_go_nowhere_are_a_warning() -> None:
    assert worst(look("sinks")) == "warn"
    assert worst(look("sinks", run=RunSettings(alerts="alerts.jsonl"))) == "ok"


def test_captures_have_to_be_there(tmp_path: Path) -> None:
    capture = tmp_path / "monday.pcap"
    capture.touch()
    for settings, status in (
        (CaptureSettings(folder=str(tmp_path)), "ok"),
        (CaptureSettings(files=(str(capture), "-")), "ok"),
        (CaptureSettings(folder=str(capture)), "fail"),
        (CaptureSettings(folder=str(tmp_path / "none")), "fail"),
        (CaptureSettings(files=(str(tmp_path / "none.pcap"),)), "fail"),
    ):
        assert worst(look("captures", capture=settings)) == status


# ---- the MTA's log


def milter(log: Path, *, listen: bool = True) -> MilterSettings:
    return MilterSettings(listen=("unix:/run/m.sock",) if listen else (), log_path=str(log))


def test_a_log_that_the_milter_can_read_is_well(tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    assert worst(look("mta_log", milter=milter(tmp_path / "log"))) == "ok"


def test_a_log_that_is_not_there_is_a_warning_with_a_way_to_have_one(tmp_path: Path) -> None:
    (line,) = look("mta_log", milter=milter(tmp_path / "log"))
    assert (line.status, "maillog_file" in line.fix) == ("warn", True)


def test_what_is_no_log_file_is_an_error(tmp_path: Path) -> None:
    assert worst(look("mta_log", milter=milter(tmp_path))) == "fail"


@root_for("files that another user may not read")
def test_a_log_that_the_sensors_user_can_not_read_is_an_error() -> None:
    before = os.geteuid()
    with open_folder() as folder:
        (folder / "log").touch(mode=0o600)
        os.seteuid(pwd.getpwnam("nobody").pw_uid)
        try:
            (line,) = look("mta_log", milter=milter(folder / "log"))
        finally:
            os.seteuid(before)
    assert (line.status, "usermod" in line.fix) == ("fail", True)


def test_a_log_without_a_milter_is_nobodys_concern(tmp_path: Path) -> None:
    assert look("mta_log", milter=milter(tmp_path / "log", listen=False)) == []


def test_where_the_milter_keeps_its_place_in_the_log_has_to_be_writable(tmp_path: Path) -> None:
    settings = replace(milter(tmp_path / "log"), log_state=str(tmp_path / "gone" / "state"))
    assert worst(look("files", milter=settings)) == "fail"
