"""A Postfix of a test's own: its queue, log and settings in one folder, on a free port of loopback. It takes root."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import smtplib
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.running import needs
from tests.service import free_port
from tests.waiting import until

PATIENCE_S = 20.0

_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
{more}
pickup    unix  n - n 60 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
proxymap  unix  - - n - - proxymap
smtp      unix  - - n - - smtp
relay     unix  - - n - - smtp
error     unix  - - n - - error
retry     unix  - - n - - error
discard   unix  - - n - - discard
virtual   unix  - n n - - virtual
anvil     unix  - - n - 1 anvil
postlog   unix-dgram n - n - 1 postlogd
keep      unix  - n n - 4 pipe
  flags= user=nobody argv={home}/keep {home}/mails ${{queue_id}}
"""

# Mail is there under its name when it is whole.
_KEEP = """\
#!/bin/sh
cat > "$1/.$2" && mv "$1/.$2" "$1/$2"
"""

_SETTINGS = {
    "compatibility_level": "3.6",
    "myhostname": "mx.corp.example",
    "mydestination": "",
    "inet_interfaces": "127.0.0.1",
    "inet_protocols": "ipv4",
    "mynetworks": "127.0.0.0/8",
    "virtual_mailbox_domains": "corp.example",
    "virtual_mailbox_maps": "static:all",
    "virtual_minimum_uid": "1",
    "virtual_alias_maps": "",
    "local_recipient_maps": "",
    "alias_maps": "",
    "alias_database": "",
    "keep_destination_recipient_limit": "1",
    "smtpd_peername_lookup": "no",
    "smtp_dns_support_level": "disabled",
    "smtputf8_enable": "yes",
    "smtpd_delay_open_until_valid_rcpt": "yes",
    "enable_long_queue_ids": "yes",
    "maillog_file_permissions": "0644",
}


@dataclass(frozen=True, slots=True)
class Postfix:
    """
    A running one, in *folder*.

    Mail to its own domains is delivered to one mbox file, which ``stored`` gives; with ``virtual_transport = keep:`` to
    a file each, which ``delivered`` gives.
    """

    folder: Path
    port: int

    @property
    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text(errors="backslashreplace") if path.exists() else ""

    @contextmanager
    def client(self, helo: str = "client.example") -> Iterator[smtplib.SMTP]:
        with smtplib.SMTP("127.0.0.1", self.port, helo, timeout=PATIENCE_S) as client:
            client.ehlo()
            yield client

    def submit(self, mail: bytes, *, sender: str, to: str) -> None:
        """As a local program does, by the sendmail command."""
        command = [needs("sendmail", "postfix"), "-C", str(self.folder / "etc"), "-f", sender, to]
        subprocess.run(command, input=mail.replace(b"\r\n", b"\n"), check=True, timeout=PATIENCE_S)

    def stored(self) -> bytes:
        """All mail that was delivered, in mbox form."""
        path = self.folder / "mails" / "all"
        return path.read_bytes() if path.exists() else b""

    def delivered(self, queue_id: str) -> bytes:
        """The mail of that queue id, once it was delivered."""
        path = self.folder / "mails" / queue_id
        self.wait_for(path.exists, f"{queue_id} is delivered")
        return path.read_bytes()

    def on_hold(self, queue_id: str) -> bool:
        return any((self.folder / "queue" / "hold").rglob(queue_id))

    def until(self, text: str, times: int = 1) -> None:
        """Wait for the log to tell of something."""
        self.wait_for(lambda: self.log.count(text) >= times, f"{text!r} is in the log {times} times")

    def wait_for(self, holds: Callable[[], bool], what: str) -> None:
        until(holds, what, so_far=lambda: self.log[-4_000:])

    def run(self, verb: str) -> None:
        command = [needs("postfix", "postfix"), "-c", str(self.folder / "etc"), verb]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
        assert ended.returncode == 0, ended.stderr + self.log


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that Postfix's processes may look into; pytest's own are closed to them."""
    with tempfile.TemporaryDirectory(prefix="mailsensor-postfix-") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


@contextmanager
def postfix(
    changes: Mapping[str, str] | None = None, more: str = "", *, folder: Path | None = None
) -> Iterator[Postfix]:
    """
    One with the *changes* to its settings, and *more* lines of master.cf.

    *folder*, by default one of its own that is gone afterwards, has to be open to all users, as pytest's are not.
    """
    needs("postfix", "postfix")
    if os.geteuid() != 0:
        pytest.skip("Postfix is run as root: run the tests as root")
    with open_folder() as own:
        server = Postfix(folder or own, free_port())
        _furnish(server, changes or {}, more)
        server.run("start")
        try:
            yield server
        finally:
            server.run("abort")


def _furnish(server: Postfix, changes: Mapping[str, str], more: str) -> None:
    """Its folders and files."""
    home, receiver = server.folder, pwd.getpwnam("nobody")
    for name in ("etc", "queue", "data", "mails"):
        (home / name).mkdir(parents=True)
    shutil.chown(home / "data", "postfix", "postfix")
    shutil.chown(home / "mails", receiver.pw_uid)
    (home / "keep").write_text(_KEEP)
    (home / "keep").chmod(0o755)
    settings = {
        **_SETTINGS,
        "queue_directory": str(home / "queue"),
        "data_directory": str(home / "data"),
        "maillog_file": str(home / "log"),
        "maillog_file_prefixes": str(home),
        "virtual_mailbox_base": str(home / "mails"),
        "virtual_uid_maps": f"static:{receiver.pw_uid}",
        "virtual_gid_maps": f"static:{receiver.pw_gid}",
        **changes,
    }
    (home / "etc" / "main.cf").write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
    (home / "etc" / "master.cf").write_text(_MASTER.format(port=server.port, more=more, home=home))


def snippet(path: Path) -> dict[str, str]:
    """The settings of a piece of main.cf as it is shipped."""
    lines = path.read_text().splitlines()
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def queue_id_of(reply: str) -> str:
    """The queue id in the reply to a mail that was taken."""
    found = re.search(r"queued as (\S+)", reply)
    assert found, reply
    return found[1]
