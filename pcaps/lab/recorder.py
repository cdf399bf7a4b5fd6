"""Recording with tcpdump or dumpcap, on the lab's bridge, on a host, or behind a span port that wraps its mirror."""

import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from network import BRIDGE, Host

LINGER_S = 0.4  # after the last delivery: the FINs and their ACKs
ETH_P_ALL = 3
SPAN = "span0"


@dataclass(frozen=True)
class Recording:
    """How a case is recorded."""

    filter: str = "tcp"
    interface: str = BRIDGE
    on: str = ""  # key of the host to record on; the bridge's namespaces where empty
    options: tuple[str, ...] = ()
    tool: str = "tcpdump"
    span: str = ""  # "vlan", "qinq" or "vxlan": record a mirror of the bridge that a span port wrapped
    compress: str = ""  # "gz" or "zst"

    @property
    def file_name(self) -> str:
        """The capture's name in the case's folder."""
        plain = "input.pcapng" if self.tool == "dumpcap" else "input.pcap"
        return f"{plain}.{self.compress}" if self.compress else plain


@contextmanager
def record(recording: Recording, host: Host | None, target: Path) -> Iterator[None]:
    """Record into *target* for as long as the body runs, and a little longer."""
    with _span(recording.span):
        command = _command(recording, target)
        process = subprocess.Popen(host.enter(*command) if host else command, stderr=subprocess.PIPE, text=True)
        try:
            _wait_until_listening(process)
            yield
            time.sleep(LINGER_S)
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=20)


def _command(recording: Recording, target: Path) -> list[str]:
    interfaces = [SPAN] if recording.span else recording.interface.split()
    if recording.tool == "dumpcap":
        chosen = [part for name in interfaces for part in ("-i", name, "-f", recording.filter)]
        return ["dumpcap", "-q", "-s", "0", *chosen, *recording.options, "-w", str(target)]
    if recording.span:  # the filter language sees the outer headers only: the span port carries nothing else anyway
        return ["tcpdump", "-i", SPAN, "-s", "0", "-U", "-Z", "root", "-w", str(target), *recording.options]
    return [
        *("tcpdump", "-i", recording.interface, "-s", "0", "-U", "-Z", "root", "-w", str(target)),
        *recording.options,
        recording.filter,
    ]


def _wait_until_listening(process: subprocess.Popen[str]) -> None:
    for line in process.stderr or ():
        if "listening on" in line or "File: " in line:
            time.sleep(0.3)
            return
    raise RuntimeError("the recorder did not start")


@contextmanager
def _span(kind: str) -> Iterator[None]:
    if not kind:
        yield
        return
    _make_span(kind)
    done = threading.Event()
    mirror = threading.Thread(target=_mirror, args=(kind, done))
    mirror.start()
    try:
        yield
    finally:
        done.set()
        mirror.join()
        subprocess.run(["ip", "link", "delete", SPAN], check=True)


def _make_span(kind: str) -> None:
    """A cable whose one end is the span port. VXLAN packets are made by the kernel and go down the same cable."""
    commands = [
        f"ip link add {SPAN} address 02:00:00:00:02:01 type veth peer name span1 address 02:00:00:00:02:02",
    ]
    up = [SPAN, "span1"]
    if kind == "vxlan":
        commands += [
            f"ip address add 203.0.113.1/24 dev {SPAN}",
            f"ip neigh add 203.0.113.9 lladdr 02:00:00:00:02:02 dev {SPAN}",
            "ip link add vx0 type vxlan id 4660 remote 203.0.113.9 dstport 4789 dev " + SPAN,
            "ip link set vx0 mtu 1500",
        ]
        commands.insert(1, f"ip link set {SPAN} mtu 1600 up")
        up.append("vx0")
    for command in commands:
        subprocess.run(command.split(), check=True)
    for name in up:  # without the neighbour discovery of the span port itself
        Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1")
        subprocess.run(["ip", "link", "set", name, "up"], check=True)


def _mirror(kind: str, done: threading.Event) -> None:
    with (
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) as source,
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as out,
    ):
        source.bind((BRIDGE, ETH_P_ALL))
        # struct packet_mreq of packet(7): interface, PACKET_MR_PROMISC
        request = struct.pack("iHH8s", socket.if_nametoindex(BRIDGE), 1, 0, b"")
        source.setsockopt(263, 1, request)  # SOL_PACKET, PACKET_ADD_MEMBERSHIP
        source.settimeout(0.1)
        out.bind(("vx0" if kind == "vxlan" else SPAN, 0))
        while not done.is_set():
            try:
                frame = source.recv(65536)
            except TimeoutError:
                continue
            if frame[12:14] in (b"\x08\x00", b"\x86\xdd"):
                out.send(_TAGGED[kind](frame))


_TAGGED = {
    "vlan": lambda frame: frame[:12] + b"\x81\x00\x00\x19" + frame[12:],
    "qinq": lambda frame: frame[:12] + b"\x88\xa8\x00\x64\x81\x00\x00\x19" + frame[12:],
    "vxlan": lambda frame: frame,
}


def scrub_pcapng(path: Path) -> None:
    """
    Take out of a pcapng file what tells of the machine that recorded it: its processor, system and programs.

    Drops all statistics blocks, and every option but the interface's name and time resolution from the section header
    and interface blocks (pcapng 4.1, 4.2). Little-endian files only, which is what dumpcap writes here.
    """
    data = path.read_bytes()
    out = bytearray()
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        body = data[at + 8 : at + length - 4]
        fixed = {0x0A0D0D0A: 16, 1: 8}.get(kind)
        if fixed is not None:
            body = body[:fixed] + _kept_options(body[fixed:], {2, 9} if kind == 1 else set())
        if kind != 5:
            out += struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)
        at += length
    path.write_bytes(out)


def _kept_options(options: bytes, wanted: set[int]) -> bytes:
    out = bytearray()
    at = 0
    while at + 4 <= len(options):
        code, length = struct.unpack_from("<HH", options, at)
        whole = options[at : at + 4 + (length + 3) // 4 * 4]
        if code in wanted:
            out += whole
        at += len(whole)
    return bytes(out) + bytes(4) if out else b""
