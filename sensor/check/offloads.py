"""What a card does to frames before they are captured: joining them, taking tags off."""

from __future__ import annotations

from collections.abc import Iterator

from sensor.check.base import Check, Line, Subject, ok, warn
from sensor.check.facts import Offloads, interface_names

_JOINED_OCTETS = 65_550
"""Of a frame that was joined by GRO or LRO: IP's 64 KiB and a link header."""

# A queue shorter than this holds less than a millisecond at 10 Gbit/s of full frames.
_SHORT_RING = 1_024


def _look(subject: Subject) -> Iterator[Line]:
    live = subject.settings.live
    for name in live.interfaces:
        if name not in interface_names():
            continue
        found = Offloads(name)
        if found.lro:
            yield warn(
                name,
                "LRO joins segments in the card: lengths and times of single segments are lost, and what it joins "
                "wrongly can't be told",
                f"ethtool -K {name} lro off",
            )
        if (found.gro or found.lro) and live.snap_octets < _JOINED_OCTETS:
            yield warn(
                name,
                f"GRO joins frames to 64 KiB, of which live.snap_octets keeps {live.snap_octets}: mails would have "
                "holes",
                f"ethtool -K {name} gro off, or set live.snap_octets to {_JOINED_OCTETS} at least",
            )
        if found.ring and found.ring_most and found.ring < min(found.ring_most, _SHORT_RING):
            yield warn(
                name,
                f"the card's own queue holds {found.ring} frames and could hold {found.ring_most}",
                f"ethtool -G {name} rx {found.ring_most}",
            )
        yield ok(name, f"GRO {_word(found.gro)}, LRO {_word(found.lro)}, VLAN tags taken off: {_word(found.rx_vlan)}")


def _word(state: bool | None) -> str:
    return {None: "not told", True: "on", False: "off"}[state]


OFFLOADS = Check("offloads", "what cards do to frames (ethtool)", _look)
