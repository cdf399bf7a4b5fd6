"""``mailsensor run`` as a service manager and a scraper meet it: a real process over real captures."""

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.netns import namespace
from tests.running import ROOT, mailsensor, needs
from tests.service import SIEVE, Service, free_port, running, settings_text

OTHER = ROOT / "pcaps" / "lab_dot_forward" / "input.pcap"


def has_read(service: Service, mails: int = 1) -> bool:
    return service.metric("mailsensor_transactions_total") >= mails


def test_a_scrape_shows_what_was_read(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        service.until(lambda: has_read(service, 4), "four mails")
        assert service.metric("mailsensor_transactions_total", direction="outbound", outcome="delivered") == 2
        assert service.metric("mailsensor_forwards_total", kind="auto_only", level="user", scope="external") == 1
        assert service.metric("mailsensor_capture_frames_total", worker="files") > 0
        assert service.metric("mailsensor_worker_up", worker="files") == 1
        assert service.ask("/-/healthy").status == 200
        assert service.ask("/-/ready").text == "ok\n"
        assert service.end() == 0


def test_what_it_says_passes_promtool(tmp_path: Path) -> None:
    promtool = needs("promtool", "prometheus")
    with running(tmp_path) as service:
        service.until(lambda: has_read(service), "mail")
        text = service.ask("/metrics").body
    done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_openmetrics_is_given_where_it_is_asked_for(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        answer = service.ask("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
        assert answer.headers["content-type"].startswith("application/openmetrics-text")
        assert answer.text.endswith("# EOF\n")
        assert service.ask("/metrics").headers["content-type"].startswith("text/plain; version=0.0.4")


def test_prometheus_scrapes_it(tmp_path: Path) -> None:
    prometheus = needs("prometheus", "prometheus")
    with running(tmp_path) as service:
        config = tmp_path / "prometheus.yml"
        config.write_text(
            "scrape_configs:\n- job_name: mailsensor\n  scrape_interval: 1s\n  static_configs:\n"
            f'  - targets: ["127.0.0.1:{service.port}"]\n'
        )
        port = free_port()
        with (tmp_path / "prometheus.log").open("wb") as log:
            server = subprocess.Popen(
                [
                    prometheus,
                    f"--config.file={config}",
                    f"--storage.tsdb.path={tmp_path / 'tsdb'}",
                    f"--web.listen-address=127.0.0.1:{port}",
                ],
                stdout=log,
                stderr=log,
            )
        try:
            asked = Service(server, port, config, tmp_path / "prometheus.log")
            query = "/api/v1/query?query=sum(mailsensor_forwards_total)"
            asked.until(lambda: _value(asked, query) == "1", "the scrape")
            up = asked.ask("/api/v1/targets").json["data"]["activeTargets"][0]
            assert (up["health"], up["lastError"]) == ("up", "")
        finally:
            server.terminate()
            server.wait()


def _value(prometheus: Service, query: str) -> str | None:
    try:
        found = prometheus.ask(query)
    except OSError:
        return None
    result = found.json["data"]["result"] if found.status == 200 else []
    return result[0]["value"][1] if result else None


# ---- signals and saving


def test_sigterm_saves_and_the_next_process_goes_on(tmp_path: Path) -> None:
    store = f'path = "{tmp_path / "ledger.db"}"\n'
    folder = tmp_path / "captures"
    folder.mkdir()
    shutil.copy(SIEVE, folder / "1.pcap")
    more = f'{store}[capture]\nfolder = "{folder}"\nsettle_s = 0'
    with running(tmp_path, more) as service:
        service.until(lambda: has_read(service, 4), "four mails")
        assert service.end() == 0
    assert _forwards(tmp_path) == 1
    with running(tmp_path, more) as service:
        shutil.copy(OTHER, folder / "2.pcap")
        service.until(lambda: has_read(service), "the new capture")
        assert service.end() == 0
    assert _forwards(tmp_path) >= 1
    with sqlite3.connect(tmp_path / "ledger.db") as database:
        assert database.execute("SELECT count(*) FROM capture").fetchone() == (2,)


def test_a_killed_sensor_counts_nothing_twice(tmp_path: Path) -> None:
    folder = tmp_path / "captures"
    folder.mkdir()
    shutil.copy(SIEVE, folder / "1.pcap")
    more = f'path = "{tmp_path / "ledger.db"}"\n[capture]\nfolder = "{folder}"\nsettle_s = 0'
    for _ in range(3):
        with running(tmp_path, more) as service:
            service.until(lambda: service.metric("mailsensor_store_saves_total", result="good") >= 1, "a save")
            service.end(signal.SIGKILL)
    assert _forwards(tmp_path) == 1


def _forwards(folder: Path) -> int:
    ended = mailsensor("report", "mailboxes", "--store", folder / "ledger.db", "--format", "json")
    return sum(json.loads(line)["auto_only"] for line in ended.out.splitlines())


def test_alerts_and_records_are_written_and_the_api_knows_them(tmp_path: Path) -> None:
    more = f'[run]\nrecords = "records.jsonl"\nalerts = "alerts.jsonl"\n[capture]\nfiles = ["{SIEVE}"]'
    with running(tmp_path, more) as service:
        service.until(lambda: service.ask("/api/v1/alerts").json["total"] > 0, "an alert")
        alert = service.ask("/api/v1/alerts?status=firing&limit=1").json["items"][0]
        evidence = alert["evidence"]["links"][0]["exhibit"]["transaction_id"]
        record = service.ask(f"/api/v1/transactions/{evidence}").json
        assert service.end() == 0
    assert [json.loads(line)["id"] for line in (tmp_path / "alerts.jsonl").read_text().splitlines()].count(alert["id"])
    lines = [json.loads(line) for line in (tmp_path / "records.jsonl").read_text().splitlines()]
    assert record in lines
    assert (tmp_path / "records.jsonl").stat().st_mode & 0o777 == 0o600


def test_systemd_is_told(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        changes = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"}
        with running(tmp_path, changes=changes) as service:
            assert manager.recv(100) == b"READY=1"
            assert manager.recv(100) == b"WATCHDOG=1"
            assert manager.recv(100) == b"WATCHDOG=1"
            assert service.end() == 0
        told = manager.recv(100)
        while told == b"WATCHDOG=1":
            told = manager.recv(100)
        assert told == b"STOPPING=1"


# ---- reloading


def change(service: Service, more: str, *, web: str = "") -> None:
    service.settings.write_text(settings_text(service.port, more, web=web))


def test_a_changed_settings_file_is_applied_on_sighup(tmp_path: Path) -> None:
    capture = f'[capture]\nfiles = ["{SIEVE}"]\n'
    with running(tmp_path, capture) as service:
        service.until(lambda: service.metric("mailsensor_alerts_firing") > 0, "an alert")
        before = service.metrics()
        change(service, f'{capture}[alerts]\nmin_severity = "critical"\n[detect.new_forwarder]\nenabled = false')
        service.send(signal.SIGHUP)
        service.until(lambda: service.metric("mailsensor_settings_reloads_total", result="applied") == 1, "the reload")
        applied_at = time.time()
        service.until(lambda: service.metric("mailsensor_published_timestamp_seconds") > applied_at, "the counts after")
        after = service.metrics()
        assert "settings_reloaded" in service.log
        assert after["mailsensor_settings_reload_successful"] == 1
        # The states went over: what fired fires, what was counted stays counted.
        firing = [name for name in before if name.startswith("mailsensor_alerts_firing")]
        assert {name: after[name] for name in firing} == {name: before[name] for name in firing}
        assert service.ask("/api/v1/mailboxes").json["total"] > 0
        gone_back = [name for name in before if name.endswith("_total") and after.get(name, 0) < before[name]]
        assert gone_back == []


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("[alerts]\nmin_severity = 'loud'", "min_severity"),
        ("[limits\n", "not TOML"),
        ("[sensor]\nname = 'another'", "sensor.name: can't change while the sensor runs"),
        ("[run]\nrecords = '/nonexistent/records'", "/nonexistent/records"),
    ],
)
def test_a_settings_file_that_is_wrong_is_refused_whole(tmp_path: Path, more: str, words: str) -> None:
    capture = f'[capture]\nfiles = ["{SIEVE}"]\n'
    with running(tmp_path, capture, web="allow_reload = true") as service:
        service.until(lambda: has_read(service, 4), "four mails")
        change(service, f"{capture}{more}", web="allow_reload = true")
        answer = service.ask("/-/reload", method="POST")
        assert answer.status == 400
        assert words in answer.text
        service.until(lambda: service.metric("mailsensor_settings_reloads_total", result="refused") == 1, "the count")
        assert service.metric("mailsensor_settings_reload_successful") == 0
        assert service.ask("/-/ready").status == 200
        assert service.end() == 0


def test_a_reload_over_http_has_to_be_allowed(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        assert service.ask("/-/reload", method="POST").status == 403
        assert service.ask("/-/reload").status == 405


def test_a_source_can_be_added_while_it_runs(tmp_path: Path) -> None:
    folder = tmp_path / "captures"
    folder.mkdir()
    shutil.copy(OTHER, folder)
    capture = f'[capture]\nfiles = ["{SIEVE}"]\n'
    with running(tmp_path, capture, web="allow_reload = true") as service:
        service.until(lambda: has_read(service, 4), "four mails")
        change(service, f'{capture}folder = "{folder}"\nsettle_s = 0', web="allow_reload = true")
        assert service.ask("/-/reload", method="POST").status == 200
        service.until(lambda: has_read(service, 5), "the mail of the folder")
        assert service.metric("mailsensor_worker_up", worker="folder") == 1


# ---- what is refused at the start


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("", "nothing to read"),
        ('[capture]\nfiles = ["nowhere.pcap"]', "nowhere.pcap: no such file"),
        ('[capture]\nfolder = "nowhere"', "nowhere: no such file"),
        (f'[capture]\nfiles = ["{SIEVE}"]\n[privacy]\nkey_file = "/nonexistent/key"', "/nonexistent/key"),
        (f'[capture]\nfiles = ["{SIEVE}"]\n[run]\nalerts_format = "loud"', "jsonl, ocsf"),
    ],
)
def test_what_can_not_be_run_is_told(tmp_path: Path, more: str, words: str) -> None:
    (tmp_path / "s.toml").write_text(settings_text(free_port(), more))
    ended = mailsensor("run", "--config", tmp_path / "s.toml", cwd=tmp_path)
    assert ended.status == 1
    assert words in ended.words
    assert "Traceback" not in ended.words


def test_others_are_not_let_in_without_a_password(tmp_path: Path) -> None:
    text = settings_text(free_port(), f'[capture]\nfiles = ["{SIEVE}"]').replace("127.0.0.1", "0.0.0.0")  # noqa: S104 - that is what is refused
    (tmp_path / "s.toml").write_text(text)
    ended = mailsensor("run", "--config", tmp_path / "s.toml")
    assert ended.status == 1
    assert "basic_auth_users" in ended.words


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("k" * 40)
    key.chmod(0o644)
    (tmp_path / "s.toml").write_text(
        settings_text(free_port(), f'[capture]\nfiles = ["{SIEVE}"]\n[privacy]\nkey_file = "{key}"')
    )
    ended = mailsensor("run", "--config", tmp_path / "s.toml")
    assert ended.status == 1
    assert "chmod 600" in ended.words


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        (tmp_path / "s.toml").write_text(settings_text(taken.getsockname()[1], f'[capture]\nfiles = ["{SIEVE}"]'))
        ended = mailsensor("run", "--config", tmp_path / "s.toml")
    assert ended.status == 1
    assert "in use; `ss -ltnp` tells which program listens there" in ended.words


def settled_descriptors(pid: int) -> int:
    """Open descriptors of a process: the fewest of some looks, since a connection just served may still be closing."""
    looks = []
    for _ in range(20):
        looks.append(sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()))
        time.sleep(0.02)
    return min(looks)


def test_no_file_descriptor_is_left_over_by_reloads(tmp_path: Path) -> None:
    capture = f'[capture]\nfiles = ["{SIEVE}"]\n[run]\nrecords = "records.jsonl"\n'
    with running(tmp_path, capture, web="allow_reload = true") as service:
        service.until(lambda: has_read(service, 4), "four mails")
        counts = []
        for number in range(4):
            change(service, f"{capture}drain_s = {number + 1}", web="allow_reload = true")
            assert service.ask("/-/reload", method="POST").status == 200
            counts.append(settled_descriptors(service.process.pid))
        assert counts[-1] <= counts[0]


def test_an_interface_is_captured_while_it_is_scraped(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("capturing takes root, or CAP_NET_RAW")
    with running(tmp_path, '[live]\ninterfaces = ["lo"]\nports = [2525]') as service:
        with socket.create_server(("127.0.0.1", 0)) as other, socket.create_connection(other.getsockname()):
            service.until(lambda: service.metric("mailsensor_interface_up", interface="lo") == 1, "the interface")
        assert service.metric("mailsensor_worker_up", worker="live") == 1
        assert service.metric("mailsensor_interface_dropped_total", interface="lo") == 0
        assert service.ask("/-/ready").status == 200
        assert service.end() == 0


def test_it_is_not_ready_while_an_interface_is_away(tmp_path: Path) -> None:
    with namespace() as net, ExitStack() as ending:
        net.veth("a0", "b0")
        service = net.call(lambda: ending.enter_context(running(tmp_path, '[live]\ninterfaces = ["b0"]\n')))

        def told() -> str:
            return net.call(lambda: service.ask("/-/ready").text)

        service.until(lambda: told() == "ok\n", "that it captures")
        net.ip("link", "set", "b0", "down")
        service.until(lambda: told() == "live: b0 is down\n", "that it is down")
        net.ip("link", "del", "b0")
        service.until(lambda: "live: b0: no such interface" in told(), "that it is gone")
        assert net.call(lambda: service.ask("/-/ready").status) == 503
        assert net.call(lambda: service.ask("/-/healthy").status) == 200
