"""Journal reports as gateways leave them behind: wrapped, re-encoded, in a multipart more, or broken."""

from __future__ import annotations

import time

import pytest

from sensor.taps.journal.copy import Copy, Reading
from sensor.taps.journal.forms import read_copy
from tests.craft.dialogue import lines
from tests.taps.journal.samples import ORIGINAL, REPORT, report_mail

FOUND = ("sue@other.example", ["ann@corp.example", "eve@corp.example"])


def read(content: bytes) -> Reading:
    return read_copy(Copy(content, "exchange@corp.example", ("journal@sensor.example",)))[1]


def envelope(content: bytes) -> tuple[str | None, list[str]]:
    reading = read(content)
    assert reading.problem is None
    (told,) = reading.told
    assert bytes(told.content) == ORIGINAL
    return told.reverse_path, [each.address for each in told.recipients]


@pytest.mark.parametrize(
    "charset", ["punycode", "PunyCode", "idna", "undefined", "unicode_escape", "raw-unicode-escape", "rot13", "no-such"]
)
def test_a_character_set_that_no_mail_has_is_taken_for_the_usual_one(charset: str) -> None:
    text = (f"Content-Type: text/plain; charset={charset}",)
    assert envelope(report_mail(text_head=text)) == FOUND


def test_no_character_set_takes_time() -> None:
    """Python's punycode takes minutes for a text of this length."""
    text = ("Content-Type: text/plain; charset=punycode",)
    began_s = time.monotonic()
    read(report_mail(report=(*REPORT, "Subject: -" + "9" * 3_000_000), text_head=text))
    assert time.monotonic() - began_s < 10


def test_a_byte_order_mark_hides_no_sender() -> None:
    text = ("Content-Type: text/plain; charset=utf-8",)
    assert envelope(report_mail(report=("\ufeff" + REPORT[0], *REPORT[1:]), text_head=text)) == FOUND


def test_a_line_that_was_wrapped_is_one_line() -> None:
    report = ("Sender: sue@other.example", "Message-Id: <one@other.example>", "To: drop@evil.example,")
    (told,) = read(report_mail(report=(*report, "\tForwarded: ann@corp.example"))).told
    assert [(each.address, each.original) for each in told.recipients] == [("drop@evil.example", "ann@corp.example")]


def test_without_a_message_id_the_sender_is_the_one_that_the_text_begins_with() -> None:
    report = ("Sender: sue@other.example", "Subject: a", "Sender: eve@evil.example", "To: ann@corp.example")
    assert envelope(report_mail(report=report)) == ("sue@other.example", ["ann@corp.example"])


@pytest.mark.parametrize("kind", ["alternative", "mixed", "related"])
@pytest.mark.parametrize("depth", [1, 2])
def test_a_text_in_a_multipart_of_its_own_is_found(kind: str, depth: int) -> None:
    """What adds a disclaimer may make text and HTML of the text."""
    inner = lines("Content-Type: text/plain", "", *REPORT)
    for level in range(depth):
        inner = (
            lines(f'Content-Type: multipart/{kind}; boundary="in{level}"', "", f"--in{level}")
            + inner
            + lines("", f"--in{level}", "Content-Type: text/html", "", "<p>To: nobody@evil.example", f"--in{level}--")
        )
    whole = report_mail()
    begin = whole.index(b"--_000_report_\r\n") + len(b"--_000_report_\r\n")
    end = whole.index(b"\r\n--_000_report_\r\nContent-Type: message/rfc822")
    assert envelope(whole[:begin] + inner + whole[end:]) == FOUND


def test_a_report_that_was_put_into_another_multipart_is_read() -> None:
    """What adds a disclaimer may put its words beside all that was there."""
    head, body = report_mail().split(b"\r\n\r\n", 1)
    head = head.replace(b"_000_report_", b"_outer_")
    inner = b'--_outer_\r\nContent-Type: multipart/mixed; boundary="_000_report_"\r\n\r\n' + body
    footer = lines("", "--_outer_", "Content-Type: text/plain", "", "Confidential.", "--_outer_--")
    assert envelope(head + b"\r\n\r\n" + inner + footer) == FOUND


def test_a_multipart_that_is_too_deep_is_not_followed() -> None:
    deep = lines("Content-Type: text/plain", "", *REPORT)
    for level in range(20):
        deep = lines(f'Content-Type: multipart/mixed; boundary="in{level}"', "", f"--in{level}") + deep
    whole = report_mail()
    begin = whole.index(b"--_000_report_\r\n") + len(b"--_000_report_\r\n")
    end = whole.index(b"\r\n--_000_report_\r\nContent-Type: message/rfc822")
    assert read(whole[:begin] + deep + whole[end:]).problem == "report_unreadable"


def test_a_broken_transfer_encoding_is_named_and_no_fault_of_ours() -> None:
    broken = report_mail(original=b"A\r\n").replace(
        b"Content-Type: message/rfc822", b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64"
    )
    assert read(broken).problem == "original_missing"
    text = ("Content-Type: text/plain", "Content-Transfer-Encoding: base64")
    assert read(report_mail(report=("A",), text_head=text)).problem == "report_unreadable"
