"""What clouds wrap mirrored packets in is looked into, as the page on cloud mirrors says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders import Dialogue, capture, frames
from tests.sensing import told_of

# A GENEVE option as load balancers add it: a class, a type, four octets.
_OPTION = bytes.fromhex("0108 01 01 deadbeef")

MIRRORS: dict[str, tuple[frames.Layer, ...]] = {
    "AWS to an interface": (frames.vxlan(vni=7_654_321),),
    "AWS through a Gateway Load Balancer": (frames.vxlan(), frames.geneve(options=_OPTION, bare=True)),
    "Google Cloud Packet Mirroring": (),
    "Google Cloud Network Security Integration": (frames.geneve(options=_OPTION, bare=True),),
    "the same with frames": (frames.geneve(options=_OPTION),),
    "Azure virtual network TAP": (frames.vxlan(),),
    "an agent with Linux's own port": (frames.vxlan(port=8_472),),
    "ERSPAN from a router": (frames.erspan(2),),
}


@pytest.mark.parametrize("mirror", MIRRORS)
def test_a_mail_in_a_mirror_is_the_mail_itself(mirror: str, tmp_path: Path) -> None:
    flow = Dialogue.plain().flow()
    plain = told_of(capture(flow).write(tmp_path / "plain.pcap"))
    mirrored = told_of(capture(flow, wrap=MIRRORS[mirror]).write(tmp_path / "mirrored.pcap"))
    assert len(mirrored.records) == 1
    assert mirrored.records == plain.records
