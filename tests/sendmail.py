"""A Sendmail of a test's own: its queue and settings in one folder, on a free port of loopback. It takes root."""

from __future__ import annotations

import re
import smtplib
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.running import ROOT, lacking, needs
from tests.service import free_port
from tests.waiting import until

PATIENCE_S = 30.0

# Both can't be installed: the Makefile unpacks this one. Its rules for m4 stand beside it.
_UNPACKED = ROOT / ".build" / "beside" / "usr"
_PROGRAM = _UNPACKED / "libexec" / "sendmail" / "sendmail"
_RULES = _UNPACKED / "share" / "sendmail" / "cf"

# All mail goes to a program that keeps it: with $u among its arguments it is given the mail, without it would be spoken
# SMTP with. The load of a machine that tests is no reason to put mail off.
_SETTINGS = """\
divert(0)dnl
include(`{rules}/m4/cf.m4')dnl
OSTYPE(`linux')dnl
define(`confDOMAIN_NAME', `mx.corp.example')dnl
define(`confPID_FILE', `{home}/pid')dnl
define(`confSERVICE_SWITCH_FILE', `{home}/switch')dnl
define(`confTO_IDENT', `0')dnl
define(`confQUEUE_LA', `10000')dnl
define(`confREFUSE_LA', `10000')dnl
define(`QUEUE_DIR', `{home}/queue')dnl
define(`STATUS_FILE', `{home}/statistics')dnl
define(`ALIAS_FILE', `')dnl
define(`SMART_HOST', `keep:all')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`promiscuous_relay')dnl
FEATURE(`nocanonify')dnl
FEATURE(`no_default_msa')dnl
DAEMON_OPTIONS(`Family=inet, Name=MTA, Port={port}, Addr=127.0.0.1')dnl
{more}
MAILER_DEFINITIONS
MAILER(`smtp')dnl
Mkeep, P={home}/keep, F=nSu, A=keep {home}/mails $i $u
"""

# Mail is there under its name when it is whole.
_KEEP = """\
#!/bin/sh
cat > "$1/.$2" && mv "$1/.$2" "$1/$2"
"""

# Sendmail waits a minute for a machine's name to have a dot. In namespaces of its own it has one.
_START = """\
mount --bind {home}/hosts /etc/hosts
echo mx.corp.example > /proc/sys/kernel/hostname
exec {program} -bD -C {home}/sendmail.cf
"""


@dataclass(frozen=True, slots=True)
class Sendmail:
    """A running one, in *folder*. Mail to anybody is kept, a file each."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def said(self) -> str:
        return (self.folder / "said").read_text(errors="backslashreplace")

    @contextmanager
    def client(self, helo: str = "client.example") -> Iterator[smtplib.SMTP]:
        with smtplib.SMTP("127.0.0.1", self.port, helo, timeout=PATIENCE_S) as client:
            client.ehlo()
            yield client

    def delivered(self, queue_id: str) -> bytes:
        """The mail of that queue id, once it was delivered."""
        path = self.folder / "mails" / queue_id
        self.wait_for(path.exists, f"{queue_id} is delivered")
        return path.read_bytes()

    def quarantined(self, queue_id: str) -> bool:
        """Whether it is held; Sendmail calls its file another name then."""
        return (self.folder / "queue" / f"hf{queue_id}").exists()

    def wait_for(self, holds: Callable[[], bool], what: str) -> None:
        def holds_while_it_runs() -> bool:
            assert self.process.poll() is None, f"Sendmail ended\n{self.said}"
            return holds()

        until(holds_while_it_runs, what, so_far=lambda: self.said)


@contextmanager
def root_folder() -> Iterator[Path]:
    """A folder that nobody but its owner writes to, nor to those above it: elsewhere Sendmail connects to no socket."""
    with tempfile.TemporaryDirectory(prefix="mailsensor-sendmail-", dir="/run") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


@contextmanager
def sendmail(folder: Path, more: str) -> Iterator[Sendmail]:
    """One in *folder*, made by ``root_folder``, with *more* lines of sendmail.mc."""
    if not _PROGRAM.exists():
        lacking("Sendmail is not unpacked: make .build/done/sendmail")
    port = free_port()
    _furnish(folder, port, more)
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(
            [needs("unshare", "util-linux"), "--uts", "--mount", needs("sh", "dash"), "-e", str(folder / "start")],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
    server = Sendmail(folder, port, process)
    try:
        server.wait_for((folder / "pid").exists, "Sendmail serves")
        yield server
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def _furnish(folder: Path, port: int, more: str) -> None:
    """Its folders and files."""
    for name in ("queue", "mails"):
        (folder / name).mkdir(mode=0o700)
    files = {
        "keep": _KEEP,
        "hosts": "127.0.0.1 mx.corp.example localhost\n",
        "switch": "hosts files\n",
        "start": _START.format(home=folder, program=_PROGRAM),
        "sendmail.mc": _SETTINGS.format(home=folder, rules=_RULES, port=port, more=more),
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    (folder / "keep").chmod(0o755)
    made = subprocess.run(
        [needs("m4", "m4"), f"-D_CF_DIR_={_RULES}/", str(folder / "sendmail.mc")],
        capture_output=True,
        check=True,
        timeout=PATIENCE_S,
    )
    (folder / "sendmail.cf").write_bytes(made.stdout)


def queue_id_of(reply: str) -> str:
    """The queue id in the reply to a mail that was taken."""
    found = re.search(r"2\.0\.0 (\S+) Message accepted", reply)
    assert found, reply
    return found[1]
