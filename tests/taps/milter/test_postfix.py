"""A real Postfix that asks a real ``mailsensor milter``: what its clients are answered, and what is kept."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.postfix import Postfix, open_folder, postfix, queue_id_of, snippet
from tests.running import ROOT
from tests.taps.milter.mails import check_each, digest_of, forward, replies_to_each, send
from tests.taps.milter.serving import PATIENCE_S, Milter, serving
from tests.taps.milter.watching import Talk


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as path:
        yield path


OWN = {
    "virtual_mailbox_domains": "corp.example, partner.example, "
    "tag.example, defer.example, reject.example, hold.example",
    "virtual_transport": "keep:",
    "smtpd_recipient_restrictions": "reject_unlisted_recipient",
    "smtpd_authorized_xclient_hosts": "127.0.0.1",
}


def shipped(address: str) -> dict[str, str]:
    """The settings that are shipped, with the socket of the test in the place of that of a service."""
    settings = snippet(ROOT / "deploy" / "postfix" / "milter.cf")
    assert settings["smtpd_milters"] == "unix:/run/mailsensor/milter.sock"
    return OWN | settings | {"smtpd_milters": address}


@contextmanager
def both(folder: Path, *, listen: str = "", milter: str = "", **changes: str) -> Iterator[tuple[Milter, Postfix]]:
    """A milter, and a Postfix that asks it by the settings that are shipped, but for *changes*."""
    with (
        serving(folder, listen=listen, milter=milter) as sensor,
        postfix(shipped(sensor.address) | changes, folder=folder / "postfix") as mta,
    ):
        yield sensor, mta


def send_alone(mta: Postfix, mail: bytes, *, to: str) -> str:
    """As ``send``, in a session of its own."""
    with mta.client() as client:
        return send(client, mail, to=to)


# ---- verdicts


def test_each_verdict_is_carried_out_and_recorded(folder: Path) -> None:
    """Four rules and none, in one SMTP session: each mail gets its own, and nothing of the one before."""
    with both(folder) as (milter, mta):
        with mta.client() as client:
            replies = replies_to_each(client)
        assert mta.delivered(queue_id_of(replies["tag"])).startswith(b"X-Mailflow-Sensor: auto")
        assert b"X-Mailflow-Sensor" not in mta.delivered(queue_id_of(replies["partner"]))
        assert mta.on_hold(queue_id_of(replies["hold"]))
        records = milter.records_of(5)
        check_each(records)
        assert {each["tap"] for each in records} == {"milter"}
        assert {each["flow"]["dst_port"] for each in records} == {mta.port}
        assert records[2]["reply"] == {"code": 550, "enhanced": "5.7.1", "text": "Not 100% allowed"}
        assert milter.end() == 0


def test_tags_of_one_session_differ_and_forged_ones_are_gone(folder: Path) -> None:
    with both(folder) as (_, mta), mta.client() as client:
        forged = b"X-Mailflow-Sensor: none\r\nx-mailflow-sensor: two\r\n\tfolded\r\n"
        first = send(client, forged + forward("tag"), to="eve@tag.example")
        second = send(client, forged + forward("tag", mailbox="carl@corp.example"), to="eve@tag.example")
        third = send(client, forged + forward("partner"), to="eve@partner.example")
        mails = [mta.delivered(queue_id_of(reply)) for reply in (first, second, third)]
    tags = [re.findall(rb"(?im)^X-Mailflow-Sensor: (.*(?:\n[ \t].*)*)", mail) for mail in mails]
    assert [len(each) for each in tags] == [1, 1, 0]
    assert b"mailbox=ann@corp.example" in tags[0][0]
    assert b"mailbox=carl@corp.example" in tags[1][0]


def test_a_mail_is_what_the_wire_carried(folder: Path) -> None:
    """What Postfix adds of its own (Received) is not shown; dots are unstuffed, and the digest is that of a capture."""
    with both(folder) as (milter, mta):
        send_alone(mta, forward("partner"), to="eve@partner.example")
        (record,) = milter.records_of(1)
    header = record["header"]
    assert (header["received_count"], header["message_id"]) == (1, "partner@partner.example")
    assert record["size_octets"] == len(forward("partner"))
    assert record["completeness"] == {
        "missing_octets": 0,
        "one_sided": False,
        "midstream": False,
        "truncated": False,
    }
    assert record["body_digest"] == digest_of(forward("partner"))


# ---- several recipients, several mails, mails that come to nothing


def test_refused_recipients_and_mails_taken_back_are_recorded_as_such(folder: Path) -> None:
    with both(folder, virtual_mailbox_maps="inline:{ eve@partner.example=eve }") as (milter, mta):
        with mta.client() as client:
            client.mail("ann@corp.example")
            assert client.rcpt("ghost@partner.example")[0] == 550
            client.rcpt("eve@partner.example")
            client.rset()
            client.mail("ann@corp.example", ["SIZE=1000"])
            client.rcpt("ghost@partner.example")
            client.rcpt("eve@partner.example")
            assert client.data(forward("partner"))[0] == 250
        first, second = milter.records_of(2)
    paths = [("ghost@partner.example", False), ("eve@partner.example", True)]
    assert [[(path["address"], path["accepted"]) for path in each["forward_paths"]] for each in (first, second)] == [
        paths,
        paths,
    ]
    assert (first["outcome"], second["outcome"]) == ("aborted", "delivered")
    assert second["reverse_path_params"] == {"SIZE": "1000"}
    assert second["session"]["protocol"] == "esmtp"


def test_a_client_behind_a_proxy_and_its_user_are_known(folder: Path) -> None:
    """XCLIENT tells Postfix of the true client, and Postfix tells us."""
    with both(folder) as (milter, mta):
        with mta.client() as client:
            code, _ = client.docmd("XCLIENT", "ADDR=198.51.100.77 PORT=40000 NAME=desk.example LOGIN=ann")
            assert code == 220
            client.ehlo("desk.example")
            send(client, forward("partner"), to="eve@partner.example")
        (record,) = [each for each in milter.records_of(1) if each["outcome"] == "delivered"]
    assert (record["flow"]["src_ip"], record["flow"]["src_port"]) == ("198.51.100.77", 40_000)
    assert record["session"]["helo"] == "desk.example"


def test_mail_of_local_programs_is_seen(folder: Path) -> None:
    with both(folder, default_transport="keep:", relay_transport="keep:") as (milter, mta):
        mta.submit(forward("partner"), sender="ann@corp.example", to="eve@partner.example")
        (record,) = milter.records_of(1)
    assert (record["flow"]["src_ip"], record["outcome"]) == ("127.0.0.1", "delivered")


@pytest.mark.parametrize(
    ("body", "size_is_known"), [("all", True), ("window", True), ("none", False)], ids=["all", "window", "none"]
)
def test_as_much_of_a_body_is_asked_for_as_is_wanted(folder: Path, body: str, size_is_known: bool) -> None:
    text = b"line\r\n" * 100_000
    with both(folder, milter=f'body = "{body}"\nbody_window_octets = 1000') as (milter, mta):
        with mta.client() as client:
            small = send(client, forward("partner"), to="eve@partner.example")
            large = send(client, forward("partner") + text, to="eve@partner.example")
        assert mta.delivered(queue_id_of(large)).count(b"line\n") == 100_000
        assert mta.delivered(queue_id_of(small))
        first, second = milter.records_of(2)
    assert (first["body_digest"] is not None) == size_is_known
    assert (second["body_digest"] is not None) == (body == "all")
    assert [each["completeness"]["truncated"] for each in (first, second)] == [not size_is_known, body != "all"]


# ---- faults


@pytest.mark.parametrize(
    ("action", "reply", "is_held"),
    [("tempfail", "451 4.7.1", False), ("accept", "250 2.0.0", False), ("quarantine", "250 2.0.0", True)],
)
def test_while_the_sensor_is_down_mail_fares_as_postfix_is_told(
    folder: Path, action: str, reply: str, is_held: bool
) -> None:
    with both(folder, milter_default_action=action) as (milter, mta):
        assert milter.end() == 0
        answer = send_alone(mta, forward("tag"), to="eve@tag.example")
        assert answer.startswith(reply)
        if answer.startswith("250"):
            assert mta.on_hold(queue_id_of(answer)) == is_held
        if action == "accept":
            assert b"X-Mailflow-Sensor" not in mta.delivered(queue_id_of(answer))


@pytest.mark.parametrize(("action", "reply"), [("tempfail", "451 4.7.1"), ("accept", "250 2.0.0")])
def test_a_sensor_killed_within_a_session_costs_that_session_alone(folder: Path, action: str, reply: str) -> None:
    """Postfix does not come back to a milter within an SMTP session; with the next it does."""
    with both(folder, milter_default_action=action) as (milter, mta), mta.client() as client:
        assert queue_id_of(send(client, forward("tag"), to="eve@tag.example"))
        milter.process.kill()
        milter.process.wait()
        with serving(folder) as again:
            assert send(client, forward("tag"), to="eve@tag.example").startswith(reply)
            assert again.records == []
            answer = send_alone(mta, forward("tag"), to="eve@tag.example")
            assert mta.delivered(queue_id_of(answer)).startswith(b"X-Mailflow-Sensor: auto")


@pytest.mark.parametrize(("action", "reply"), [("tempfail", "451 4.7.1"), ("accept", "250 2.0.0")])
def test_a_sensor_that_crashes_or_hangs_at_the_end_of_a_mail(folder: Path, action: str, reply: str) -> None:
    """A peer in its place that hangs up, or says nothing, when the mail is there: Postfix does as it is told."""
    for fault in ("crash", "hang"):
        (folder / fault).mkdir()
        with (
            faulty(folder / fault / "milter.sock", fault),
            postfix_only(folder / fault, milter_default_action=action, milter_content_timeout="1s") as mta,
        ):
            began = time.monotonic()
            assert send_alone(mta, forward("tag"), to="eve@tag.example").startswith(reply)
            assert time.monotonic() - began < 5


@contextmanager
def postfix_only(folder: Path, **changes: str) -> Iterator[Postfix]:
    with postfix(shipped(f"unix:{folder}/milter.sock") | changes, folder=folder / "postfix") as mta:
        yield mta


@contextmanager
def faulty(path: Path, fault: str) -> Iterator[None]:
    """A milter that agrees to everything and then, at the end of a mail, crashes or hangs."""
    over = threading.Event()
    with socket.socket(socket.AF_UNIX) as listener, ThreadPoolExecutor() as threads:
        listener.bind(str(path))
        path.chmod(0o666)
        listener.listen()
        threads.submit(_accept, listener, fault, over, threads)
        try:
            yield
        finally:
            over.set()
            listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, fault: str, over: threading.Event, threads: ThreadPoolExecutor) -> None:
    with suppress(OSError):  # it was shut down
        while True:
            connection, _ = listener.accept()
            threads.submit(_be_faulty, connection, fault, over)


def _be_faulty(connection: socket.socket, fault: str, over: threading.Event) -> None:
    talk = Talk()
    with connection:
        while octets := connection.recv(65_536):
            answer = talk.say(octets)
            if any(seen.outcome == "delivered" for seen in talk.mails):
                if fault == "hang":
                    over.wait(PATIENCE_S)
                return
            connection.sendall(answer)


def test_mail_that_passed_unseen_is_found_in_the_log(folder: Path) -> None:
    """While the sensor was away, and in the rest of a session that went on without it."""
    log = f'log_path = "{folder}/postfix/log"\nlog_state = "{folder}/state.json"'
    with both(folder, milter=log) as (milter, mta), mta.client() as client:
        assert queue_id_of(send(client, forward("partner"), to="eve@partner.example"))
        assert milter.end() == 0
        away = queue_id_of(send(client, forward("partner"), to="eve@partner.example"))
        mta.until(f"{away}: from=<")
        with serving(folder, milter=log) as again:
            assert queue_id_of(send(client, forward("partner"), to="eve@partner.example"))
            assert queue_id_of(send_alone(mta, forward("partner"), to="eve@partner.example"))
            again.until(lambda: "in_all=2" in again.log, "two mails told")
            assert again.end() == 3
            summary = json.loads((folder / "summary.json").read_text())
    (damage,) = summary["damage"]
    assert damage["detail"] == "2 mails passed unseen: queued, and not shown to the sensor"
    assert (summary["coverage"]["mails"], summary["coverage"]["unseen_mails"]) == (1, 2)


# ---- the 40 ms trap


def test_over_tcp_no_mail_waits_for_a_delayed_acknowledgment(folder: Path) -> None:
    """Postfix writes small pieces with Nagle's algorithm: without quick acknowledgments each mail takes 40 ms more."""
    with both(folder, listen="inet:127.0.0.1:0") as (_, mta), mta.client() as client:
        taken = sorted(_timed(lambda: send(client, forward("partner"), to="eve@partner.example")) for _ in range(30))
    assert taken[15] < 0.030, taken


def _timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began
