"""A Postfix of the test's own: its queue, its log and its ports, on 127.0.0.1; gone after it. It takes root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.running import needs
from tests.service import free_port

_MASTER = """\
127.0.0.1:{port} inet  n - n - - smtpd
{more}
cleanup    unix  n - n - 0 cleanup
qmgr       unix  n - n 300 1 qmgr
tlsmgr     unix  - - n 1000? 1 tlsmgr
rewrite    unix  - - n - - trivial-rewrite
bounce     unix  - - n - 0 bounce
defer      unix  - - n - 0 bounce
trace      unix  - - n - 0 bounce
proxymap   unix  - - n - - proxymap
smtp       unix  - - n - - smtp
relay      unix  - - n - - smtp
error      unix  - - n - - error
retry      unix  - - n - - error
discard    unix  - - n - - discard
virtual    unix  - n n - - virtual
anvil      unix  - - n - 1 anvil
postlog    unix-dgram n - n - 1 postlogd
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
    "virtual_uid_maps": "static:{user}",
    "virtual_gid_maps": "static:{group}",
    "virtual_minimum_uid": "1",
    "virtual_alias_maps": "",
    "local_recipient_maps": "",
    "alias_maps": "",
    "alias_database": "",
    "smtpd_peername_lookup": "no",
    "smtp_dns_support_level": "disabled",
    "smtputf8_enable": "yes",
    "smtpd_delay_open_until_valid_rcpt": "yes",
    "maillog_file_permissions": "0644",
}


@dataclass(frozen=True, slots=True)
class Postfix:
    """A running one. Mail to corp.example is delivered to a mbox file, ``stored`` gives what is in it."""

    port: int
    folder: Path

    @property
    def log(self) -> str:
        path = self.folder / "maillog"
        return path.read_text(errors="backslashreplace") if path.exists() else ""

    def stored(self) -> bytes:
        """All mail that was delivered, in mbox form."""
        path = self.folder / "mail" / "all"
        return path.read_bytes() if path.exists() else b""

    def until(self, text: str, times: int = 1, patience_s: float = 20) -> None:
        """Wait for the log to tell of something."""
        end = time.monotonic() + patience_s
        while self.log.count(text) < times:
            assert time.monotonic() < end, f"{text!r} is not in the log:\n{self.log[-4000:]}"
            time.sleep(0.02)


@contextmanager
def postfix(folder: Path, changes: Mapping[str, str] | None = None, more: str = "") -> Iterator[Postfix]:
    """One with the *changes* to its settings, and *more* lines of master.cf."""
    program = needs("postfix", "postfix")
    if os.geteuid() != 0:
        pytest.skip("Postfix is run as root: run the tests as root")
    owner = pwd.getpwnam("postfix")
    port = free_port()
    # Postfix goes by users that may not reach into a test's own folder.
    home = Path(_temporary(folder))
    for name in ("queue", "data", "mail", "etc"):
        (home / name).mkdir()
    shutil.chown(home / "data", "postfix", "postfix")
    shutil.chown(home / "mail", "postfix", "postfix")
    settings = {
        **_SETTINGS,
        "queue_directory": str(home / "queue"),
        "data_directory": str(home / "data"),
        "maillog_file": str(home / "maillog"),
        "maillog_file_prefixes": str(home),
        "virtual_mailbox_base": str(home / "mail"),
        **(changes or {}),
    }
    lines = (f"{name} = {value}\n" for name, value in settings.items())
    text = "".join(lines).replace("{user}", str(owner.pw_uid)).replace("{group}", str(owner.pw_gid))
    (home / "etc" / "main.cf").write_text(text)
    (home / "etc" / "master.cf").write_text(_MASTER.format(port=port, more=more))
    server = Postfix(port, home)
    started = subprocess.run([program, "-c", str(home / "etc"), "start"], capture_output=True, text=True, check=False)
    try:
        assert started.returncode == 0, started.stderr + server.log
        yield server
    finally:
        subprocess.run([program, "-c", str(home / "etc"), "stop"], capture_output=True, check=False)
        shutil.rmtree(home, ignore_errors=True)


def _temporary(folder: Path) -> str:
    import tempfile

    home = tempfile.mkdtemp(prefix="mailsensor-postfix-")
    Path(home).chmod(0o755)
    return home
