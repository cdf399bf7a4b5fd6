"""Every wrapping is read back by scapy down to the same TCP payload, and every file by a reader that is not ours."""

import gzip
import io
import subprocess
from collections.abc import Callable
from shutil import which

import dpkt  # type: ignore[import-untyped]
import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import CookedLinux, Ether
from scapy.main import load_contrib, load_layer

from tests.builders import CLIENT6, ETHERNET, SERVER6, Dialogue, Layer, Link, Segment, capture, files, frames, frames_of

for name in ("erspan", "geneve", "mpls"):
    load_contrib(name)
for name in ("ppp", "vxlan"):
    load_layer(name)

PAYLOAD = b"HELO a.example\r\n"
FLOWS: dict[int, Callable[[], Segment]] = {
    4: lambda: Dialogue().c_raw(PAYLOAD).flow()["c1"],
    6: lambda: Dialogue().c_raw(PAYLOAD).flow(client=CLIENT6, server=SERVER6)["c1"],
}
LAYERS: dict[str, tuple[Layer, ...]] = {
    "plain": (),
    "vlan": (frames.vlan(100),),
    "qinq": (frames.vlan(100), frames.vlan(200, frames.QINQ)),
    "mpls": (frames.mpls(16, 17),),
    "pppoe": (frames.pppoe(),),
    "in_ip": (frames.in_ip(),),
    "in_ipv6": (frames.in_ip("2001:db8::1", "2001:db8::2"),),
    "gre": (frames.gre(),),
    "gre_options": (frames.gre(key=7, sequence=9, checksummed=True),),
    "vxlan": (frames.vxlan(),),
    "geneve": (frames.geneve(options=b"\x01\x02\x80\x01\0\0\0\0"),),
    "erspan2": (frames.erspan(2),),
    "erspan3": (frames.erspan(3),),
    "erspan3_platform": (frames.erspan(3, platform=True),),
    "nested": (frames.vlan(7), frames.vxlan(), frames.vlan(8)),
}


def test_checksum_is_the_one_of_the_rfc() -> None:
    """The example of RFC 1071 3, and the zero that is not a zero."""
    assert checksum_slow(bytes.fromhex("0001f203f4f5f6f7")) == frames.checksum(bytes.fromhex("0001f203f4f5f6f7"))
    for octets in (b"\x01", b"\xff\xff", b"\xff\xff\xff", b"\x12\x34\x56"):
        assert frames.checksum(octets) == checksum_slow(octets)


def checksum_slow(octets: bytes) -> int:
    total = 0
    for at in range(0, len(octets), 2):
        total += int.from_bytes(octets[at : at + 2].ljust(2, b"\0"))
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("name", LAYERS)
def test_scapy_reads_the_payload_through_every_layer(name: str, version: int) -> None:
    """The innermost TCP segment carries our octets, and its checksum is right."""
    frame = frames_of([FLOWS[version]()], LAYERS[name])[0].octets
    found = Ether(frame)
    inner = found[TCP]
    assert bytes(inner.payload)[: len(PAYLOAD)] == PAYLOAD
    network = inner.underlayer
    checksum = inner.chksum
    del inner.chksum
    rebuilt = (IP if version == 4 else IPv6)(bytes(network))
    assert rebuilt[TCP].chksum == checksum


@pytest.mark.parametrize(
    ("link", "reader"), [(ETHERNET, Ether), (frames.RAW, IP), (frames.SLL, CookedLinux)], ids=["ethernet", "raw", "sll"]
)
def test_scapy_reads_the_link_types_it_knows(link: Link, reader: Callable[[bytes], IP]) -> None:
    """The same segment under each link type."""
    assert bytes(reader(frames_of([FLOWS[4]()], link=link)[0].octets)[TCP].payload) == PAYLOAD


def test_fragments_join_to_the_datagram() -> None:
    """Fragments in any order hold the payload at their offsets, and only the last has no more-fragments bit."""
    segment = Dialogue().c_raw(bytes(range(200))).flow()["c1"]
    pieces = [IP(frame.octets[14:]) for frame in frames_of([segment], (frames.fragments(64, 128, order=(2, 0, 1)),))]
    payload = b"".join(bytes(piece.payload) for piece in sorted(pieces, key=lambda piece: piece.frag))
    assert [int(piece.frag) for piece in pieces] == [16, 0, 8]
    assert payload == frames.tcp_octets(segment)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nanoseconds", [False, True])
def test_dpkt_reads_the_pcap(order: files.Order, nanoseconds: bool) -> None:
    """Both byte orders and both units give the frames back with their times."""
    flow = Dialogue().greet().quit().flow()
    made = capture(flow, order=order, nanoseconds=nanoseconds)
    read = list(dpkt.pcap.Reader(io.BytesIO(made.octets)))
    assert [octets for _, octets in read] == [frame.octets for frame in frames_of(flow.segments)]
    assert [round(float(at) * 1e6) for at, _ in read] == [segment.at_ns // 1000 for segment in flow.segments]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("resolution", [None, 3, 6, 9, 0x80 | 20])
def test_dpkt_reads_the_pcapng(order: files.Order, resolution: int | None) -> None:
    """Times come back to the millisecond whatever the resolution of the interface."""
    flow = Dialogue().greet().quit().flow(step_ms=1)
    described = files.Interface(resolution=resolution)
    octets = files.pcapng(frames_of(flow.segments), order=order, described=described)
    times = [round(float(at) * 1000) for at, _ in dpkt.pcapng.Reader(io.BytesIO(octets))]
    assert times == [segment.at_ns // 1_000_000 for segment in flow.segments]


def test_gzip_members_join() -> None:
    """Several members are one file."""
    assert gzip.decompress(files.gzipped(b"abc" * 1000, members=3)) == b"abc" * 1000


@pytest.mark.parametrize("octets", [b"a", b"abc" * 50_000, bytes(131_072)])
def test_zstd_frames_are_what_the_zstd_tool_reads(octets: bytes) -> None:
    """Raw blocks need no compressor, and the reference tool takes them."""
    compressed = files.zstandard(octets, frame_octets=100_000)
    assert compressed.startswith(b"\x28\xb5\x2f\xfd")
    if tool := which("zstd"):
        assert subprocess.run([tool, "-dc"], input=compressed, capture_output=True, check=True).stdout == octets
