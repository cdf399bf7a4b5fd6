"""``mailsensor explain``: envelope from the file, reasons in words, bad files told and passed over."""

import io
import json
import sys
from pathlib import Path

import pytest

from sensor.cli import run_cli
from sensor.explain import without_top_fields
from sensor.taps.mailfiles import find_mails, split_mbox
from tests.running import ROOT, mailsensor

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
# Gmail puts what it writes at delivery among its Received lines, Exchange at the foot, without the recipient.
STORED_AT_GMAIL = """\
Delivered-To: ext@dst.example
Received: by 2002:a05:6402:5206:b0:5cf with SMTP id s6csp1; Sat, 21 Nov 2026 17:00:06 -0800 (PST)
ARC-Authentication-Results: i=3; mx.google.com; spf=pass smtp.mailfrom=corp.example
Return-Path: <ann+SRS=/Yx+S=T4=shop.example=bill@corp.example>
Received: from EUR05-VI1-obe.outbound.protection.outlook.com (mail-vi1eur05.outlook.com. [2a01:111:f403:2613::600])
 by mx.google.com with ESMTPS id 1 for <ext@dst.example>; Sat, 21 Nov 2026 17:00:06 -0800 (PST)
Resent-From: <ann@corp.example>
Received: from mx.shop.example (203.0.113.9) by DB1PEPF000509E4.mail.protection.outlook.com (10.167.242.54) with
 Microsoft SMTP Server id 15.20; Sun, 22 Nov 2026 01:00:01 +0000
From: Bill <bill@shop.example>
To: Ann Lee <ann@corp.example>
Subject: Invoice 4711
X-MS-Exchange-Inbox-Rules-Loop: ann@corp.example

Please pay.
"""
STORED_AT_EXCHANGE = """\
Received: from AM8P191MB1042.EURP191.PROD.OUTLOOK.COM (2603:10a6:20b:1d8::10) by
 VI1P191MB0001.EURP191.PROD.OUTLOOK.COM with HTTPS; Sun, 22 Nov 2026 01:00:09 +0000
Received: from mail-lf1-f53.google.com (209.85.167.53) by DB1PEPF000509E4.mail.protection.outlook.com (10.167.242.54)
 with Microsoft SMTP Server id 15.20 via Frontend Transport; Sun, 22 Nov 2026 01:00:07 +0000
Received: by mail-lf1-f53.google.com with SMTP id 2adb for <hal@corp.example>; Sat, 21 Nov 2026 17:00:07 -0800 (PST)
X-Forwarded-To: hal@corp.example
X-Forwarded-For: hal@home.example hal@corp.example
Received: from mx.shop.example (mx.shop.example. [203.0.113.9]) by mx.google.com with ESMTPS id 1
 for <hal@home.example>; Sat, 21 Nov 2026 17:00:05 -0800 (PST)
From: Bill <bill@shop.example>
To: hal@home.example
Subject: Party
Return-Path: hal+caf_=hal=corp.example@home.example
X-MS-Exchange-Organization-AuthSource: DB1PEPF000509E4.eurprd03.prod.outlook.com

Come.
"""
STORED_BEHIND_A_FILTER = """\
Return-Path: <bill@shop.example>
Delivered-To: ann@corp.example
Received: from localhost (localhost [127.0.0.1]) by mx.corp.example (Postfix) with ESMTP id 1
 for <ann@corp.example>; Sun, 22 Nov 2026 01:00:03 +0000
Received: from mx.shop.example (mx.shop.example [203.0.113.9]) by mx.corp.example (Postfix) with ESMTPS id 3
 for <ann@corp.example>; Sun, 22 Nov 2026 01:00:02 +0000
From: Bill <bill@shop.example>
To: ann@corp.example
Subject: Offer

Hello.
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


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            STORED_AT_GMAIL,
            [
                "an automatic forward of ann@corp.example to ext@dst.example; conclusive evidence; direction outbound",
                "MAIL FROM is assumed to be <ann+SRS=/Yx+S=T4=shop.example=bill@corp.example>, from Return-Path",
                "the sending host is assumed to be EUR05-VI1-obe.outbound.protection.outlook.com",
                "as the Received line of mx.google.com says",
            ],
        ),
        (
            STORED_AT_EXCHANGE,
            [
                "an automatic forward of hal@home.example to hal@corp.example; conclusive evidence; direction inbound",
                "RCPT TO is assumed to be <hal@corp.example>, from the Received line of mail-lf1-f53.google.com",
                "the sending host is assumed to be mail-lf1-f53.google.com",
                "as the Received line of DB1PEPF000509E4.mail.protection.outlook.com says",
            ],
        ),
        (
            STORED_BEHIND_A_FILTER,
            [
                "no forward",
                "is assumed to be mx.shop.example, as the Received line of mx.corp.example says",
            ],
        ),
    ],
    ids=["gmail", "exchange", "filter"],
)
def test_the_envelope_is_found_where_each_store_leaves_it(
    console: Console, tmp_path: Path, content: str, words: list[str]
) -> None:
    (tmp_path / "stored.eml").write_text(content)
    status, out, _ = console.run("explain", str(tmp_path / "stored.eml"), "--internal-domain", "corp.example")
    told = " ".join(out.split())
    assert status == 0
    for each in words:
        assert each in told


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


def test_host_and_address_given_decide_who_is_sending(console: Console, mail: Path, tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text('[organisation]\ninternal_domains = ["corp.example"]\ninternal_networks = ["192.0.2.0/24"]\n')
    for address, verdict in (("192.0.2.9", "an automatic forward of ann@corp.example"), ("203.0.113.66", "no forward")):
        status, out, _ = console.run("explain", str(mail), "--settings", str(settings), "--client-ip", address)
        assert status == 0
        assert f"verdict: {verdict}" in " ".join(out.split())
    forged = tmp_path / "forged.eml"
    forged.write_text("X-ResentFrom: <ann@mail.ru>\nX-MailRu-Forward: 1\nFrom: a@b.example\nTo: ann@mail.ru\n\nHi.\n")
    for host, verdict in (
        ("f1.mail.ru", "an automatic forward of ann@mail.ru"),
        ("mail.ru.evil.example", "no forward"),
    ):
        envelope = ("--mail-from", "a@b.example", "--rcpt-to", "ext@dst.example", "--helo", host)
        assert f"verdict: {verdict}" in console.run("explain", str(forged), *envelope)[1]


def test_an_address_that_is_none_is_an_error(console: Console, mail: Path) -> None:
    status, out, err = console.run("explain", str(mail), "--client-ip", "host.example")
    assert (status, out) == (1, "")
    assert '"host.example" is no IP address' in err


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("--mail-from", "x y"),
        ("--mail-from", "ann"),
        ("--mail-from", "ann@a.example, bob@b.example"),
        ("--mail-from", "Ann <ann@a.example>"),
        ("--rcpt-to", ""),
        ("--rcpt-to", "<>"),
        ("--rcpt-to", "bob@@b.example"),
        ("--rcpt-to", "bob@b.example\n"),
    ],
)
def test_an_envelope_that_no_client_could_say_is_an_error(console: Console, mail: Path, option: str, text: str) -> None:
    status, out, err = console.run("explain", str(mail), option, text)
    assert (status, out) == (1, "")
    assert f"{option}: " in err
    assert "is no address; write it as ann@corp.example" in err
    assert ('"<>" for the null' in err) == (option == "--mail-from")


def test_addresses_are_taken_as_mail_and_rcpt_write_them(console: Console, mail: Path) -> None:
    told = [
        console.run("explain", str(mail), "--mail-from", sender, "--rcpt-to", recipient)
        for sender, recipient in (
            ("", "ext@dst.example"),
            ("<>", "<ext@dst.example>"),
            ("jürgen@corp.example", "Postmaster"),
            ('"x y"@corp.example', "root@[192.0.2.1]"),
        )
    ]
    assert [status for status, _, _ in told] == [0, 0, 0, 0]
    assert told[0] == told[1]


def test_a_host_that_has_a_blank_is_an_error(console: Console, mail: Path) -> None:
    assert '"x y" is no name of a host' in console.run("explain", str(mail), "--helo", "x y")[2]


def test_a_google_host_s_own_line_is_not_the_receivers(console: Console, tmp_path: Path) -> None:
    """A copy as it was on the wire: the line on top is the sender's, and nothing is taken off."""
    path = tmp_path / "wire.eml"
    path.write_text(
        "Received: by mail-ed1-x536.google.com with SMTP id a1 for <ext@dst.example>; Sat, 21 Nov 2026 17:00:05 -0800\n"
        "X-Forwarded-To: ext@dst.example\nX-Forwarded-For: ann@corp.example ext@dst.example\n"
        "Delivered-To: ann@corp.example\n" + ORDINARY.replace("ann@corp", "eve@far")
    )
    status, out, _ = console.run("explain", str(path), "--rcpt-to", "ext@dst.example")
    assert status == 0
    assert "an automatic forward of ann@corp.example to ext@dst.example" in " ".join(out.split())
    _, assumed, _ = console.run("explain", str(path))
    assert "which took the mail last" in " ".join(assumed.split())


LAB = Path(__file__).parent.parent / "pcaps" / "lab_dot_forward"
FORWARD_ID = "d968c3312e2157f35b0306c3ba891a52"


def test_a_mail_of_a_capture_is_explained_by_its_id_and_the_envelope_seen(console: Console) -> None:
    options = ("--transaction", FORWARD_ID, "--internal-domain", ".corp.example")
    status, out, err = console.run("explain", str(LAB / "input.pcap"), *options)
    words = " ".join(out.split())
    assert (status, err) == (0, "")
    assert out.startswith(FORWARD_ID + "\n")
    assert "an automatic forward of gus@staff.corp.example to gus.home@dst.example" in words
    assert "seen: RCPT TO:<gus.home@dst.example> ORCPT=rfc822;gus@staff.corp.example, accepted" in words
    assert "outcome delivered: 250 2.0.0" in words
    assert "assumed" not in out


def test_the_explanation_of_an_id_is_the_verdict_of_its_record(console: Console) -> None:
    domain = ("--internal-domain", ".corp.example")
    _, replayed, _ = console.run("replay", "--quiet", "--events", "-", str(LAB / "input.pcap"), *domain)
    records = {each["id"]: each["forwarding"] for each in map(json.loads, replayed.splitlines())}
    ids = [option for each in records for option in ("--transaction", each)]
    status, out, _ = console.run("explain", "--json", str(LAB), *ids, *domain)
    told = [json.loads(line) for line in out.splitlines()]
    assert status == 0
    assert {each["transaction"]: each["forwarding"] for each in told} == records


def test_an_unknown_id_is_told_and_the_others_are_explained(console: Console) -> None:
    status, out, err = console.run("explain", str(LAB), "--transaction", "nosuch")
    assert (status, out) == (1, "")
    assert "nosuch: no transaction of this id was found" in err
    status, out, err = console.run("explain", str(LAB), "--transaction", "nosuch", "--transaction", FORWARD_ID)
    assert (status, out.startswith(FORWARD_ID)) == (3, True)
    assert "nosuch" in err


def test_captures_are_named_as_such_and_hold_their_envelope(console: Console, mail: Path) -> None:
    assert "--transaction" in console.run("explain", str(LAB / "input.pcap"))[2]
    status, _, err = console.run("explain", str(mail), "--transaction", FORWARD_ID)
    assert status == 1
    assert "not a capture" in err
    status, _, err = console.run("explain", str(LAB), "--transaction", FORWARD_ID, "--helo", "x.example")
    assert status == 1
    assert "a capture holds the envelope" in err


def test_a_session_that_turned_to_tls_has_nothing_to_explain(console: Console) -> None:
    capture = LAB.parent / "smtp_starttls" / "input.pcap"
    _, replayed, _ = console.run("replay", "--quiet", "--events", "-", str(capture))
    session = next(each for each in map(json.loads, replayed.splitlines()) if each["record"] == "session")
    status, out, err = console.run("explain", str(capture), "--transaction", session["id"])
    assert (status, out) == (1, "")
    assert "turned to TLS" in err


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


def test_a_mail_of_a_capture_that_is_no_forward_by_itself_says_what_may_show_it() -> None:
    plain = ROOT / "pcaps" / "lab_plain_delivery"
    record = json.loads(mailsensor("replay", plain, "--events", "-", "--quiet").out.splitlines()[0])
    ended = mailsensor("explain", plain, "--transaction", record["id"], "--internal-domain", "corp.example")
    assert "verdict: no forward" in ended.words
    assert "shows only beside its original" in ended.words
