"""Live capture: what passes an interface is told as from a capture file of the same frames; losses are counted."""

from __future__ import annotations

import io
import json
import os
import signal
import smtplib
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from sensor import privileges
from sensor.app.reading import run_tap
from sensor.classify import builtin_table
from sensor.settings import LiveSettings, Settings
from sensor.taps.base import TapError
from sensor.taps.live import InterfaceStatus, LiveTap
from tests.builders import Capture, Dialogue, Endpoint, Flow, capture, frames, frames_of, message
from tests.mailserver import mail_server
from tests.netns import CLIENT, CLIENT6, SERVER, SERVER6, Namespace, client_and_server, namespace
from tests.running import mailsensor, needs, root_for
from tests.sensing import Record, told_of

# Long enough for a machine that is busy with other things; nothing waits so long unless something is wrong.
PATIENCE_S = 20.0


def wait_until(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, f"it never came true that {what}"
        time.sleep(0.01)


class Listening:
    """A tap that is read by a thread, as the command reads it."""

    def __init__(self, tap: LiveTap) -> None:
        self.tap = tap
        self._sink = io.BytesIO()
        self._thread = threading.Thread(target=lambda: run_tap(tap, Settings(), sink=self._sink))
        self._thread.start()

    @property
    def records(self) -> list[Record]:
        return [json.loads(line) for line in self._sink.getvalue().splitlines()]

    @property
    def status(self) -> InterfaceStatus:
        return self.tap.interfaces()[0]

    def wait_for(self, records: int) -> list[Record]:
        wait_until(lambda: len(self.records) >= records, f"there are {records} records: {self.records}")
        return self.records

    def end(self) -> list[Record]:
        self.tap.stop()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        return self.records


def open_tap(net: Namespace, *interfaces: str, limits: dict[str, int] | None = None, **settings: Any) -> LiveTap:
    how = LiveSettings(**{"ring_octets": 1 << 20, **settings})
    return net.call(lambda: LiveTap(interfaces, builtin_table().interest, settings=how, limits=limits))


@contextmanager
def listening(net: Namespace, *interfaces: str, **settings: Any) -> Iterator[Listening]:
    listener = Listening(open_tap(net, *interfaces, **settings))
    try:
        yield listener
    finally:
        listener.end()


@pytest.fixture
def net() -> Iterator[Namespace]:
    """A namespace with one cable: what is sent on a0 arrives at b0."""
    with namespace() as net:
        net.veth("a0", "b0")
        yield net


def same_but_for_time(records: Sequence[Record]) -> list[Record]:
    """The records without what tells when and by which tap they were taken, in an order of their own."""
    own = ("id", "started_at", "ended_at", "sensor", "tap")
    return sorted(({k: v for k, v in record.items() if k not in own} for record in records), key=json.dumps)


def replayed(made: Capture, tmp_path: Path) -> list[Record]:
    return same_but_for_time(told_of(made.write(tmp_path / f"made{made.suffix}")).records)


def octets_of(flow: Flow, *wrap: frames.Layer) -> list[bytes]:
    return [frame.octets for frame in frames_of(flow.segments, wrap)]


# ---- what passes is told


def mail_server_on(net: Namespace, address: str) -> AbstractContextManager[int]:
    """Takes every mail there is on port 25 of *address*."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return mail_server(net.call(lambda: socket.create_server((address, 25), family=family)))


def send_mail(address: str, *bodies: str) -> None:
    with smtplib.SMTP(address, 25, local_hostname="a.example", timeout=PATIENCE_S) as client:
        for number, body in enumerate(bodies):
            text = message(f"Mail {number}", message_id=f"{number}@a.example", body=body)
            client.sendmail("ann@a.example", ["bob@corp.example"], text)


@pytest.mark.parametrize("address", [SERVER, SERVER6])
def test_a_real_session_gives_the_record_that_its_capture_file_gives(address: str, tmp_path: Path) -> None:
    """Segments of 64 KB with unfinished checksums included, as they pass between hosts of one machine."""
    tcpdump = needs("tcpdump", "tcpdump")
    path = tmp_path / "beside.pcap"
    with client_and_server() as (client, server), mail_server_on(server, address):
        beside = server.popen(
            tcpdump, "-U", "-s0", "-w", path, "-i", "s0", "tcp", "port", "25", stdout=-3, stderr=subprocess.PIPE
        )
        assert beside.stderr is not None
        beside.stderr.readline()
        with listening(server, "s0", ring_octets=8 << 20) as listener:
            client.call(lambda: send_mail(address, "Hi.\r\n", "All work and no play.\r\n" * 40_000))
            live = listener.wait_for(2)
            assert listener.status.dropped == 0
        wait_until(
            lambda: [each["outcome"] for each in told_of(path).transactions] == ["delivered"] * 2,
            "tcpdump wrote it all",
        )
        beside.terminate()
        beside.communicate()
    assert {record["tap"] for record in live} == {"live"}
    assert {record["flow"]["src_ip"] for record in live} == {CLIENT6 if ":" in address else CLIENT}
    assert live[1]["size_octets"] > 900_000
    assert same_but_for_time(live) == same_but_for_time(told_of(path).records)


WRAPPED: dict[str, tuple[frames.Layer, ...]] = {
    "plain": (),
    "vlan": (frames.vlan(7),),
    "qinq": (frames.vlan(8), frames.vlan(7, frames.QINQ)),
    "fragments": (frames.fragments(64, 128),),
    "mpls": (frames.mpls(16, 17),),
    "pppoe": (frames.pppoe(),),
    "vxlan": (frames.vxlan(),),
    "geneve": (frames.geneve(),),
    "gre": (frames.gre(),),
    "erspan": (frames.erspan(2),),
    "ip in ip": (frames.in_ip(),),
    "802.3": (frames.ieee_802_3,),
}


@pytest.mark.parametrize("wrapping", WRAPPED)
def test_the_filter_in_the_kernel_lets_mail_through_in_every_wrapping(
    wrapping: str, net: Namespace, tmp_path: Path
) -> None:
    flow, wrap = Dialogue.plain().flow(), WRAPPED[wrapping]
    with listening(net, "b0") as listener:
        net.send_frames("a0", octets_of(flow, *wrap))
        live = listener.wait_for(1)
        tagged = listener.status.tagged
    assert same_but_for_time(live) == replayed(capture(flow, wrap=wrap), tmp_path)
    assert (tagged > 0) is (wrapping in ("vlan", "qinq"))


def test_other_traffic_is_kept_out_by_the_kernel_and_let_in_where_all_is_asked_for(net: Namespace) -> None:
    web, mail = Dialogue.plain().flow(port=8080), Dialogue.plain().flow()
    for ports, records, counted in ((None, 1, len(mail.segments)), ((), 2, len(web.segments + mail.segments))):
        with listening(net, "b0", ports=ports) as listener:
            net.send_frames("a0", octets_of(web) + octets_of(mail))
            assert len(listener.wait_for(records)) == records
            assert listener.status.frames >= counted
            assert ports == () or listener.status.frames == counted


def test_a_frame_on_loopback_is_read_once(tmp_path: Path) -> None:
    with namespace() as net, mail_server_on(net, "127.0.0.1"), listening(net, "lo") as listener:
        net.call(lambda: send_mail("127.0.0.1", "Hi.\r\n"))
        (record,) = listener.wait_for(1)
        counters = listener.tap.counters()
    assert record["outcome"] == "delivered"
    assert counters["octets_retransmitted"] == 0
    assert counters["segments"] < 40


def test_bare_ip_of_a_tunnel_is_read(tmp_path: Path) -> None:
    flow = Dialogue.plain().flow()
    with namespace() as net:
        net.ip("tuntap", "add", "mode", "tun", "name", "t0")
        tunnel = net.call(lambda: _tun("t0"))
        net.up("t0")
        with tunnel, listening(net, "t0") as listener:
            for segment in flow.segments:
                tunnel.write(frames.ip_packet(segment).octets)
            live = listener.wait_for(1)
    assert same_but_for_time(live) == replayed(capture(flow), tmp_path)


def _tun(name: str) -> io.FileIO:
    import fcntl

    set_interface, tun_without_header = 0x400454CA, 0x1001
    file = io.FileIO("/dev/net/tun", "r+")
    fcntl.ioctl(file, set_interface, struct.pack("16sH22x", name.encode(), tun_without_header))
    return file


def test_a_snap_length_cuts_frames_and_records_say_so(net: Namespace) -> None:
    with listening(net, "b0", snap_octets=300) as listener:
        net.send_frames("a0", octets_of(Dialogue().greet().mail(1, body="x" * 900 + "\r\n").quit().flow()))
        (record,) = listener.wait_for(1)
        assert listener.tap.counters()["frames_snapped"] > 0
    assert record["completeness"]["missing_octets"] > 0


# ---- several rings


def flows(count: int) -> list[Flow]:
    return [
        Dialogue().greet().mail(number).quit().flow(client=Endpoint(f"192.0.2.{10 + number}", 40_000 + number))
        for number in range(count)
    ]


def test_two_rings_tell_what_one_tells(net: Namespace) -> None:
    """The kernel shares flows out; both directions of one come to the same ring."""
    with listening(net, "b0") as one, listening(net, "b0", workers=2) as two:
        for flow in flows(24):
            net.send_frames("a0", octets_of(flow))
        assert same_but_for_time(one.wait_for(24)) == same_but_for_time(two.wait_for(24))
        assert two.status.frames == one.status.frames
    assert all(record["completeness"]["one_sided"] is False for record in one.records)


@pytest.mark.parametrize("tunnel", ["vxlan", "geneve"])
def test_two_directions_that_a_tunnel_gives_ports_of_their_own_come_to_one_ring(tunnel: str, net: Namespace) -> None:
    ports, source = {"c": b"\xc3\x51", "s": b"\xee\x4f"}, slice(34, 36)
    with listening(net, "b0", workers=4) as listener:
        for flow in flows(24):
            wrapped = [bytearray(octets) for octets in octets_of(flow, *WRAPPED[tunnel])]
            for segment, octets in zip(flow.segments, wrapped, strict=True):
                octets[source] = ports[segment.side]
            net.send_frames("a0", [bytes(octets) for octets in wrapped])
        records = listener.wait_for(24)
    assert not any(record["completeness"]["one_sided"] for record in records)
    assert len(records) == 24


def test_the_two_directions_of_a_tap_on_two_interfaces_are_one_flow(net: Namespace, tmp_path: Path) -> None:
    """Whatever order the rings are shown in: frames are read in that of their time."""
    net.veth("a1", "b1")
    flow = Dialogue.three().flow()
    side = {"c": "a0", "s": "a1"}
    with listening(net, "b0", "b1") as listener:

        def send() -> None:
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as out:
                for segment, frame in zip(flow.segments, octets_of(flow), strict=True):
                    out.sendto(frame, (side[segment.side], 0))

        net.call(send)
        live = listener.wait_for(3)
        counters = listener.tap.counters()
    assert same_but_for_time(live) == replayed(capture(flow), tmp_path)
    assert counters["segments_out_of_order"] == 0


@contextmanager
def trickling(net: Namespace, interface: str) -> Iterator[list[int]]:
    """A frame every other millisecond on *interface* while the context lasts; tells how many were sent, at its end."""
    sent, stop = [0], threading.Event()

    def send() -> None:
        (frame, *_) = octets_of(Dialogue().greet().quit().flow())
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as out:
            out.bind((interface, 0))
            while not stop.wait(0.002):
                out.send(frame)
                sent[0] += 1

    sending = threading.Thread(target=lambda: net.call(send))
    sending.start()
    try:
        yield sent
    finally:
        stop.set()
        sending.join()


def test_a_silent_interface_does_not_hold_up_a_busy_one(net: Namespace) -> None:
    """Blocks wait for the other interface together, and not one after the other."""
    net.veth("a1", "b1")
    # More blocks than the ring has, if none were read: a block is shown twice in 10 ms at most.
    with listening(net, "b0", "b1", ring_octets=64 << 20, block_timeout_ms=5) as listener:
        with trickling(net, "a0") as sent:
            time.sleep(2.0)
        wait_until(lambda: listener.status.frames == sent[0], "all frames are read")
        assert listener.status.dropped == 0


def test_an_interface_that_goes_away_is_noticed_while_another_has_frames(net: Namespace) -> None:
    net.veth("a1", "b1")
    with listening(net, "b0", "b1") as listener, trickling(net, "a1"):
        wait_until(lambda: listener.tap.interfaces()[1].frames > 0, "frames come")
        net.ip("link", "del", "a0")
        wait_until(lambda: listener.status.state == "gone", "it is seen to be gone")
        assert (listener.status.outages, listener.tap.interfaces()[1].outages) == (1, 0)


@root_for("capturing")
def test_threads_that_capture_have_given_their_rights_up_when_the_tap_is_made() -> None:
    how = LiveSettings(workers=16, ring_octets=1 << 18)
    for _ in range(5):
        before = {each.thread for each in privileges.threads()}
        tap = LiveTap(["lo"], builtin_table().interest, settings=how, reopens=False)
        rights = [each.effective | each.permitted for each in privileges.threads() if each.thread not in before]
        tap.stop()
        assert rights == [0] * 16


# ---- interfaces come and go


def send_one(net: Namespace, number: int) -> None:
    flow = Dialogue().greet().mail(number).quit().flow(client=Endpoint("192.0.2.10", 40_000 + number))
    net.send_frames("a0", octets_of(flow))


def test_an_interface_that_was_down_goes_on(net: Namespace) -> None:
    with listening(net, "b0") as listener:
        send_one(net, 1)
        listener.wait_for(1)
        net.ip("link", "set", "b0", "down")
        wait_until(lambda: listener.status.state == "down", "it is seen to be down")
        net.up("b0")
        wait_until(lambda: listener.status.state == "up", "it is seen to be up")
        send_one(net, 2)
        listener.wait_for(2)
        assert listener.status.outages == 1
        assert [lost.kind for lost in listener.tap.damage()] == ["outage"]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interface_that_was_removed_and_made_again_goes_on(net: Namespace, workers: int) -> None:
    with listening(net, "b0", workers=workers) as listener:
        send_one(net, 1)
        listener.wait_for(1)
        net.ip("link", "del", "a0")
        wait_until(lambda: listener.status.state == "gone", "it is seen to be gone")
        wait_until(lambda: "no such interface" in (listener.status.problem or ""), "the reason is told")
        net.veth("a0", "b0")
        wait_until(lambda: listener.status.state == "up", "it is seen to be back")
        send_one(net, 2)
        listener.wait_for(2)
        assert listener.status.outages == 1


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interface_may_be_down_at_the_start(net: Namespace, workers: int) -> None:
    net.ip("link", "set", "b0", "down")
    with listening(net, "b0", workers=workers) as listener:
        wait_until(lambda: listener.status.state == "down", "it is seen to be down")
        net.up("b0")
        wait_until(lambda: listener.status.state == "up", "it is seen to be up")
        send_one(net, 1)
        listener.wait_for(1)


# ---- losses, time and the end


def test_frames_that_a_slow_reader_loses_are_counted(net: Namespace) -> None:
    """While nobody takes events nothing grows: the ring fills, and every frame is either read or counted as dropped."""
    tap = open_tap(net, "b0", ring_octets=1 << 18, block_timeout_ms=5)
    # Each mail begins and is given up at once, so that a few frames are many events.
    empty = [line for _ in range(60) for line in ("MAIL FROM:<a@a.example>", "RSET")]
    dialogue = Dialogue().greet().c(*empty).s(*["250 ok"] * len(empty)).quit()
    sent = 0
    for number in range(350):
        octets = octets_of(dialogue.flow(client=Endpoint("192.0.2.10", 20_000 + number)))
        net.send_frames("a0", octets)
        sent += len(octets)
    tap.stop()
    assert sum(len(batch) for batch in tap.batches()) > 10_000
    (status,) = tap.interfaces()
    assert status.dropped > 0
    assert status.frames + status.dropped == sent
    (lost,) = tap.damage()
    assert (lost.path, lost.kind) == ("b0", "dropped")


def test_a_silent_flow_expires_while_nothing_comes(net: Namespace) -> None:
    """Packet time goes on by the ring's own pulse, so a session that nobody ends is told all the same."""
    half = Dialogue().greet().envelope().c("DATA").s("354 go").c("Subject: x").flow(close=None)
    with listening(net, "b0", limits={"flow_idle_timeout_ms": 300}) as listener:
        net.send_frames("a0", octets_of(half))
        (record,) = listener.wait_for(1)
    assert record["outcome"] in ("aborted", "unknown")


def test_what_is_in_the_ring_is_read_and_what_is_open_is_told_at_the_end(net: Namespace) -> None:
    half = Dialogue().greet().mail(1).envelope().c("DATA").s("354 go").c("Subject: x").flow(close=None)
    # The timer of the ring would show nothing for a second: the end waits for it.
    with listening(net, "b0", block_timeout_ms=1_000) as listener:
        net.send_frames("a0", octets_of(half))
        began = time.monotonic()
        records = listener.end()
        assert time.monotonic() - began < PATIENCE_S / 2
    assert [record["outcome"] for record in records] == ["delivered", "aborted"] or [
        record["outcome"] for record in records
    ] == ["delivered", "unknown"]


# ---- the command


def test_sniff_tells_records_as_they_come_and_ends_on_ctrl_c_with_the_summary(net: Namespace) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        process = net.sniff("-i", "b0", "--events", "-", "--internal-domain", "corp.example")
        assert process.stdout is not None
        send_one(net, number)
        record = json.loads(process.stdout.readline())
        assert (record["tap"], record["reverse_path"]) == ("live", f"from{int(number)}@a.example")
        process.send_signal(number)
        _, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, err
        assert b"in 1 mail" in err
        assert b"Interrupted" not in err


def test_a_reader_that_goes_away_ends_the_capture_quietly(net: Namespace) -> None:
    process = net.sniff("-i", "b0", "--events", "-")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    send_one(net, 1)
    assert process.wait(PATIENCE_S) == 141
    assert process.stderr.read() == b""
    process.stderr.close()


def test_sniff_says_what_was_lost(net: Namespace) -> None:
    process = net.sniff("-i", "b0")
    assert process.stderr is not None
    net.ip("link", "set", "b0", "down")
    assert b"interface_down interface=b0" in process.stderr.readline()
    net.up("b0")
    assert b"interface_up interface=b0" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 3
    assert b"b0 was not captured all the time: it went down or away once" in b" ".join(out.split())


def test_an_unknown_interface_is_answered_with_those_there_are() -> None:
    ended = mailsensor("sniff", "-i", "nothing0")
    assert ended.status == 1
    assert "nothing0: no such interface; there are:" in ended.words
    assert "lo" in ended.words


def test_without_the_right_it_says_how_to_get_it() -> None:
    """Root without CAP_NET_RAW stands for any user: the kernel asks for the right alone."""
    if os.geteuid() != 0:
        before: tuple[str, ...] = ()
    else:
        before = (needs("setpriv", "util-linux"), "--inh-caps=-net_raw", "--bounding-set=-net_raw")
    ended = mailsensor("sniff", "-i", "lo", before=before)
    assert ended.status == 1
    assert "lo: this user may not capture: it takes CAP_NET_RAW" in ended.words
    assert "setcap" in ended.words
    assert "AmbientCapabilities" in ended.words


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "no interface is named"),
        (("-i", "lo", "--port", "25", "--all-traffic"), "one or the other"),
        (("-i", "lo", "--events", "-", "--alerts", "-"), "only one can have standard output"),
        (("-i", "a-name-longer-than-any"), "no such interface"),
    ],
)
def test_what_a_user_can_put_right_is_one_line(arguments: tuple[str, ...], words: str) -> None:
    ended = mailsensor("sniff", *arguments)
    assert (ended.status, ended.out) == (1, b"")
    assert words in ended.words
    assert ended.err.count(b"\n") == 1


def test_a_ring_that_fits_no_memory_is_refused(net: Namespace) -> None:
    with pytest.raises(TapError, match="ring_octets must be from 262144"):
        open_tap(net, "b0", ring_octets=1)
