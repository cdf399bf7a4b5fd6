"""What the system tells of interfaces, memory and files, for the checks to judge."""

from __future__ import annotations

import array
import ctypes
import os
import socket
import struct

_NET = "/sys/class/net"
_SIOCETHTOOL = 0x8946
# linux/ethtool.h
_GET_FLAGS, _GET_GRO, _GET_RING = 0x00000025, 0x0000002B, 0x00000010
_FLAG_RX_VLAN, _FLAG_LRO = 1 << 8, 1 << 15


def interface_names() -> list[str]:
    """Those there are."""
    return sorted(name for _, name in socket.if_nameindex())


def interface_fact(name: str, fact: str) -> str | None:
    """What ``/sys/class/net`` says; none where it says nothing, as of the carrier of an interface that is down."""
    try:
        with open(f"{_NET}/{name}/{fact}", "rb") as file:
            return file.read().decode(errors="replace").strip()
    except OSError:
        return None


def interface_number(name: str, fact: str) -> int | None:
    """The same as a number, decimal or with 0x."""
    text = interface_fact(name, fact)
    try:
        return None if text is None else int(text, 0)
    except ValueError:
        return None


def is_up(name: str) -> bool | None:
    """By its flags: set up by somebody. None where that isn't told."""
    flags = interface_number(name, "flags")
    return None if flags is None else bool(flags & 1)


class Offloads:
    """What a card does to frames before anybody sees them, as the driver tells it; none where it does not."""

    def __init__(self, name: str) -> None:
        flags = _ethtool(name, _GET_FLAGS, 1)
        gro = _ethtool(name, _GET_GRO, 1)
        ring = _ethtool(name, _GET_RING, 8)
        self.lro = None if flags is None else bool(flags[0] & _FLAG_LRO)
        self.rx_vlan = None if flags is None else bool(flags[0] & _FLAG_RX_VLAN)
        self.gro = None if gro is None else bool(gro[0])
        # Of ethtool_ringparam: the greatest first, then those in use; of each, received frames stand first.
        self.ring_most = None if ring is None or not ring[0] else ring[0]
        self.ring = None if ring is None or not ring[4] else ring[4]


def _ethtool(name: str, command: int, answers: int) -> tuple[int, ...] | None:
    """The *answers*, numbers of 32 bits, to a question that takes no right; none where the driver has none."""
    import fcntl

    question = array.array("I", [command, *([0] * answers)])
    address, _ = question.buffer_info()
    request = struct.pack(f"16sP{16}x", name.encode(), address)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as asking:
            fcntl.ioctl(asking, _SIOCETHTOOL, request)
    except OSError:
        return None
    return tuple(question[1:])


def memory_octets() -> int | None:
    """
    Octets that can be had without swapping; none where it isn't told.

    Of the machine: rings are the kernel's memory, which no control group counts.
    """
    try:
        with open("/proc/meminfo", "rb") as file:
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:")), None)


class _Timex(ctypes.Structure):
    """``struct timex`` of adjtimex(2), of which only the status that comes back is read: room for the rest."""

    _fields_ = (("modes", ctypes.c_uint), ("rest", ctypes.c_ubyte * 508))


def clock_is_synchronised() -> bool | None:
    """As the kernel has it from whoever sets its clock; none where it isn't told."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "adjtimex", None)
    if call is None:
        return None
    # Modes of zero ask and change nothing. TIME_ERROR (5): nobody keeps the clock.
    state = call(ctypes.byref(_Timex()))
    return None if state < 0 else state != 5


def nearest_folder(path: str) -> str:
    """The folder that *path* is in, or the nearest above it that exists."""
    folder = os.path.dirname(os.path.abspath(path))
    while not os.path.isdir(folder) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    return folder


def in_words(octets: int) -> str:
    """``64 MiB``: in the largest unit that leaves a number."""
    for unit, shift in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if octets >= 1 << shift:
            return f"{octets / (1 << shift):.3g} {unit}"
    return f"{octets} octets"
