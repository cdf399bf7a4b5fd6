"""The lab as the cases see it: hosts, servers, ways to send, and the servers' logs as witnesses."""

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import servers
from dialogue import Dialogue
from network import Host, build_network
from recorder import Recording
from truth import Transaction, Truth

LOGS = {
    "world": "/var/log/mail.log",
    "mx": "/var/log/mail.log",
    "store": "/var/log/dovecot.log",
    "relay": "/var/log/exim4/mainlog",
    "branch": "/var/log/exim4/mainlog",
}
SETTLE_TIMEOUT_S = 12
START_TIMEOUT_S = 15


class Lab:
    """Everything that runs."""

    def __init__(self, exim: Path) -> None:
        os.umask(0o022)
        hosts = build_network(servers.ADDRESSES)
        self.hosts = dict(zip(("world", "peer", "mx", "store", "relay", "branch", "desk", "edge"), hosts, strict=True))
        self.world, self.peer, self.mx, self.store, self.relay, self.branch, self.desk, self.edge = hosts
        servers.make_certificate(self.mx)
        self.world_postfix = servers.Postfix(self.world, servers.WORLD, {})
        self.mx_postfix = servers.Postfix(self.mx, servers.MX, servers.MX_TABLES)
        self.relay_exim = servers.Exim(self.relay, exim, servers.RELAY_ROUTES)
        self.branch_exim = servers.Exim(self.branch, exim, servers.BRANCH_ROUTES)
        servers.start_dovecot_store(self.store)
        servers.start_dovecot_auth(self.mx)
        servers.start_postsrsd(self.mx)
        self._seen: dict[str, int] = {}
        _wait_until((self.mx.files / "var/spool/postfix/private/auth").exists, "the AUTH service to start")
        listening = (
            (self.world, 25),
            (self.mx, 587),
            (self.store, 24),
            (self.relay, 25),
            (self.branch, 25),
            (self.mx, 10001),
        )
        for host, port in listening:
            _wait_for_port(host, port)

    def dial(self, client: Host, server: Host, port: int = 25) -> Dialogue:
        """A session from *client* to *server* over IPv4."""
        return Dialogue(client.connect(server.ipv4, port))

    def submit(self, host: Host, message: bytes, reverse_path: str, *forward_paths: str) -> None:
        """Hand a mail to the Postfix or Exim of *host* over its own loopback, which the bridge does not show."""
        with Dialogue(host.connect("127.0.0.1", 25)) as session:
            session.greet("localhost")
            session.envelope(reverse_path, *forward_paths)
            session.content(message)
            session.quit()

    def deliver(self, client: Host, server: Host, message: bytes, reverse_path: str, *forward_paths: str) -> None:
        """A session with one mail, every step accepted."""
        with self.dial(client, server) as session:
            session.greet(client.name)
            session.envelope(reverse_path, *forward_paths)
            session.content(message)
            session.quit()

    def settle(self) -> None:
        """Wait until no server has a mail in hand."""
        deadline = time.monotonic() + SETTLE_TIMEOUT_S
        quiet = 0
        while quiet < 4:
            idle = all(server.is_idle() for server in (self.world_postfix, self.mx_postfix, self.relay_exim))
            quiet = quiet + 1 if idle else 0
            if time.monotonic() > deadline:
                raise RuntimeError("the queues did not drain:\n" + "\n".join(self.log(key)[-2000:] for key in LOGS))
            time.sleep(0.1)

    def forget_queues(self) -> None:
        """Drop what a case left to be tried again, so that no later case records it."""
        self.world_postfix.forget_deferred()
        self.mx_postfix.forget_deferred()

    def mark_logs(self) -> None:
        """From now on `log` tells only what is written after this."""
        self._seen = {key: len(self.hosts[key].read(path)) for key, path in LOGS.items()}

    def log(self, key: str) -> str:
        """What a server logged since the last mark."""
        return self.hosts[key].read(LOGS[key])[self._seen.get(key, 0) :]

    def logged(self, key: str, pattern: str) -> str:
        """The first group (or all) of *pattern* in a server's log; it is an error if the log does not have it."""
        found = re.search(pattern, self.log(key))
        if not found:
            raise RuntimeError(f"{key} did not log {pattern!r}:\n{self.log(key)}")
        return found[found.re.groups and 1]

    def confirm(self, truth: Truth) -> None:
        """Ask the servers' logs about each transaction that a case claims; raises at the first they do not bear out."""
        for transaction in truth.transactions:
            self._confirm_message(transaction)
            self._confirm_refusals(transaction)

    def _key(self, host: Host) -> str:
        return next(key for key, value in self.hosts.items() if value is host)

    def _confirm_message(self, transaction: Transaction) -> None:
        key = self._key(transaction.server)
        if transaction.outcome != "delivered" or transaction.message_id is None:
            return
        identifier = re.escape(transaction.message_id)
        patterns = {"store": f"msgid=<{identifier}>", "relay": f"id={identifier}", "branch": f"id={identifier}"}
        self.logged(key, patterns.get(key, f"message-id=<{identifier}>"))

    def _confirm_refusals(self, transaction: Transaction) -> None:
        key = self._key(transaction.server)
        if key not in ("mx", "world"):
            return
        for recipient in transaction.recipients:
            if not recipient.accepted and transaction.outcome != "aborted":
                self.logged(key, rf"reject: RCPT from [^:]*: {recipient.code} .*to=<{re.escape(recipient.address)}>")


@dataclass(frozen=True)
class Case:
    """One case: its name, its story, how it is recorded, and the function that makes it happen."""

    name: str
    summary: str
    story: str
    recording: Recording
    act: Callable[[Lab], Truth]


CASES: list[Case] = []


def case(recording: Recording = Recording()) -> Callable[[Callable[[Lab], Truth]], Callable[[Lab], Truth]]:  # noqa: B008 (frozen)
    """Enter a function in the list of cases. The first line of its docstring is the summary, the rest the story."""

    def enter(act: Callable[[Lab], Truth]) -> Callable[[Lab], Truth]:
        summary, _, story = (act.__doc__ or "").strip().partition("\n")
        paragraphs = "\n".join(line.removeprefix("    ") for line in story.strip("\n").splitlines()).strip()
        CASES.append(Case(f"lab_{act.__name__}", summary, paragraphs, recording, act))
        return act

    return enter


def _wait_for_port(host: Host, port: int) -> None:
    def answers() -> bool:
        try:
            host.connect("127.0.0.1", port).close()
        except OSError:
            return False
        return True

    _wait_until(answers, f"{host.name} to listen on port {port}")


def _wait_until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not holds():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {START_TIMEOUT_S} s in vain for {what}")
        time.sleep(0.1)
