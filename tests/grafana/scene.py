"""
Two sensors that see mail, and a Prometheus that scrapes them by the sample settings: what dashboards are tried on.

One sensor reads a folder into which captures are put while it is scraped, and an interface on which mail is sent; it
writes records, keeps a store, and tells a file and a receiver that is dead. The other has read one capture, and stands
in line: a mail passes through its relay, one is shown to its milter.
"""

from __future__ import annotations

import os
import shutil
import smtplib
import socket
import subprocess
import time
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.builders import Capture, Dialogue, capture, lines
from tests.mailserver import mail_server
from tests.running import ROOT, needs
from tests.service import SIEVE, Service, free_port, running
from tests.taps.milter import packets

PROMETHEUS = ROOT / "deploy" / "prometheus"
FAY = "fay@corp.example"
LATER = ROOT / "pcaps" / "lab_sieve_redirect_srs" / "input.pcap"
"""One more forward of Fay, who has series by then."""

ROUNDS = 3
"""Batches of captures, some scrapes apart, so that every counter rises between two scrapes."""

Series = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running one, asked over its API."""

    server: Service

    def ask(self, expr: str) -> Series:
        """What *expr* gives now. Raises where it is no PromQL."""
        answer = self.server.ask("/api/v1/query?" + urllib.parse.urlencode({"query": expr}))
        assert answer.status == 200, (expr, answer.text)
        result: Series = answer.json["data"]["result"]
        return result

    def alerts(self) -> set[str]:
        """The names of the alerts that are pending or fire."""
        return {each["labels"]["alertname"] for each in self.server.ask("/api/v1/alerts").json["data"]["alerts"]}


@contextmanager
def prometheus(folder: Path, sensors: Sequence[Service]) -> Iterator[Prometheus]:
    """One with the sample settings and rules, but that it scrapes *sensors*, every second, and tells nobody."""
    program = needs("prometheus", "prometheus")
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(PROMETHEUS / each) for each in config["rule_files"]]
    del config["alerting"]
    (job,) = config["scrape_configs"]
    job["static_configs"] = [{"targets": [f"127.0.0.1:{each.port}" for each in sensors]}]
    path, log_path, port = folder / "prometheus.yml", folder / "prometheus.log", free_port()
    path.write_text(yaml.safe_dump(config))
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [
                program, f"--config.file={path}", f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log, stderr=log,
        )  # fmt: skip
    server = Service(process, port, path, log_path)
    try:
        server.until(lambda: _is_ready(server), "Prometheus")
        yield Prometheus(server)
    finally:
        process.terminate()
        process.wait()


def _is_ready(server: Service) -> bool:
    try:
        return server.ask("/-/ready").status == 200
    except OSError:
        return False


def refused_forward() -> Capture:
    """The report that a rule's forward was refused because forwarding is forbidden."""
    report = lines(
        "From: postmaster@corp.example", "To: bill@shop.example", "Subject: Undeliverable: Offer", "MIME-Version: 1.0",
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b", "", "--b",
        "Content-Type: text/plain", "", "5.7.520 Access denied, Your organization does not allow external forwarding.",
        "--b", "Content-Type: message/rfc822", "", "From: bill@shop.example", "To: lea@corp.example",
        "Subject: Offer", "", "Buy.", "--b--",
    )  # fmt: skip
    sent = Dialogue().greet("EHLO eur05-vi1-obe.outbound.protection.outlook.com").envelope("", "bill@shop.example")
    return capture(sent.data(report).quit().flow())


def _send_mail(port: int) -> None:
    with smtplib.SMTP("127.0.0.1", port, local_hostname="a.example", timeout=10) as client:
        client.sendmail("ann@a.example", ["bob@corp.example"], b"Subject: live\r\n\r\nHi\r\n")


IN_LINE = (
    f'[capture]\nfiles = ["{SIEVE}"]\n[milter]\nlisten = ["inet:127.0.0.1:{{milter}}"]\n'
    '[relay]\nlisten = "127.0.0.1:{relay}"\nnext_hop = "127.0.0.1:{next_hop}"\n'
)


def _show_mail(port: int) -> None:
    """As an MTA shows a milter a mail."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as milter:
        milter.sendall(packets.offer() + packets.connect() + packets.helo() + packets.a_mail() + packets.QUIT)
        while milter.recv(4_096):
            continue


def _settings(folder: Path, captures: Path, mail_port: int) -> str:
    return (
        f'path = "{folder / "ledger.db"}"\n'
        f'[run]\nrecords = "{folder / "records.jsonl"}"\n'
        f'[capture]\nfolder = "{captures}"\nsettle_s = 0\n'
        f'[live]\ninterfaces = ["lo"]\nports = [{mail_port}]\n'
        "[privacy]\nclear_labels = true\n"
        f'[alerts]\nspool_dir = "{folder / "spool"}"\n'
        f'[[alerts.sink]]\ntype = "jsonl"\npath = "{folder / "alerts.jsonl"}"\n'
        f'[[alerts.sink]]\ntype = "webhook"\nname = "dead"\nurl = "http://127.0.0.1:{free_port()}/"\n'
    )


@contextmanager
def scene(folder: Path) -> Iterator[Prometheus]:
    """All of it, when every capture was read and the top mailboxes have been chosen. Capturing takes root."""
    if os.geteuid() != 0:
        pytest.skip("capturing takes root, or CAP_NET_RAW")
    one, other, captures = folder / "one", folder / "other", folder / "captures"
    relay, milter = free_port(), free_port()
    for each in (one, other, captures):
        each.mkdir()
    with (
        mail_server() as mail_port,
        running(one, _settings(one, captures, mail_port)) as sensor,
        running(other, IN_LINE.format(milter=milter, relay=relay, next_hop=mail_port)) as second,
        prometheus(folder, (sensor, second)) as seen,
    ):
        until(lambda: len(seen.ask("mailsensor_build_info")) == 2, "both sensors are scraped")
        refused_forward().write(captures / "refused.pcap")
        inputs = [path for path in sorted((ROOT / "pcaps").glob("*/input.*")) if path != LATER]
        for number in range(ROUNDS):
            for path in inputs[number::ROUNDS]:
                shutil.copy(path, captures / f"{number}-{path.parent.name}-{path.name}")
            _send_mail(relay)
            _show_mail(milter)
            _send_mail(mail_port)
            time.sleep(3)
        own = f'mailsensor_mailbox_forwards_total{{mailbox="{FAY}",instance="127.0.0.1:{sensor.port}"}}'
        until(lambda: bool(seen.ask(f"{own} > 0")), "a mailbox has series")
        shutil.copy(LATER, captures / "later.pcap")
        until(lambda: bool(seen.ask(f"increase({own}[1m]) > 0")), "it forwards again")
        yield seen


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait until something holds."""
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, f"it never came true that {what}"
        time.sleep(0.3)
