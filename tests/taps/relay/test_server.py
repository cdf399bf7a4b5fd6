"""What sessions share: bounds, loops, back-pressure, verdicts on real mail, and the command that runs it all."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sensor.inline import judge as judge_module
from sensor.settings import InlineRule, InlineSettings, RelaySettings
from sensor.taps.base import TapError
from sensor.taps.relay import server as server_module
from sensor.taps.relay import splice
from sensor.taps.relay.server import bound, refuse_own_listener
from tests.running import COMMAND, environment, mailsensor
from tests.service import free_port, running
from tests.taps.relay.next_hop import SILENT, next_hop, on_a_thread
from tests.taps.relay.relaying import LOOPS, Client, Relay, relaying

IP_LOCAL_PORT_RANGE = 51
"""linux/in.h; Python has no name for it yet."""

FORWARD = (
    b"Message-ID: <forward@corp.example>\r\nResent-From: ann@corp.example\r\n"
    b"X-MS-Exchange-Inbox-Rules-Loop: ann@corp.example\r\nFrom: sue@other.example\r\nTo: ann@corp.example\r\n"
    b"Subject: hi\r\n\r\nbody\r\n"
)
PLAIN = b"Message-ID: <plain@corp.example>\r\nFrom: ann@corp.example\r\nSubject: hi\r\n\r\nbody\r\n"


def send(client: Client, content: bytes) -> int:
    return client.mail(content, recipients=[b"drop@evil.example"])


# ---- verdicts


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    ("rule", "reply", "outcome"),
    [
        (
            InlineRule(name="no", action="reject", reply=(550, "5.7.1", "Not allowed")),
            b"550 5.7.1 Not allowed\r\n",
            "rejected",
        ),
        (InlineRule(name="no", action="defer", reply=(451, "4.7.1", "Later")), b"451 4.7.1 Later\r\n", "deferred"),
        (InlineRule(name="no", action="quarantine"), b"451 4.7.1 ", "deferred"),
        (InlineRule(name="no", action="reject", reply=(550, "5.7.1", "No"), dry_run=True), b"250 ", "delivered"),
        (InlineRule(name="no", action="observe"), b"250 ", "delivered"),
    ],
    ids=["reject", "defer", "quarantine", "dry run", "observe"],
)
def test_a_forward_gets_what_its_rule_says_and_other_mail_passes(
    rule: InlineRule, reply: bytes, outcome: str, loop: str
) -> None:
    with next_hop() as server, relaying(server.port, rules=[rule], event_loop=loop) as relay:
        for content in (PLAIN, FORWARD):
            with Client(relay.port) as client:
                client.hello()
                code = send(client, content)
                heard = client.text
                assert client.ask(b"QUIT") == 221
            assert code == 250 if content == PLAIN else heard.startswith(reply)
        relay.stop()
        assert len(server.kept) == 1 + (outcome == "delivered")
    assert [mail.outcome for mail in relay.transactions] == ["delivered", outcome]


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("size", [100, 200_000])
@pytest.mark.parametrize("step", [7, 10**6])
def test_a_tag_is_put_above_a_forward_and_nowhere_else(size: int, step: int, loop: str) -> None:
    body = b"x" * 70 + b"\r\n"
    with (
        next_hop() as server,
        relaying(server.port, rules=[InlineRule(name="mark", action="tag")], event_loop=loop) as relay,
    ):
        for content in (PLAIN, FORWARD):
            with Client(relay.port) as client:
                client.hello()
                for command in (b"MAIL FROM:<ann@corp.example>", b"RCPT TO:<drop@evil.example>", b"DATA"):
                    client.ask(command)
                whole = b"X-Mailflow-Sensor: forged\r\n" + content + body * (size // len(body)) + b".\r\n"
                cut = min(len(whole), 2_000)
                for at in range(0, cut, step):
                    client.send(whole[at : min(at + step, cut)])
                client.send(whole[cut:])
                assert client.reply() == 250
        plain, tagged = server.kept
        rest = body * (size // len(body))
        assert plain == PLAIN + rest
        tag, _, behind = tagged.partition(b"\r\n")
        assert tag.startswith(b"X-Mailflow-Sensor: auto; level=user")
        assert behind == FORWARD + rest


@pytest.mark.parametrize(("on_failure", "code"), [("open", 250), ("closed", 451)])
def test_a_verdict_that_hangs_holds_no_mail_for_longer_than_its_time(
    on_failure: Any, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go = threading.Event()
    monkeypatch.setattr(judge_module, "classify", lambda *_: let_go.wait(30))
    rule = InlineRule(name="no", action="reject", reply=(550, "5.7.1", "No"))
    inline = InlineSettings(rules=(rule,), on_failure=on_failure, verdict_timeout_ms=100)
    with next_hop() as server, relaying(server.port, inline=inline) as relay, Client(relay.port) as client:
        client.hello()
        began = time.monotonic()
        assert send(client, FORWARD) == code
        assert time.monotonic() - began < 5
        assert relay.tap.counters()["inline_verdicts_late"] == 1
        let_go.set()


@pytest.mark.parametrize(("on_failure", "code"), [("open", 250), ("closed", 451)])
def test_mail_that_could_not_be_observed_passes_or_not_as_was_chosen(
    on_failure: Any, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = InlineRule(name="no", action="reject", reply=(550, "5.7.1", "No"))
    inline = InlineSettings(rules=(rule,), on_failure=on_failure)

    def full(**_: Any) -> int:
        raise OverflowError

    with next_hop() as server, relaying(server.port, inline=inline) as relay:
        monkeypatch.setattr(relay.tap.core, "open", full)
        with Client(relay.port) as client:
            client.hello()
            assert send(client, FORWARD) == code
        assert relay.count("mails_unjudged") == 1
        assert relay.count("observer_failures") == 0


# ---- bounds


@pytest.mark.parametrize("loop", LOOPS)
def test_sessions_are_bounded_for_each_client_and_in_all(loop: str) -> None:
    with (
        next_hop() as server,
        relaying(server.port, max_sessions=5, max_sessions_per_client=3, event_loop=loop) as relay,
    ):
        ours = [Client(relay.port) for _ in range(3)]
        assert [each.reply() for each in ours] == [220] * 3
        with Client(relay.port) as one_too_many:
            assert (one_too_many.reply(), one_too_many.text[:10]) == (421, b"421 4.7.0 ")
        others = [Client(relay.port, source=f"127.0.0.{number}") for number in (2, 3)]
        assert [each.reply() for each in others] == [220] * 2
        with Client(relay.port, source="127.0.0.4") as one_too_many:
            assert one_too_many.reply() == 421
        ours[0].socket.close()
        deadline = time.monotonic() + 5
        code = 0
        while code != 220 and time.monotonic() < deadline:
            with Client(relay.port) as again:
                code = again.reply()
        assert code == 220
        for each in (*ours, *others):
            each.socket.close()
        assert relay.count("sessions_refused") >= 2


@pytest.mark.parametrize("loop", LOOPS)
def test_a_relay_that_is_its_own_next_hop_does_not_call_itself_for_ever(loop: str) -> None:
    """By a forwarded port, say, so that it can't be seen at the start."""
    relay_port = free_port()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward, back = await asyncio.open_connection("127.0.0.1", relay_port)
        await asyncio.gather(_copy(reader, back), _copy(onward, writer))

    with (
        on_a_thread(forward) as port,
        relaying(port, listen=f"127.0.0.1:{relay_port}", max_sessions_per_client=20, event_loop=loop) as relay,
    ):
        with Client(relay.port) as client:
            assert client.reply() == 421
        assert relay.count("sessions") == 20
        assert relay.count("sessions_refused") == 1


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while octets := await reader.read(65_536):
            writer.write(octets)
    except (OSError, asyncio.CancelledError):
        pass
    finally:
        writer.close()


@pytest.mark.parametrize("loop", LOOPS)
def test_a_client_on_the_same_machine_may_have_the_port_that_leads_to_the_next_hop(loop: str) -> None:
    """A port is given away again where the other end differs: 554 was the answer to one client in thousands."""
    with next_hop() as server, relaying(server.port, event_loop=loop) as relay, Client(relay.port) as first:
        assert first.hello() == 250
        [((_, port), _)] = relay.tap._server._own  # noqa: SLF001
        with socket.socket() as second:
            try:
                second.setsockopt(socket.IPPROTO_IP, IP_LOCAL_PORT_RANGE, struct.pack("@I", port << 16 | port))
            except OSError:
                pytest.skip("Linux lets a program choose such a port since 6.3")
            second.settimeout(20)
            second.connect(("127.0.0.1", relay.port))
            assert second.getsockname() == ("127.0.0.1", port)
            assert second.recv(3) == b"220"


@pytest.mark.parametrize("loop", LOOPS)
def test_a_connection_from_itself_is_seen_at_once(loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a name that came to mean ourselves after the start."""
    monkeypatch.setattr(server_module, "refuse_own_listener", lambda *_: None)
    port = free_port()
    with relaying(port, listen=f"127.0.0.1:{port}", event_loop=loop) as relay:
        with Client(port) as client:
            assert client.reply() in (421, 554)
        assert relay.count("loops_refused") >= 1
        assert relay.count("sessions") <= 3


def test_a_next_hop_that_is_the_relay_itself_is_refused_at_the_start() -> None:
    port = free_port()
    with pytest.raises(TapError, match="where the relay itself listens"):
        refuse_own_listener(
            RelaySettings(listen=f"0.0.0.0:{port}", next_hop=f"127.0.0.1:{port}"), bound(f"0.0.0.0:{port}")
        )
    with pytest.raises(TapError, match="where the relay itself listens"):
        refuse_own_listener(RelaySettings(listen=f"[::]:{port}", next_hop=f"127.0.0.1:{port}"), bound(f"[::]:{port}"))
    listeners = bound(f"127.0.0.1:{port}")
    refuse_own_listener(RelaySettings(next_hop=f"127.0.0.2:{port}"), listeners)
    refuse_own_listener(RelaySettings(next_hop=f"nowhere.invalid:{port}"), listeners)
    for each in listeners:
        each.close()


def test_a_port_that_is_taken_is_told_before_anything_runs() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(TapError, match=r"relay\.listen 127\.0\.0\.1"):
            bound(f"127.0.0.1:{port}")


async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A next hop that takes every mail, a little at a time."""
    try:
        await _take_slowly(reader, writer)
    finally:
        writer.close()


async def _take_slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 slow\r\n")
    while line := await reader.readline():
        is_data = line.startswith(b"DATA")
        writer.write(b"354 Go on\r\n" if is_data else b"250 Ok\r\n")
        end = b""
        while is_data and end != b"\r\n.\r\n":
            end = (end + await reader.read(65_536))[-5:]
            await asyncio.sleep(0.0005)
        if is_data:
            writer.write(b"250 2.0.0 Ok\r\n")


def large_mail(port: int, octets: int) -> None:
    line = b"x" * 998 + b"\r\n"
    with Client(port) as client:
        client.hello()
        for command in (b"MAIL FROM:<a@b>", b"RCPT TO:<c@d>", b"DATA"):
            client.ask(command)
        client.send(b"Subject: a\r\n\r\n")
        for _ in range(octets // 100_000):
            client.send(line * 100)
        client.send(b".\r\n")
        assert client.reply() == 250


@pytest.mark.parametrize("loop", LOOPS)
def test_large_mails_take_no_memory(loop: str) -> None:
    """Three of 30 MB at once, to a next hop that is slow to read: what it has not read waits with the clients."""
    with on_a_thread(slow, limit=65_536) as port, relaying(port, event_loop=loop) as relay:
        large_mail(relay.port, 1_000_000)
        writers = [threading.Thread(target=large_mail, args=(relay.port, 30_000_000)) for _ in range(3)]
        # What the transports of one session may hold, and what one read may add.
        assert _most_waiting(relay, writers) < 1_000_000
        assert relay.count("mails_taken") == 4


def _most_waiting(relay: Relay, writers: list[threading.Thread]) -> int:
    """The most octets that waited in one direction of one session while *writers* wrote."""
    sessions = relay.tap._server._sessions  # noqa: SLF001 - memory is looked at from within
    for each in writers:
        each.start()
    most = 0
    while any(each.is_alive() for each in writers):
        for session in tuple(sessions):
            for leg in (session.client, session.next_hop):
                if leg.transport is not None:
                    most = max(most, leg.transport.get_write_buffer_size())
        time.sleep(0.002)
    return most


@pytest.mark.parametrize("loop", LOOPS)
def test_a_client_that_does_not_read_stops_its_next_hop_and_nobody_else(loop: str) -> None:
    giant = b"250-" + b"x" * 900 + b"\r\n"
    with (
        next_hop({"HELP": giant * 60 + b"250 Ok\r\n"}) as server,
        relaying(server.port, event_loop=loop) as relay,
        Client(relay.port) as deaf,
        Client(relay.port) as other,
    ):
        deaf.hello()
        deaf.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):
            _ask_for_ever(deaf)
        other.hello()
        assert send(other, PLAIN) == 250
        assert _most_waiting(relay, []) < 1_000_000


def _ask_for_ever(client: Client) -> None:
    while True:
        client.send(b"HELP\r\n" * 100)


@pytest.mark.parametrize("loop", LOOPS)
def test_lmtp_passes_with_a_reply_for_each_recipient(loop: str) -> None:
    with next_hop(is_lmtp=True) as server, relaying(server.port, event_loop=loop) as relay:
        with Client(relay.port) as client:
            client.hello(b"LHLO")
            for _ in range(20):
                assert client.mail(PLAIN, recipients=[b"a@c", b"b@c", b"c@c"]) == 250
                assert [client.reply(), client.reply()] == [250, 250]
            assert client.ask(b"QUIT") == 221
        relay.stop()
    assert len(relay.transactions) == 20
    assert {mail.session.protocol for mail in relay.transactions} == {"lmtp"}


# ---- as a command, and in the service


@contextmanager
def commanded(next_hop_port: int, log: Path, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """``mailsensor relay`` to that next hop, once it listens, and its port; what it says is in *log*."""
    port = free_port()
    ends = "--listen", f"127.0.0.1:{port}", "--next-hop", f"127.0.0.1:{next_hop_port}"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*COMMAND, "relay", *ends, *options],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    try:
        _until(lambda: "info listening" in log.read_text())
        yield process, port
    finally:
        process.kill()
        process.wait()


def test_the_command_relays_and_writes_records(tmp_path: Path) -> None:
    records, log = tmp_path / "records.jsonl", tmp_path / "log"
    options = "--events", str(records), "--internal-domain", "corp.example"
    with next_hop() as server, commanded(server.port, log, *options) as (process, port):
        with Client(port) as client:
            client.hello()
            assert send(client, FORWARD) == 250
            _until(lambda: records.exists() and records.read_text().count("\n") == 1)
            os.kill(process.pid, signal.SIGTERM)
            # Between mails: let go.
            assert client.reply() == 421
        assert process.wait(20) == 0
    record = json.loads(records.read_text())
    assert (record["tap"], record["outcome"], record["forwarding"]["kind"]) == ("relay", "delivered", "auto")
    assert "ann@corp.example" in log.read_text()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_mail_flows_while_the_disk_is_full(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with next_hop() as server, commanded(server.port, log, "--events", "/dev/full") as (process, port):
        for _ in range(3):
            with Client(port) as client:
                client.hello()
                assert send(client, PLAIN) == 250
            _until(lambda: "records_lost" in log.read_text())
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(20) == 3
    assert len(server.kept) == 3
    assert log.read_text().count("records_lost") == 1


@pytest.mark.parametrize("loop", LOOPS)
def test_a_stop_waits_for_mail_on_its_way_but_not_for_ever(loop: str) -> None:
    with next_hop({"committed": SILENT}) as server, relaying(server.port, drain_s=0.5, event_loop=loop) as relay:
        with Client(relay.port) as client:
            client.hello()
            for command in (b"MAIL FROM:<a@b>", b"RCPT TO:<c@d>", b"DATA"):
                client.ask(command)
            client.send(PLAIN + b".\r\n")
            _until(lambda: relay.count("mails_passed") == 1)
            began = time.monotonic()
            relay.stop()
            assert 0.4 < time.monotonic() - began < 5
            assert client.reply() in (0, 451)
        assert relay.count("mails_ambiguous") == 1
        assert relay.count("mails_taken") == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "a relay has two ends"),
        (("--listen", "127.0.0.1:0"), "a relay has two ends"),
        (("--listen", "nowhere", "--next-hop", "127.0.0.1:25"), "--listen must be an address and port"),
        (("--listen", "127.0.0.1:0", "--next-hop", "127.0.0.1"), "--next-hop must be a host and port"),
        (("--listen", "192.0.2.1:2525", "--next-hop", "127.0.0.1:25"), "relay.listen 192.0.2.1:2525: Cannot assign"),
        (
            ("--listen", "127.0.0.1:0", "--next-hop", "127.0.0.1:9", "--events", "-", "--alerts", "-"),
            "only one can have",
        ),
    ],
)
def test_a_wrong_end_is_told(arguments: tuple[str, ...], words: str) -> None:
    ended = mailsensor("relay", *arguments)
    assert ended.status == 1
    assert words in ended.words


def test_the_service_relays_beside_its_other_work(tmp_path: Path) -> None:
    port = free_port()
    with next_hop() as server:
        settings = f'[relay]\nlisten = "127.0.0.1:{port}"\nnext_hop = "127.0.0.1:{server.port}"'
        with running(tmp_path, settings) as service:
            with Client(port) as client:
                client.hello()
                assert send(client, FORWARD) == 250
                assert client.ask(b"QUIT") == 221
            service.until(lambda: service.metric("mailsensor_relay_mails_taken_total", worker="relay") == 1)
            assert service.end() == 0


def test_a_reload_puts_a_new_relay_in_the_place_of_the_old_one(tmp_path: Path) -> None:
    port = free_port()
    smuggled = PLAIN + b"body\n.\nmore\r\n"
    with next_hop() as server:
        settings = f'[relay]\nlisten = "127.0.0.1:{port}"\nnext_hop = "127.0.0.1:{server.port}"\n'
        with running(tmp_path, settings) as service:
            with Client(port) as before:
                before.hello()
                assert send(before, smuggled) == 250
                text = service.settings.read_text()
                service.settings.write_text(text.replace("[relay]\n", '[relay]\nsmuggling = "refuse"\n'))
                service.send(signal.SIGHUP)
                assert before.reply() == 421
            service.until(lambda: "settings_reloaded" in service.log)
            with Client(port) as after:
                after.hello()
                assert send(after, smuggled) == 550
            assert service.end() == 0


def test_secrets_are_told_nowhere(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    secret = b"UExBTlRFRC1TRUNSRVQ="
    with next_hop({"AUTH": b"334 \r\n", secret.decode().upper(): b"235 2.7.0 Ok\r\n"}) as server:
        with relaying(server.port) as relay:
            with Client(relay.port) as client:
                client.hello()
                assert client.ask(b"AUTH PLAIN") == 334
                assert client.ask(secret) == 235
                assert send(client, PLAIN) == 250
            relay.stop()
        assert secret + b"\r\n" in server.heard
    out = capfd.readouterr()
    told = out.out + out.err + repr(relay.events) + repr(relay.tap.counters())
    assert secret.decode() not in told
    assert "PLANTED-SECRET" not in told


def _until(holds: Any) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_fault_ends_its_own_session_and_no_other(
    loop: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    command = splice.Splice._command  # noqa: SLF001

    def fails(self: splice.Splice, line: bytes, *, is_last: bool) -> None:
        if line == b"FAIL\r\n":
            raise ValueError("ann@corp.example")
        command(self, line, is_last=is_last)

    monkeypatch.setattr(splice.Splice, "_command", fails)
    with next_hop() as server, relaying(server.port, event_loop=loop) as relay:
        with Client(relay.port) as failing, Client(relay.port) as other:
            failing.hello()
            other.hello()
            assert failing.ask(b"FAIL") == 0
            assert send(other, PLAIN) == 250
        relay.stop()
        assert relay.count("faults") == 1
    told = capfd.readouterr().err
    assert "relay_fault" in told
    assert "ann@corp.example" not in told


def test_descriptors_are_given_back() -> None:
    def opened() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 200
    with next_hop() as server, relaying(server.port, max_sessions_per_client=1_000) as relay:
        with Client(relay.port) as client:
            client.hello()
        _until(lambda: not relay.tap._server._sessions)  # noqa: SLF001
        before = opened()
        for number in range(100):
            with Client(relay.port) as client:
                client.hello()
                if number % 2:
                    client.mail(PLAIN)
        _until(lambda: not relay.tap._server._sessions)  # noqa: SLF001
        _until(lambda: opened() <= before + 2)
