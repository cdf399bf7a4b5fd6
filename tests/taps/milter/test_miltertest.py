"""Another's client of the protocol, OpenDKIM's ``miltertest``, in the oldest version and the newest."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.running import needs
from tests.taps.milter.serving import serving

# Three mails over one connection: one is tagged, one refused, one neither; then one that comes to nothing.
SCRIPT = """\
conn = mt.connect("{address}", 40, 0.05)
assert(conn ~= nil, "no connection")
assert(mt.negotiate(conn, {version}, {steps}, {actions}) == nil, "no terms")
mt.macro(conn, SMFIC_CONNECT, "j", "mx.corp.example")
assert(mt.conninfo(conn, "client.example", "192.0.2.7") == nil, "conninfo")
assert(mt.helo(conn, "client.example") == nil, "helo")

function one(subject, to)
  mt.macro(conn, SMFIC_MAIL, "i", "4ZQ" .. subject)
  assert(mt.mailfrom(conn, "<ann@corp.example>") == nil, "mailfrom")
  assert(mt.rcptto(conn, "<" .. to .. ">") == nil, "rcptto")
  assert(mt.header(conn, "X-Forwarded-For", "ann@corp.example " .. to) == nil, "header")
  assert(mt.header(conn, "X-Forwarded-To", to) == nil, "header")
  assert(mt.header(conn, "Subject", subject) == nil, "header")
  assert(mt.bodystring(conn, "Hello\\r\\n") == nil, "body")
end

one("first", "eve@tag.example")
assert(mt.eom(conn) == nil, "eom")
assert(mt.getreply(conn) == SMFIR_CONTINUE, "first: no answer")
assert(mt.eom_check(conn, {put}, "X-Mailflow-Sensor"), "first: no tag")
one("second", "eve@reject.example")
assert(mt.eom(conn) == nil, "eom")
assert(mt.getreply(conn) == SMFIR_REPLYCODE, "second: no reply")
one("third", "eve@partner.example")
assert(mt.eom(conn) == nil, "eom")
assert(mt.getreply(conn) == SMFIR_CONTINUE, "third: no answer")
assert(not mt.eom_check(conn, {put}), "third: a tag")
one("fourth", "eve@partner.example")
mt.abort(conn)
mt.disconnect(conn)
"""
VERSIONS = {
    2: {"actions": "0x3f", "steps": "0x7f", "put": "MT_HDRADD"},
    6: {"actions": "0x1ff", "steps": "0x1fffff", "put": "MT_HDRINSERT"},
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", ["unix", "inet"])
def test_a_client_of_another_hand_is_served(tmp_path: Path, version: int, kind: str) -> None:
    program = needs("miltertest", "miltertest")
    with serving(tmp_path, listen="inet:127.0.0.1:0" if kind == "inet" else "") as milter:
        # Its own form of an address: inet:PORT@HOST.
        *_, host, port = milter.address.split(":") if kind == "inet" else ("", "", "")
        address = f"inet:{port}@{host}" if kind == "inet" else milter.address
        script = tmp_path / "script.lua"
        script.write_text(SCRIPT.format(address=address, version=version, **VERSIONS[version]))
        done = subprocess.run([program, "-s", str(script)], capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")
        records = milter.records_of(4)
    assert [each["outcome"] for each in records] == ["delivered", "rejected", "delivered", "aborted"]
    assert [each["header"]["subject"] for each in records] == ["first", "second", "third", "fourth"]
