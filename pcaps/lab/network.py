"""
The lab's hosts and the wire between them.

Each host is a process that sleeps inside its own network, UTS and mount namespaces; a command is run there with
nsenter. The hosts' Ethernet interfaces meet on one bridge in the namespaces of the lab itself, where the recorder
listens. A host has an `/etc` of its own (a copy of the machine's, with the lab's names and users in it) and an empty
`/var` and `/run`, all on a tmpfs that only the lab sees: nothing is left on the machine once the lab's process is gone.
"""

import ctypes
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path("/mnt")  # the tmpfs; its mount point is seen by the lab alone
BRIDGE = "br0"
DOCUMENTATION_NETS = ("192.0.2.0/24", "198.51.100.0/24")  # RFC 5737
CLONE_NEWNET = 0x40000000
LOCAL_USERS = {"Debian-exim": 4001, "gus": 5001, "vmail": 5000}

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Host:
    """One machine of the lab: its name, its last octet on every network, and the process that holds its namespaces."""

    name: str
    ipv4: str
    pid: int
    port: str = field(default="")

    @property
    def ipv6(self) -> str:
        """The address with the same last octet in 2001:db8::/32 (RFC 3849)."""
        return f"2001:db8::{self.ipv4.rsplit('.', 1)[1]}"

    @property
    def files(self) -> Path:
        """Where the lab finds this host's etc, var and run."""
        return ROOT / self.name

    def enter(self, *command: str) -> list[str]:
        """The command line that runs *command* on this host."""
        return ["nsenter", f"--target={self.pid}", "--net", "--uts", "--mount", "--", *command]

    def run(self, *command: str, stdin: str = "", check: bool = True) -> str:
        """Run *command* to its end; returns both outputs, and raises with them if it failed and *check* holds."""
        done = subprocess.run(
            self.enter(*command),
            input=stdin,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
            check=False,
        )
        if check and done.returncode != 0:
            raise RuntimeError(f"{self.name}: {' '.join(command)} ended with {done.returncode}:\n{done.stdout}")
        return done.stdout

    def start(self, *command: str) -> None:
        """Start *command* and leave it running: it ends with the lab."""
        log = (self.files / "var/log" / f"{Path(command[0]).name}.out").open("ab")
        subprocess.Popen(self.enter(*command), stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file on this host."""
        target = self.files / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    def read(self, path: str) -> str:
        """Read a file of this host; one that is not there yet is empty."""
        target = self.files / path.lstrip("/")
        return target.read_text(errors="replace") if target.exists() else ""

    def connect(self, address: str, port: int) -> socket.socket:
        """
        Open a TCP connection from this host.

        A socket belongs to the network namespace in which it was made, so it is enough to visit the
        host's while making it.
        """
        with _network_of(self.pid):
            return socket.create_connection((address, port), timeout=20)


@contextmanager
def _network_of(pid: int) -> Iterator[None]:
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    away = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    try:
        _set_network(away)
        yield
    finally:
        _set_network(home)
        os.close(home)
        os.close(away)


def _set_network(namespace: int) -> None:
    if _libc.setns(namespace, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def _do(*command: str) -> None:
    subprocess.run(command, check=True)


def build_network(addresses: dict[str, str]) -> list[Host]:
    """Make one host for each name and IPv4 address, in order, joined by a bridge."""
    _do("mount", "-t", "tmpfs", "-o", "mode=755", "lab", str(ROOT))
    _do("ip", "link", "set", "lo", "up")
    _do("ip", "link", "add", BRIDGE, "type", "bridge")
    # IPv6 chatter of the bridge itself (neighbour discovery, MLD) has no business in a capture of mail.
    Path(f"/proc/sys/net/ipv6/conf/{BRIDGE}/disable_ipv6").write_text("1")
    _do("ip", "link", "set", BRIDGE, "address", "02:00:00:00:00:01", "up")
    return [_make_host(name, ipv4, addresses) for name, ipv4 in addresses.items()]


def _make_host(name: str, ipv4: str, everyone: dict[str, str]) -> Host:
    holder = subprocess.Popen(["unshare", "--net", "--uts", "--mount", "sleep", "infinity"])
    octet = int(ipv4.rsplit(".", 1)[1])
    host = Host(name=name, ipv4=ipv4, pid=holder.pid, port=f"v-{name.split('.', maxsplit=1)[0]}")
    _wait_for_namespaces(holder.pid)
    _make_files(host, everyone)
    _make_link(host, octet)
    return host


def _wait_for_namespaces(pid: int) -> None:
    ours = {kind: Path(f"/proc/self/ns/{kind}").readlink() for kind in ("net", "uts", "mnt")}
    deadline = time.monotonic() + 5
    while any(Path(f"/proc/{pid}/ns/{kind}").readlink() == link for kind, link in ours.items()):
        if time.monotonic() > deadline:
            raise RuntimeError("a host's namespaces did not appear")
        time.sleep(0.01)


def _make_files(host: Host, everyone: dict[str, str]) -> None:
    _do("mkdir", "-p", str(host.files))
    _do("cp", "-a", "/etc", str(host.files / "etc"))
    for folder in ("var/log", "var/spool", "var/lib/dovecot", "var/mail", "var/tmp", "run"):
        (host.files / folder).mkdir(parents=True)
    (host.files / "var/tmp").chmod(0o1777)
    (host.files / "var/run").symlink_to("/run")
    for user, number in LOCAL_USERS.items():
        with (host.files / "etc/passwd").open("a") as passwd, (host.files / "etc/group").open("a") as group:
            passwd.write(f"{user}:x:{number}:{number}::/var/home/{user}:/usr/sbin/nologin\n")
            group.write(f"{user}:x:{number}:\n")
        home = host.files / "var/home" / user
        home.mkdir(parents=True)
        shutil.chown(home, number, number)
    names = "127.0.0.1 localhost\n::1 localhost\n" + "".join(
        f"{ipv4} {name}\n2001:db8::{ipv4.rsplit('.', 1)[1]} {name}\n" for name, ipv4 in everyone.items()
    )
    for file, text in {
        "hosts": names,
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
        "resolv.conf": "",
    }.items():
        target = host.files / "etc" / file
        target.unlink(missing_ok=True)  # resolv.conf is often a symbolic link
        target.write_text(text)
    for folder in ("etc", "var", "run"):
        host.run("mount", "--bind", str(host.files / folder), f"/{folder}")
    host.run("hostname", host.name)


def _make_link(host: Host, octet: int) -> None:
    _do(
        *("ip", "link", "add", host.port, "type", "veth"),
        *("peer", "name", "eth0", "address", f"02:00:00:00:01:{octet:02x}", "netns", str(host.pid)),
    )
    Path(f"/proc/sys/net/ipv6/conf/{host.port}/disable_ipv6").write_text("1")
    _do("ip", "link", "set", host.port, "master", BRIDGE, "up")
    host.run("ip", "link", "set", "lo", "up")
    host.run("ip", "address", "add", f"{host.ipv4}/32", "dev", "eth0")
    host.run("ip", "address", "add", f"{host.ipv6}/64", "dev", "eth0", "nodad")
    host.run("ip", "link", "set", "eth0", "up")
    for net in DOCUMENTATION_NETS:
        host.run("ip", "route", "add", net, "dev", "eth0", "src", host.ipv4)
    set_offload(host, on=False)


def set_offload(host: Host, *, on: bool) -> None:
    """Let the host leave cutting and checksums to its interface, as most do, or make it finish its packets itself."""
    state = "on" if on else "off"
    host.run("ethtool", "--offload", "eth0", "tx", state, "tso", state, "gso", state)
