"""A real Postfix, set up by the snippets that are shipped, hands its copies to the journal."""

from __future__ import annotations

import os
import shutil
import smtplib
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.running import ROOT, needs
from tests.service import free_port
from tests.taps.journal.samples import ORIGINAL
from tests.taps.journal.serving import Serving, serving

PATIENCE_S = 20.0
SNIPPETS = ROOT / "deploy" / "postfix"

# Postfix hands its copies over, and throws the mail itself away.
_MAIN = """\
compatibility_level = 3.6
myhostname = mx.corp.example
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
smtp_dns_support_level = disabled
relay_domains = corp.example
relay_transport = discard:
default_transport = discard:
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
minimal_backoff_time = 1s
maximal_backoff_time = 1s
queue_run_delay = 1s
"""
_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 1 1 qmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
proxymap  unix - - n - - proxymap
smtp      unix - - n - - smtp
error     unix - - n - - error
retry     unix - - n - - error
discard   unix - - n - - discard
anvil     unix - - n - 1 anvil
postlog   unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True)
class Postfix:
    folder: Path
    port: int

    def command(self, verb: str) -> None:
        command = [shutil.which("postfix") or "postfix", "-c", str(self.folder / "etc"), verb]
        ended = subprocess.run(command, check=False, capture_output=True, timeout=30)
        assert ended.returncode == 0, (ended.stderr.decode(), self.log)

    def send(self, *to: str, sender: str = "sue@other.example") -> None:
        with smtplib.SMTP("127.0.0.1", self.port, "client.example", timeout=PATIENCE_S) as client:
            client.sendmail(sender, to, ORIGINAL)

    @property
    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text(errors="backslashreplace") if path.exists() else ""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the queue's processes get to: those of pytest are shut to other users whenever one more starts."""
    with tempfile.TemporaryDirectory(prefix="mailsensor-postfix-") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


@contextmanager
def postfix(folder: Path, settings: str) -> Iterator[Postfix]:
    needs("postfix", "postfix")
    if os.geteuid() != 0:
        pytest.skip("a Postfix is run: that takes root")
    own = Postfix(folder, free_port())
    for name in ("etc", "queue", "data"):
        (folder / name).mkdir()
    shutil.chown(folder / "data", "postfix", "postfix")
    (folder / "etc" / "master.cf").write_text(_MASTER.format(port=own.port))
    (folder / "etc" / "main.cf").write_text(_MAIN.format(folder=folder) + settings)
    own.command("start")
    try:
        until(lambda: _answers(own.port), "an answer")
        yield own
    finally:
        own.command("abort")


def _answers(port: int) -> bool:
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=1):
            return True
    except OSError:
        return False


def until(holds: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, f"{what} did not come true"
        time.sleep(0.05)


def shipped(port: int) -> str:
    """The snippet, with the table where it stands and the port of the test."""
    text = (SNIPPETS / "journal.cf").read_text()
    return text.replace("/etc/postfix/", f"{SNIPPETS}/").replace(":2525", f":{port}")


def taken(served: Serving, mails: int) -> list[tuple[str, list[str]]]:
    until(lambda: len(served.events) >= mails, f"{mails} mails")
    seen: list[Any] = list(served.events)
    return sorted((each.reverse_path, sorted(path.address for path in each.forward_paths)) for each in seen)


def test_copies_name_the_recipients_of_the_mail(folder: Path) -> None:
    with serving(addresses=("sensor.internal",)) as served, postfix(folder, shipped(served.tap.address[1])) as mta:
        mta.send("ann@corp.example", "Eve+x=1@corp.example")
        mta.send("sue@other.example", sender="ann@corp.example")
        # Copies of one mail come in one transaction.
        assert taken(served, 2) == [
            ("ann@corp.example", ["sue@other.example"]),
            ("sue@other.example", ["Eve+x=1@corp.example", "ann@corp.example"]),
        ]
        assert served.counters["form_bcc"] == 2


def test_mail_goes_on_while_the_journal_is_away_and_copies_come_when_it_is_back(folder: Path) -> None:
    port = free_port()
    with postfix(folder, shipped(port)) as mta:
        mta.send("ann@corp.example")
        until(lambda: "status=deferred" in mta.log and "to=<ann@corp.example>" in mta.log, "both legs")
        with serving(addresses=("sensor.internal",), listen=f"127.0.0.1:{port}") as served:
            assert taken(served, 1) == [("sue@other.example", ["ann@corp.example"])]
        assert "status=bounced" not in mta.log


def test_always_bcc_names_the_recipient_of_mail_to_one_alone(folder: Path) -> None:
    with serving(addresses=("sensor.internal",)) as served:
        transport = f"inline:{{ {{ sensor.internal = smtp:[127.0.0.1]:{served.tap.address[1]} }} }}"
        settings = f"always_bcc = journal@sensor.internal\ntransport_maps = {transport}\n"
        with postfix(folder, settings) as mta:
            mta.send("ann@corp.example")
            mta.send("ann@corp.example", "eve@corp.example")
            assert taken(served, 2) == [("sue@other.example", []), ("sue@other.example", ["ann@corp.example"])]
        assert (served.counters["form_bcc"], served.counters["recipient_lost"]) == (1, 1)
