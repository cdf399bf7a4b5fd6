"""Interfaces: there, up, of a kind that is read, and open to this user, frames to others included."""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Iterator

from sensor.check.base import Check, Line, Subject, fail, ok, warn
from sensor.check.facts import interface_fact, interface_names, interface_number, is_up
from sensor.check.rights import GRANT

_LINK_OCTETS = 14 + 2 * 4
"""Of a frame beyond what the MTU counts: the Ethernet header and two VLAN tags."""

_SOL_PACKET, _ADD_MEMBERSHIP, _PROMISCUOUS = 263, 1, 1


def _look(subject: Subject) -> Iterator[Line]:
    live = subject.settings.live
    if live.interfaces and sys.platform != "linux":
        yield fail(
            "live.interfaces", "live capture works on Linux alone", "name captures: capture.folder, capture.files"
        )
        return
    for name in live.interfaces:
        if name not in interface_names():
            there = ", ".join(interface_names())
            yield fail(name, f"there is no such interface; there are: {there}", "name one of them in live.interfaces")
            continue
        yield from _link(name)
        yield from _opened(name, promiscuous=live.promiscuous)
        yield from _snap(name, live.snap_octets)
        yield from _lost(name)


def _link(name: str) -> Iterator[Line]:
    if not is_up(name):
        yield fail(name, "is down: nothing comes", f"ip link set {name} up")
    elif interface_fact(name, "carrier") == "0":
        yield warn(name, "is up and has no carrier: nothing comes", "look at cable, port and switch")
    else:
        yield ok(name, f"is up, MTU {interface_fact(name, 'mtu') or 'unknown'}")


def _opened(name: str, *, promiscuous: bool) -> Iterator[Line]:
    """Try what capturing does, on a socket that is closed at once and was shown no frame."""
    try:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as trying:
            # Protocol 0: bound, and nothing is let in.
            trying.bind((name, 0))
            if promiscuous:
                wanted = struct.pack("iHH8x", socket.if_nametoindex(name), _PROMISCUOUS, 0)
                trying.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, wanted)
    except PermissionError:
        yield fail(name, "this user may not capture it", GRANT)
    except OSError as error:
        yield fail(name, f"can't be opened: {error.strerror}", "name another interface")
    else:
        yield ok(name, "can be captured" + (", frames to others too" if promiscuous else ""))
        if not promiscuous:
            yield warn(
                name,
                "frames to others are not asked for: of a span port, nothing would be seen",
                "set live.promiscuous = true, unless this host's own mail is watched",
            )


def _snap(name: str, snap_octets: int) -> Iterator[Line]:
    mtu = interface_number(name, "mtu")
    if mtu is not None and snap_octets < mtu + _LINK_OCTETS:
        yield warn(
            name,
            f"frames may have {mtu + _LINK_OCTETS} octets, of which live.snap_octets keeps {snap_octets}: mails would "
            "have holes",
            f"set live.snap_octets to {mtu + _LINK_OCTETS} at least; the default takes any frame",
        )


def _lost(name: str) -> Iterator[Line]:
    """Frames that the card or driver lost since it was set up, before anybody could capture them."""
    facts = ("rx_missed_errors", "rx_fifo_errors", "rx_over_errors")
    lost = sum(interface_number(name, f"statistics/{fact}") or 0 for fact in facts)
    if lost:
        yield warn(
            name,
            f"the card lost {lost:,} frames since it was set up: it was not emptied in time",
            "give it a longer ring (ethtool -G), see docs/tuning.md",
        )


INTERFACES = Check("interfaces", "network interfaces and the right to capture them", _look)
