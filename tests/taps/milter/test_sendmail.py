"""A real Sendmail that asks a real ``mailsensor milter``, by the lines that are shipped."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.running import ROOT, root_for
from tests.sendmail import Sendmail, queue_id_of, root_folder, sendmail
from tests.taps.milter.mails import check_each, digest_of, forward, replies_to_each, send
from tests.taps.milter.serving import Milter, serving

pytestmark = root_for("Sendmail, and folders that it trusts")


@pytest.fixture
def folder() -> Iterator[Path]:
    with root_folder() as path:
        yield path


@contextmanager
def both(folder: Path, *, listen: str = "") -> Iterator[tuple[Milter, Sendmail]]:
    """A milter, and a Sendmail with the shipped lines, but for the socket: that of the test."""
    lines = (ROOT / "deploy" / "sendmail" / "mailsensor.mc").read_text()
    assert lines.count("unix:/run/mailsensor/milter.sock") == 1
    with serving(folder, listen=listen) as sensor:
        own = lines.replace("unix:/run/mailsensor/milter.sock", sensor.address)
        with sendmail(folder, own) as mta:
            yield sensor, mta


def test_each_verdict_is_carried_out_and_recorded(folder: Path) -> None:
    with both(folder) as (milter, mta):
        with mta.client() as client:
            replies = replies_to_each(client)
        assert mta.delivered(queue_id_of(replies["tag"])).startswith(b"X-Mailflow-Sensor: auto")
        assert b"X-Mailflow-Sensor" not in mta.delivered(queue_id_of(replies["partner"]))
        assert mta.quarantined(queue_id_of(replies["hold"]))
        records = milter.records_of(5)
        check_each(records)
        assert {(each["tap"], each["session"]["protocol"]) for each in records} == {("milter", "esmtp")}
        assert {each["flow"]["dst_port"] for each in records} == {mta.port}
        assert milter.end() == 0


def test_forged_tags_are_taken_out_and_true_ones_put_in(folder: Path) -> None:
    forged = b"X-Mailflow-Sensor: none\r\nx-mailflow-sensor: two\r\n\tfolded\r\n"
    with both(folder) as (_, mta), mta.client() as client:
        replies = [send(client, forged + forward(each), to=f"eve@{each}.example") for each in ("tag", "partner")]
        tagged, plain = (mta.delivered(queue_id_of(each)) for each in replies)
    assert re.findall(rb"(?im)^X-Mailflow-Sensor: (\w+)", tagged) == [b"auto"]
    assert re.findall(rb"(?im)^X-Mailflow-Sensor", plain) == []


def test_a_mail_is_what_the_wire_carried(folder: Path) -> None:
    """Size and digest are those that a capture of the same mail gives, dots unstuffed."""
    with both(folder) as (milter, mta):
        with mta.client("desk.example") as client:
            send(client, forward("partner"), to="eve@partner.example")
        (record,) = milter.records_of(1)
    assert (record["size_octets"], record["body_digest"]) == (len(forward("partner")), digest_of(forward("partner")))
    assert record["header"]["received_count"] == 1
    assert record["session"]["helo"] == "desk.example"


def test_mails_taken_back_are_told_from_those_that_went(folder: Path) -> None:
    with both(folder) as (milter, mta):
        with mta.client() as client:
            client.mail("ann@corp.example")
            client.rcpt("eve@partner.example")
            client.rset()
            send(client, forward("partner"), to="eve@partner.example")
        records = milter.records_of(2)
    assert [each["outcome"] for each in records] == ["aborted", "delivered"]
    assert len({each["flow"]["src_port"] for each in records}) == 1


def test_mail_flows_on_while_the_sensor_is_away(folder: Path) -> None:
    with both(folder) as (milter, mta):
        milter.end()
        with mta.client() as client:
            reply = send(client, forward("reject"), to="eve@reject.example")
        assert b"Hello" in mta.delivered(queue_id_of(reply))
        assert milter.records == []


def test_the_socket_may_be_in_a_folder_of_the_services_user(folder: Path) -> None:
    """As in /run/mailsensor of the service: the user's own, and others may enter."""
    own = folder / "service"
    own.mkdir(mode=0o755)
    shutil.chown(own, "nobody")
    with both(folder, listen=f"unix:{own}/milter.sock") as (milter, mta), mta.client() as client:
        send(client, forward("partner"), to="eve@partner.example")
        milter.records_of(1)
