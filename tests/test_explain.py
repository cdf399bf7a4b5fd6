"""``mailsensor explain``: envelope from the file, reasons in words, bad files told and passed over."""

import io
import json
import sys
from pathlib import Path

import pytest

from sensor.cli import run_cli
from sensor.explain import without_top_fields
from sensor.taps.mailfiles import find_mails, split_mbox

DELIVERED = """\
Return-Path: <bill@shop.example>
Delivered-To: ext@dst.example
Received: from store.corp.example (store.corp.example [192.0.2.9]) by mx.dst.example (Postfix) with ESMTP id 1
 for <ext@dst.example>; Sun, 22 Nov 2026 01:00:05 +0000
X-Sieve: Pigeonhole Sieve 0.5.20
X-Sieve-Redirected-From: ann@corp.example
Received: from mx.shop.example (mx.shop.example [203.0.113.9]) by store.corp.example with ESMTP id 2
 for <ann@corp.example>; Sun, 22 Nov 2026 01:00:00 +0000
From: Bill <bill@shop.example>
To: ann@corp.example
Subject: Invoice 7
Message-ID: <i7@shop.example>

Please pay.
"""
ORDINARY = "From: ann@corp.example\nTo: bill@shop.example\nSubject: Hello\nMessage-ID: <o@corp.example>\n\nHi.\n"


class Console:
    def __init__(self, capture: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capture = capture
        self._monkeypatch = monkeypatch

    def run(self, *arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
        self._monkeypatch.setattr(sys, "argv", ["mailsensor", *arguments])
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        status = run_cli()
        out, err = self._capture.readouterr()
        return status, out, err


@pytest.fixture
def console(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Console:
    return Console(capsys, monkeypatch)


@pytest.fixture
def mail(tmp_path: Path) -> Path:
    path = tmp_path / "copy.eml"
    path.write_text(DELIVERED)
    return path


def test_a_delivered_copy_is_judged_as_it_was_on_the_wire(console: Console, mail: Path) -> None:
    status, out, err = console.run("explain", str(mail), "--internal-domain", "corp.example")
    assert (status, err) == (0, "")
    words = " ".join(out.split())
    assert (
        "an automatic forward of ann@corp.example to ext@dst.example; conclusive evidence; direction outbound" in words
    )
    assert "MAIL FROM is assumed to be <bill@shop.example>, from Return-Path" in words
    assert "RCPT TO is assumed to be <ext@dst.example>, from Delivered-To" in words
    assert "sieve_redirected_from: counts, conclusive" in words
    assert "passed mailbox_on_sending_side" in words


def test_the_envelope_given_outranks_that_of_the_file(console: Console, tmp_path: Path) -> None:
    path = tmp_path / "forged.eml"
    path.write_text("Return-Path: <ann@corp.example>\nX-Sieve-Redirected-From: ann@corp.example\n" + ORDINARY)
    options = ("--mail-from", "x@other.example", "--rcpt-to", "ann@corp.example", "--internal-domain", "corp.example")
    status, out, _ = console.run("explain", str(path), *options)
    assert status == 0
    assert "assumed" not in out
    assert "no forward (look-alike: stale_marker)" in out
    assert "FAILED  mailbox_is_not_recipient" in out


def test_a_mail_that_was_never_delivered_is_judged_by_its_author_and_addressees(
    console: Console, tmp_path: Path
) -> None:
    (tmp_path / "sent.eml").write_text(ORDINARY.replace("Subject: Hello", "Subject: Fwd: Hello"))
    status, out, _ = console.run("explain", str(tmp_path / "sent.eml"))
    assert status == 0
    assert "a forward by a person's hand of ann@corp.example to bill@shop.example" in " ".join(out.split())
    assert "for there is no Return-Path" in " ".join(out.split())


def test_json_is_one_line_each_with_file_and_forwarding(console: Console, mail: Path, tmp_path: Path) -> None:
    (tmp_path / "ordinary.eml").write_text(ORDINARY)
    status, out, _ = console.run("explain", "--json", str(mail), str(tmp_path / "ordinary.eml"))
    lines = [json.loads(line) for line in out.splitlines()]
    assert status == 0
    assert [list(line) for line in lines] == [["file", "forwarding"]] * 2
    assert [line["forwarding"]["kind"] for line in lines] == ["auto", "none"]
    assert lines[0]["file"] == str(mail)


def test_bad_files_are_told_and_the_rest_go_on(console: Console, mail: Path, tmp_path: Path) -> None:
    bad = {
        "a.msg": (b"\xd0\xcf\x11\xe0\xa1\xb1", "save the mail as .eml"),
        "b.pcap": (b"\xd4\xc3\xb2\xa1\x02\x00", "mailsensor replay"),
        "c.eml": (b"", "is empty"),
        "d.txt": (b"hello world\n", "no mail"),
        "e.gz": (b"\x1f\x8b\x08", "unpack"),
    }
    for name, (octets, _) in bad.items():
        (tmp_path / name).write_bytes(octets)
    status, out, err = console.run("explain", *(str(tmp_path / name) for name in bad), "/no/such/file", str(mail))
    assert status == 3
    assert "an automatic forward" in out
    for name, (_, words) in bad.items():
        assert any(name in line and words in line for line in err.splitlines()), name
    assert "/no/such/file: it can't be read" in err


def test_nothing_readable_is_a_failure(console: Console) -> None:
    status, out, err = console.run("explain", "/no/such/file")
    assert (status, out) == (1, "")
    assert "can't be read" in err


def test_standard_input_mbox_and_directories_are_read(console: Console, tmp_path: Path) -> None:
    mbox = (
        f"From ann Sun Nov 22 01:00:00 2026\n{ORDINARY}>From here on\n\nFrom bill Sun Nov 22 02:00:00 2026\n{DELIVERED}"
    )
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "1.M1P1.host").write_text(DELIVERED)
    (tmp_path / "all.mbox").write_text(mbox)
    (tmp_path / ".index").write_bytes(b"\0")
    status, out, err = console.run("explain", "--json", str(tmp_path), "-", stdin=ORDINARY.encode())
    told = [json.loads(line) for line in out.splitlines()]
    assert (status, err) == (0, "")
    assert [(Path(each["file"]).name, each["forwarding"]["kind"]) for each in told] == [
        ("all.mbox#1", "none"),
        ("all.mbox#2", "auto"),
        ("1.M1P1.host", "auto"),
        ("-", "none"),
    ]


def test_an_empty_directory_is_told(console: Console, tmp_path: Path) -> None:
    status, _, err = console.run("explain", str(tmp_path))
    assert status == 1
    assert "no file" in err


def test_own_rows_count_and_bad_ones_are_named(console: Console, mail: Path, tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    row = """
[[artifacts.row]]
slug = "shop_invoice"
place = "subject"
prefixes = ["invoice 7 sent on"]
kind = "visible"
level = "user"
evidence = "strong"
source = "ours"
"""
    settings.write_text(row)
    status, out, _ = console.run("artifacts", "--settings", str(settings))
    assert status == 0
    assert "shop_invoice" in out
    settings.write_text(row.replace('"visible"', '"seen"'))
    status, _, err = console.run("explain", str(mail), "--settings", str(settings))
    assert status == 1
    assert 'artifact row 1 ("shop_invoice")' in err
    assert "kind" in err
    assert "auto, visible" in err
    settings.write_text("[artifacts]\nrow = 3\n")
    status, _, err = console.run("artifacts", "--settings", str(settings))
    assert status == 1
    assert "[[artifacts.row]]" in err


@pytest.mark.parametrize(
    ("octets", "fields", "expected"),
    [
        (b"A: 1\r\n x\r\nB: 2\r\n\r\nbody", 1, b"B: 2\r\n\r\nbody"),
        (b"A: 1\nB: 2\n\nbody", 0, b"A: 1\nB: 2\n\nbody"),
        (b"A: 1\nB: 2\n\nbody", 9, b"\nbody"),
        (b"A: 1", 1, b""),
    ],
)
def test_fields_are_taken_off_with_their_folds(octets: bytes, fields: int, expected: bytes) -> None:
    assert without_top_fields(octets, fields) == expected


def test_mbox_mails_begin_behind_an_empty_line_only() -> None:
    mbox = b"From a\nA: 1\n\nFrom b is prose only if no empty line stands above\nB: 2\n\nx\nFrom c\ny\n"
    assert list(split_mbox(mbox)) == [b"A: 1", b"B: 2\n\nx\nFrom c\ny\n"]


def test_hostile_names_move_no_cursor(console: Console, tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[2Jb.eml"
    path.write_bytes(b"X-Forwarded-To: \x1b[2J@x.example\nFrom: a@b.example\n\n")
    _, out, _ = console.run("explain", str(path))
    assert "\x1b" not in out


def test_find_mails_names_every_mail(tmp_path: Path) -> None:
    (tmp_path / "x.eml").write_text(ORDINARY)
    assert [found.name for found in find_mails([str(tmp_path)])] == [str(tmp_path / "x.eml")]
