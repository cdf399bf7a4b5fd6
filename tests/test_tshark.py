"""
A third opinion: tshark reads the mails that DATA carried, and agrees on how many there are and what they say.

All captures go through it in one run, each moved to addresses of its own.
"""

from __future__ import annotations

import struct
import subprocess
from collections import defaultdict
from email.header import decode_header, make_header
from pathlib import Path

import pytest

from tests.running import needs
from tests.sensing import Record, told_of
from tests.test_pcaps import CASES, capture_of, truth_of
from tests.test_same_every_run import frames_of

Mail = tuple[str, str, tuple[str, ...]]
"""Subject, message identifier, and addresses of From."""

TCP = 6
PORTS = [word for port in (24, 2525, 50025) for word in ("-d", f"tcp.port=={port},smtp")]
"""Ports on which it would not look for mail by itself."""
IN_ORDER = ("-o", "tcp.reassemble_out_of_order:TRUE")
FIELDS = ("ip.src", "imf.subject", "imf.message_id", "imf.from")


def tshark(path: Path) -> list[list[str]]:
    """For each mail that tshark sees in the capture, :data:`FIELDS`."""
    fields = [word for field in FIELDS for word in ("-e", field)]
    command = [
        needs("tshark", "tshark"),
        "-r",
        str(path),
        "-Y",
        "imf",
        "-T",
        "fields",
        "-E",
        "occurrence=f",
        *PORTS,
        *fields,
    ]
    done = subprocess.run(command, capture_output=True, check=True)
    return [line.split("\t") for line in done.stdout.decode().splitlines()]


def mail_of(subject: str, message_id: str, sender: str) -> Mail:
    """A mail as both tell it: the display name of From is left to tshark."""
    subject = str(make_header(decode_header(subject.replace("\\r\\n", ""))))
    addresses = [part.rpartition("<")[2].rstrip("> ") if "<" in part else part.strip() for part in sender.split(",")]
    return subject, message_id.strip("<>"), tuple(address for address in addresses if address)


def mail_in(record: Record) -> Mail | None:
    """The mail of a record, if its content was transferred."""
    header = record["header"]
    if header is None or record["size_octets"] is None:
        return None
    return header["subject"] or "", header["message_id"] or "", tuple(header["from"])


# ---- one capture made of all


def moved(record: bytes, number: int) -> bytes:
    """A pcap record of an Ethernet frame with IPv4, its addresses moved into 10.number.0.0/16 (192.0.2.1: 10.7.2.1)."""
    octets = bytearray(record)
    for at in (16 + 26, 16 + 30):
        octets[at : at + 2] = bytes((10, number))
    return bytes(octets)


def is_plain(octets: bytes) -> bool:
    """Little-endian pcap of Ethernet frames with TCP over IPv4 in them, and no chunk of BDAT."""
    header, records = frames_of(octets)
    if header[:4] != b"\xd4\xc3\xb2\xa1" or header[20:24] != struct.pack("<I", 1) or b"BDAT" in octets:
        return False
    return all(record[16 + 12 : 16 + 14] == b"\x08\x00" and record[16 + 23] == TCP for record in records)


# Cases in which tshark 4.0 goes another way, by what it does. None of them is about what a mail's header section says.
OTHERWISE = {
    "a command it does not follow becomes the beginning of the mail": (
        "lab_all_recipients_refused", "lab_auth_cram_md5", "lab_auth_xoauth2_refused", "lab_mail_refused",
        "lab_xclient", "lab_xforward", "smtp_auth_cram_md5", "smtp_auth_xoauth2_refused",
    ),
    "commands that share a segment with content, or content with commands, are content": (
        "smtp_lmtp_next_mail_pipelined", "smtp_pipelining_content_before_354", "smtp_pipelining_replies_one_octet_each",
        "smtp_pipelining_whole_session",
    ),
    "the end of data is found only in one segment": ("smtp_dot_stuffing_cut_by_2",),
    "segments out of order leave parts unread, though it is told to put them in order": (
        "tcp_ack_before_its_data", "tcp_far_out_of_order", "tcp_out_of_order", "tcp_sequence_wrap_out_of_order",
    ),
    "a mail without its end, or without the client's side, is none": (
        "lab_connection_lost_in_data", "lab_server_side_only", "lab_snaplen",
    ),
    "what a balancer puts in front is not known": ("lab_proxy_v1", "lab_proxy_v2"),
    "only CRLF ends lines": ("lab_smuggled_mail",),
    "octets beyond ASCII are not UTF-8": ("lab_smtputf8",),
}  # fmt: skip
LEFT_OUT = {name for names in OTHERWISE.values() for name in names}
CANDIDATES = [
    case
    for case in CASES
    if case.name not in LEFT_OUT
    and (truth_of(case).get("whole") or case.name.startswith("lab_"))
    and is_plain(capture_of(case).read_bytes())
]


@pytest.fixture(scope="module")
def opinion(tmp_path_factory: pytest.TempPathFactory) -> dict[int, list[Mail]]:
    """The mails that tshark sees, by the number of their case."""
    path = tmp_path_factory.mktemp("tshark") / "all.pcap"
    with path.open("wb") as out:
        out.write(frames_of(capture_of(CANDIDATES[0]).read_bytes())[0])
        for number, case in enumerate(CANDIDATES):
            out.write(b"".join(moved(record, number) for record in frames_of(capture_of(case).read_bytes())[1]))
    mails = defaultdict[int, list[Mail]](list)
    for source, *facts in tshark(path):
        mails[int(source.split(".")[1])].append(mail_of(*facts))
    return mails


@pytest.mark.parametrize("number", range(len(CANDIDATES)), ids=[case.name for case in CANDIDATES])
def test_tshark_sees_the_same_mails(opinion: dict[int, list[Mail]], number: int) -> None:
    """How many there are, subjects, identifiers and authors."""
    records = told_of(capture_of(CANDIDATES[number])).transactions
    assert sorted(mail for record in records if (mail := mail_in(record))) == sorted(opinion[number])


def test_there_is_enough_to_agree_on() -> None:
    """A number of a case has one octet in its addresses; and cases that are left out are there."""
    assert 70 < len(CANDIDATES) < 256
    assert {case.name for case in CASES} >= LEFT_OUT


@pytest.mark.parametrize(
    "name",
    ["smtp_bdat_one_chunk", "smtp_bdat_several_chunks", "smtp_bdat_pipelined", "lab_chunking", "lab_chunking_exim"],
)
def test_mails_in_chunks_are_told_where_tshark_sees_none(name: str) -> None:
    """The content of BDAT has a header section like any other. Should tshark learn to read it: let it judge ours."""
    path = capture_of(CASES[0].parent / name)
    assert tshark(path) == []
    mails = [mail_in(record) for record in told_of(path).transactions]
    assert mails
    assert all(mail is not None and all(mail) for mail in mails)


def test_pipelined_mails_are_told_where_tshark_misses_them() -> None:
    """A whole session in one send: the commands behind the first mail are not content."""
    path = capture_of(CASES[0].parent / "smtp_pipelining_whole_session")
    assert len(tshark(path)) < len(told_of(path).transactions)
