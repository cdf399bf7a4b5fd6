"""Syslog: messages that a parser of RFC 5424 reads back, and deliveries that count only what the other side took."""

import asyncio
import io
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.alert.dispatch import open_sinks
from sensor.alert.policy import Policy
from sensor.alert.record import AlertRecord, record_of
from sensor.alert.sinks.base import Delivered
from sensor.alert.sinks.syslog import FRESH_WAIT_S, SyslogSink
from sensor.alert.sinks.syslog_message import Form
from sensor.log import Log
from sensor.settings import SyslogSettings, TlsSettings
from tests.alert.findings import NOW_MS, finding, settings
from tests.alert.receivers import Certificates, free_port, make_certificates
from tests.running import needs
from tests.waiting import PATIENCE_S, until

(ALERT,) = Policy(settings()).take([finding()], NOW_MS)
RECORD = record_of(ALERT, sensor="test")
FORM = Form(facility="local0", host_name="span-1", process_id=7, enterprise_number=32473, max_octets=8192)


def record(number: int = 0, **changed: object) -> AlertRecord:
    return msgspec.structs.replace(RECORD, id=f"{number:032x}", **changed)


# ---- the message

# RFC 5424 6, as its grammar has it, for one element of structured data.
GRAMMAR = re.compile(
    rb"<(?P<pri>\d{1,3})>1 (?P<time>\S+) (?P<host>[!-~]{1,255}) (?P<app>[!-~]{1,48}) (?P<proc>[!-~]{1,128}) "
    rb"(?P<msgid>[!-~]{1,32}) \[(?P<name>[!-~]{1,32}?)(?P<data>( [a-z_]{1,32}=\"([^\"\\\]]|\\[\"\\\]])*\")*)\]"
    rb"( (?P<text>.*))?",
    re.DOTALL,
)


def read(message: bytes) -> tuple[dict[str, bytes], list[tuple[str, str]]]:
    """Header and text, and the parameters, of a message that fits the grammar."""
    match = GRAMMAR.fullmatch(message)
    assert match is not None, message
    parameters = re.findall(rb' ([a-z_]+)="((?:[^"\\\]]|\\["\\\]])*)"', match["data"])
    return match.groupdict(), [(key.decode(), re.sub(rb"\\(.)", rb"\1", value).decode()) for key, value in parameters]


def test_a_message_tells_the_alert() -> None:
    header, parameters = read(FORM.message(RECORD))
    assert header["pri"] == b"132", "local0.warning"
    assert header["time"] == b"2026-11-22T00:00:00.000000Z"
    assert (header["host"], header["app"], header["proc"], header["msgid"], header["name"]) == (
        b"span-1", b"mailsensor", b"7", b"new_forwarder", b"alert@32473",
    )  # fmt: skip
    assert header["text"] == RECORD.summary.encode()
    told = dict(parameters)
    assert (told["id"], told["updates"], told["status"], told["redelivered"]) == (RECORD.id, "0", "firing", "false")
    assert (told["mailbox"], told["destination"]) == ("fay@corp.example", "fay.home@dst.example")
    assert told["evidence_head"] == RECORD.evidence.head


@pytest.mark.parametrize(
    ("severity", "priority"), [("critical", 130), ("high", 131), ("medium", 132), ("low", 133), ("informational", 134)]
)
def test_a_severity_has_its_priority(severity: str, priority: int) -> None:
    assert FORM.message(record(severity=severity)).startswith(f"<{priority}>1 ".encode())


def test_a_value_can_not_leave_its_quotes() -> None:
    mailbox = 'a"] [x y="1"\\@corp.example\r\n<13>1 - - - - - -\x00\u202e'
    _, parameters = read(FORM.message(record(mailboxes=[mailbox])))
    assert dict(parameters)["mailbox"] == 'a"] [x y="1"\\@corp.example\\x0d\\x0a<13>1 - - - - - -\\x00\\u202e'


def test_text_beyond_ascii_begins_with_a_bom() -> None:
    header, _ = read(FORM.message(record(summary="fäy forwards")))
    assert header["text"] == b"\xef\xbb\xbf" + "fäy forwards".encode()


def test_a_long_message_keeps_who_it_is_about_and_a_text() -> None:
    long = record(destinations=[f"{'ü' * 200}{number}@dst.example" for number in range(99)], summary="ü" * 9000)
    for most in (480, 2048, 8192):
        message = Form("local0", "h", 1, 32473, most).message(long)
        header, parameters = read(message)
        assert len(message) <= most
        assert dict(parameters)["id"] == long.id
        assert header["text"].startswith(b"\xef\xbb\xbf" + "ü".encode())
        assert len(message) > most - 450


@given(
    host=st.text(max_size=300),
    summary=st.text(max_size=300),
    names=st.lists(st.text(max_size=700), max_size=40),
    most=st.sampled_from([480, 1024, 8192]),
)
def test_any_text_gives_a_message_of_the_grammar_within_the_bound(
    host: str, summary: str, names: list[str], most: int
) -> None:
    message = Form("auth", host, 1, 1, most).message(record(summary=summary, mailboxes=names, destinations=names))
    header, _ = read(message)
    assert len(message) <= most or len(host) > 200
    assert all(octet >= 32 for octet in message), "no control character, so no receiver splits it"
    assert header["host"]


# ---- delivery


def delivered(*batches: list[AlertRecord], between: Any = None, **options: Any) -> list[Delivered]:
    """What a sink makes of each batch; *between* is called after each."""

    async def work() -> list[Delivered]:
        sink = SyslogSink(SyslogSettings(name="s", host="127.0.0.1", **({"timeout_s": 30.0} | options)))
        told = []
        for batch in batches:
            told.append(await sink.deliver(batch))
            if between is not None:
                await asyncio.to_thread(between)
        await sink.close()
        told.append(await sink.deliver([record()]))
        return told

    *told, closed = asyncio.run(work())
    assert closed == Delivered(0, problem="the sink is closed")
    return told


def unframed(octets: bytes) -> list[bytes]:
    """The messages of a stream with octet counting."""
    messages = []
    while octets:
        length, _, octets = octets.partition(b" ")
        messages.append(octets[: int(length)])
        octets = octets[int(length) :]
    return messages


class Listener:
    """Takes connections one after the other, and keeps what came; closes each after *octets*, if told to."""

    def __init__(self, *, octets: int | None = None, reads: bool = True) -> None:
        self.received = bytearray()
        self.connections = 0
        self._octets, self._reads = octets, reads
        self._ended = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(0.05)
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while not self._ended.is_set():
            try:
                connection, _ = self._socket.accept()
            except TimeoutError:
                continue
            self.connections += 1
            with connection:
                self._read(connection)

    def _read(self, connection: socket.socket) -> None:
        connection.settimeout(0.05)
        got = 0
        while not self._ended.is_set() and (self._octets is None or got < self._octets):
            try:
                part = connection.recv(65536) if self._reads else self._ended.wait(0.05)
            except TimeoutError:
                continue
            if part == b"":
                return
            if isinstance(part, bytes):
                got += len(part)
                self.received += part


@contextmanager
def listening(**options: Any) -> Iterator[Listener]:
    listener = Listener(**options)
    try:
        yield listener
    finally:
        listener.close()


def test_over_tcp_messages_are_framed_by_their_octets_on_one_connection() -> None:
    with listening() as listener:
        batches = [[record(1, summary="ü\nü"), record(2)], [record(3)]]
        assert delivered(*batches, transport="tcp", port=listener.port) == [Delivered(2), Delivered(1)]
        until(lambda: len(unframed(bytes(listener.received))) == 3)
    ids = [dict(read(message)[1])["id"] for message in unframed(bytes(listener.received))]
    assert [int(each, 16) for each in ids] == [1, 2, 3]
    assert listener.connections == 1


def test_a_connection_that_ended_meanwhile_is_made_anew_before_anything_is_sent() -> None:
    with listening(octets=1) as listener:
        count = 0

        def until_closed() -> None:
            nonlocal count
            count += 1
            until(lambda: len(listener.received) > 0 and listener.connections == count)
            threading.Event().wait(0.2)

        batches = [[record(number)] for number in range(3)]
        told = delivered(*batches, between=until_closed, transport="tcp", port=listener.port)
    # That the connection ended right behind the message is a doubt, and never a loss.
    assert all(each.count + each.unsure == 1 for each in told)
    assert len(unframed(bytes(listener.received))) == 3


def test_a_receiver_that_ends_a_new_connection_while_it_is_looked_at_has_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is sent before, and the looking ends with the connection: it is far shorter than the time for it."""
    monkeypatch.setitem(FRESH_WAIT_S, "tcp", 3_600.0)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def end_soon() -> None:
            connection, _ = server.accept()
            threading.Event().wait(0.3)
            connection.close()

        ending = threading.Thread(target=end_soon)
        ending.start()
        port = server.getsockname()[1]
        (told,) = delivered([record()], transport="tcp", port=port, timeout_s=4 * PATIENCE_S)
        ending.join()
    assert (told.count, told.unsure) == (0, 0)
    assert "closes the connection as soon as it stands" in str(told.problem)


def test_a_short_time_for_a_batch_is_not_spent_on_looking_alone() -> None:
    with listening() as listener:
        options = {"transport": "tcp", "port": listener.port, "timeout_s": 0.1}
        until(lambda: delivered([record()], **options) == [Delivered(1)], "a delivery within a tenth of a second")


def test_a_receiver_that_does_not_read_is_given_up_in_time_and_doubted() -> None:
    with listening(reads=False) as listener:
        big = [record(number, destinations=[f"{'x' * 300}@dst.example"] * 16) for number in range(64)]
        told = delivered(*[big] * 4, transport="tcp", port=listener.port, timeout_s=0.5)
    assert told[-1].count == 0
    failed = next(each for each in told if each.count == 0)
    assert (failed.unsure, "not taken within 0.5 s" in str(failed.problem)) == (64, True)


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_nobody_there_is_sure_not_to_have_it(transport: str) -> None:
    (told,) = delivered([record()], transport=transport, port=free_port())
    assert (told.count, told.unsure) == (0, 0)
    assert "Connection refused" in str(told.problem)


def test_datagrams_arrive_each_as_one_message() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(10)
        port = receiver.getsockname()[1]
        assert delivered([record(1), record(2)], transport="udp", port=port) == [Delivered(2)]
        messages = [receiver.recv(65536) for _ in range(2)]
    assert [int(dict(read(message)[1])["id"], 16) for message in messages] == [1, 2]
    assert max(map(len, messages)) <= 2048


def test_a_datagram_that_nobody_takes_is_a_problem() -> None:
    (told,) = delivered([record()], transport="udp", port=free_port(socket.SOCK_DGRAM))
    assert told.count == 0
    assert "Connection refused" in str(told.problem)


# ---- a real rsyslog, with GnuTLS


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("tls"), needs("openssl", "openssl"))


class Rsyslog:
    """An rsyslogd of its own on loopback; what it took stands in ``lines``, one message each."""

    def __init__(self, folder: Path, certificates: Certificates, port: int, *, checks_clients: bool = False) -> None:
        self.program = needs("rsyslogd", "rsyslog rsyslog-gnutls")
        self.folder, self.port = folder, port
        self.process: subprocess.Popen[bytes] | None = None
        mode = 'StreamDriver.AuthMode="x509/certvalid"' if checks_clients else 'StreamDriver.AuthMode="anon"'
        (folder / "rsyslog.conf").write_text(
            f"""
            global(workDirectory="{folder}" maxMessageSize="64k" DefaultNetstreamDriverCAFile="{certificates.authority}"
                   DefaultNetstreamDriverCertFile="{certificates.certificate}"
                   DefaultNetstreamDriverKeyFile="{certificates.key}")
            module(load="imtcp" StreamDriver.Name="gtls" StreamDriver.Mode="1" {mode})
            input(type="imtcp" address="127.0.0.1" port="{port}")
            template(name="parsed" type="string"
                     string="%pri% %hostname% %app-name% %msgid% %structured-data%|%msg%\\n")
            action(type="omfile" file="{folder}/messages" template="parsed" asyncWriting="off" flushOnTXEnd="on")
            """
        )

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.program, "-n", "-f", str(self.folder / "rsyslog.conf"), "-i", str(self.folder / "pid")],
                stdout=log, stderr=log,
            )  # fmt: skip
        until(self._listens)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=30)
            self.process = None

    @property
    def lines(self) -> list[str]:
        path = self.folder / "messages"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def ids(self) -> list[int]:
        return [int(found, 16) for line in self.lines for found in re.findall(r' id="([0-9a-f]{32})"', line)]

    def _listens(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@contextmanager
def rsyslog(folder: Path, certificates: Certificates, **options: Any) -> Iterator[Rsyslog]:
    server = Rsyslog(folder, certificates, free_port(), **options)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def test_a_real_rsyslog_takes_messages_over_tls(tmp_path: Path, certificates: Certificates) -> None:
    odd = 'ü"] [\\\n@corp.example'
    with rsyslog(tmp_path, certificates) as server:
        options = {"transport": "tls", "port": server.port, "tls": TlsSettings(ca_file=str(certificates.authority))}
        batches = [[record(1), record(2, mailboxes=[odd], summary="fäy")], [record(3)]]
        assert delivered(*batches, **options) == [Delivered(2), Delivered(1)]
        until(lambda: len(server.lines) >= 3)
    assert server.ids == [1, 2, 3]
    host = re.escape(socket.gethostname())
    assert re.match(rf"132 {host} mailsensor new_forwarder \[alert@32473 id=", server.lines[0])
    assert server.lines[0].endswith("|" + RECORD.summary)
    assert r'mailbox="ü\"\] [\\\\x0a@corp.example"' in server.lines[1]


def test_a_syslog_of_another_authority_gets_nothing(tmp_path: Path, certificates: Certificates) -> None:
    with rsyslog(tmp_path, certificates) as server:
        for tls in (TlsSettings(), TlsSettings(ca_file=str(certificates.stranger))):
            (told,) = delivered([record()], transport="tls", port=server.port, tls=tls)
            assert (told.count, told.unsure) == (0, 0)
            assert "TLS failed" in str(told.problem)
    assert server.lines == []


def test_a_syslog_that_wants_a_certificate_has_nothing_without_and_everything_with(
    tmp_path: Path, certificates: Certificates
) -> None:
    ours = {"cert_file": str(certificates.certificate), "key_file": str(certificates.key)}
    authority = {"ca_file": str(certificates.authority)}
    with rsyslog(tmp_path, certificates, checks_clients=True) as server:
        # A receiver that is slow to say so has taken the message by then, as far as TCP tells.
        refused = partial(delivered, [record(1)], transport="tls", port=server.port, tls=TlsSettings(**authority))
        until(lambda: refused()[0].count == 0, "the refusal")
        (with_one,) = delivered([record(2)], transport="tls", port=server.port, tls=TlsSettings(**authority, **ours))
        assert with_one == Delivered(1)
        until(lambda: server.lines)
    assert server.ids == [2]


def test_what_a_real_rsyslog_is_owed_comes_when_it_is_back(tmp_path: Path, certificates: Certificates) -> None:
    (tmp_path / "rsyslog").mkdir()
    with rsyslog(tmp_path / "rsyslog", certificates) as server:
        tls = TlsSettings(ca_file=str(certificates.authority))
        sink = SyslogSettings(name="siem", host="localhost", port=server.port, tls=tls)
        spooling = settings(sinks=(sink,), spool_dir=str(tmp_path / "spool"))
        alerts = [msgspec.structs.replace(ALERT, id=f"{number:032x}") for number in range(6)]
        with open_sinks(spooling, {}, sensor="test", log=Log(io.StringIO())) as dispatch:
            dispatch.write(alerts[:2])
            until(lambda: len(server.lines) == 2)
            server.stop()
            for alert in alerts[2:]:
                dispatch.write([alert])
            until(lambda: dispatch.statistics()[0].failures)
            server.start()
            until(lambda: dispatch.statistics()[0].owed == 0)
        until(lambda: set(server.ids) == set(range(6)))
    marked = {number for line, number in zip(server.lines, server.ids, strict=True) if 'redelivered="true"' in line}
    assert {number for number in server.ids if server.ids.count(number) > 1} <= marked
