"""A Postfix of a test's own: its queue, log and settings in one folder, listening on a free port of loopback."""

from __future__ import annotations

import os
import re
import shutil
import smtplib
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.running import needs
from tests.service import free_port

PATIENCE_S = 20.0
ANN, BOB = "ann@corp.example", "bob@partner.example"

_MAIN = {
    "compatibility_level": "3.6",
    "myhostname": "mx.corp.example",
    "mydestination": "",
    "mynetworks": "127.0.0.0/8",
    "inet_interfaces": "127.0.0.1",
    "inet_protocols": "ipv4",
    "alias_maps": "",
    "alias_database": "",
    "smtp_dns_support_level": "disabled",
    "virtual_mailbox_domains": "corp.example, partner.example, "
    "tag.example, defer.example, reject.example, hold.example",
    "virtual_mailbox_maps": "static:anybody",
    "virtual_transport": "keep:",
    "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination",
    "smtpd_recipient_restrictions": "reject_unlisted_recipient",
    "smtpd_tls_security_level": "none",
    "smtpd_peername_lookup": "no",
    "smtpd_authorized_xclient_hosts": "127.0.0.1",
    "enable_long_queue_ids": "yes",
    "keep_destination_recipient_limit": "1",
}
_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup    unix n - n 60 1 pickup
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
proxymap  unix - - n - - proxymap
error     unix - - n - - error
discard   unix - - n - - discard
retry     unix - - n - - error
anvil     unix - - n - 1 anvil
postlog   unix-dgram n - n - 1 postlogd
keep      unix - n n - 4 pipe
  flags= user={user} argv={keep} {mails} ${{queue_id}}
"""
_KEEP = """\
#!/bin/sh
cat > "$1/.$2" && mv "$1/.$2" "$1/$2"
"""


@dataclass(slots=True)
class Postfix:
    """One that runs. ``mails`` is the folder where each delivered mail becomes a file."""

    folder: Path
    port: int

    @property
    def mails(self) -> Path:
        return self.folder / "mails"

    @property
    def log_path(self) -> Path:
        return self.folder / "log"

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="backslashreplace") if self.log_path.exists() else ""

    def configure(self, **settings: str) -> None:
        """Change main.cf and have it read."""
        command = [shutil.which("postconf") or "postconf", "-c", str(self.folder / "etc"), "-e"]
        subprocess.run([*command, *(f"{name}={value}" for name, value in settings.items())], check=True)
        self.command("reload")
        time.sleep(0.3)

    def command(self, verb: str) -> None:
        program = shutil.which("postfix") or "postfix"
        subprocess.run([program, "-c", str(self.folder / "etc"), verb], check=True, capture_output=True, timeout=30)

    @contextmanager
    def client(self, helo: str = "client.example") -> Iterator[smtplib.SMTP]:
        with smtplib.SMTP("127.0.0.1", self.port, helo, timeout=PATIENCE_S) as client:
            client.ehlo()
            yield client

    def send(self, mail: bytes, *, sender: str = ANN, to: str = BOB) -> str:
        """Send in a session of its own. The reply to the first command that was refused, or to the final dot."""
        with self.client() as client:
            return send(client, mail, sender=sender, to=to)

    def submit(self, mail: bytes, *, sender: str, to: str) -> None:
        """As a local program does, by the sendmail command."""
        command = [needs("sendmail", "postfix"), "-C", str(self.folder / "etc"), "-f", sender, to]
        subprocess.run(command, input=mail.replace(b"\r\n", b"\n"), check=True, timeout=PATIENCE_S)

    def delivered(self, queue_id: str) -> bytes:
        """The mail of that queue id, once it was delivered."""
        path = self.mails / queue_id
        self.until(path.exists, f"{queue_id} delivered")
        return path.read_bytes()

    def on_hold(self, queue_id: str) -> bool:
        return any((self.folder / "queue" / "hold").rglob(queue_id))

    def until(self, holds: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < end, f"{what} did not come true\n{self.log}"
            time.sleep(0.02)


def send(client: smtplib.SMTP, mail: bytes, *, sender: str = ANN, to: str = BOB) -> str:
    """One mail in that session; the reply as for ``Postfix.send``."""
    for code, reply in (client.mail(sender), client.rcpt(to)):
        if code >= 300:
            client.rset()
            return f"{code} {reply.decode()}"
    code, reply = client.data(mail)
    return f"{code} {reply.decode()}"


def queue_id_of(reply: str) -> str:
    """The queue id in the reply to a mail that was taken."""
    found = re.search(r"queued as (\S+)", reply)
    assert found, reply
    return found[1]


@contextmanager
def running(folder: Path, settings: Mapping[str, str]) -> Iterator[Postfix]:
    """A Postfix with those settings beside the usual ones. It takes root; without, the test is passed over."""
    needs("postfix", "postfix")
    if os.geteuid() != 0:
        pytest.skip("a Postfix is run: that takes root")
    own = Postfix(folder, free_port())
    for name in ("etc", "queue", "data", "mails"):
        (folder / name).mkdir()
    # The queue's processes run as another user, who has to get here.
    for each in (folder, *folder.parents[:3]):
        each.chmod(each.stat().st_mode | 0o011)
    shutil.chown(folder / "data", "postfix", "postfix")
    shutil.chown(own.mails, "nobody")
    keep = folder / "keep"
    keep.write_text(_KEEP)
    keep.chmod(0o755)
    (folder / "etc" / "master.cf").write_text(_MASTER.format(port=own.port, user="nobody", keep=keep, mails=own.mails))
    main = _MAIN | {
        "queue_directory": str(folder / "queue"),
        "data_directory": str(folder / "data"),
        "maillog_file": str(own.log_path),
        "maillog_file_prefixes": str(folder),
    }
    (folder / "etc" / "main.cf").write_text(
        "".join(f"{name} = {value}\n" for name, value in (main | dict(settings)).items())
    )
    own.command("start")
    try:
        own.until(lambda: _answers(own.port), "an answer")
        yield own
    finally:
        own.command("abort")


def _answers(port: int) -> bool:
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=1):
            return True
    except OSError:
        return False
