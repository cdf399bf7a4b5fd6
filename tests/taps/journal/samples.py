"""Copies in every form, made from one mail, by their forms' names."""

from __future__ import annotations

from collections.abc import Callable

from sensor.taps.journal.copy import Copy
from tests.craft.dialogue import lines

ORIGINAL = lines(
    "Received: from mx.other.example by mail.corp.example; Thu, 01 Jan 2026 00:00:00 +0000",
    "From: Sue <sue@other.example>",
    "To: ann@corp.example",
    "Subject: Invoice",
    "Message-ID: <one@other.example>",
    "MIME-Version: 1.0",
    "Content-Type: text/plain",
    "",
    "Dear Ann,",
    "see below.",
)
REPORT = (
    "Sender: sue@other.example",
    "Subject: Invoice",
    "Message-Id: <one@other.example>",
    "To: ann@corp.example",
    "Cc: eve@corp.example, Expanded: sales@corp.example",
)


def report_mail(
    original: bytes = ORIGINAL,
    report: tuple[str, ...] = REPORT,
    *,
    mark: str = "X-MS-Journal-Report:",
    boundary: str = "_000_report_",
    text_head: tuple[str, ...] = ("Content-Type: text/plain; charset=us-ascii",),
) -> bytes:
    """A journal report about *original*, which ends where its own last line does."""
    head = lines(
        "From: Microsoft Exchange <exchange@corp.example>",
        "To: journal@sensor.example",
        "Subject: Invoice",
        "Message-ID: <report@corp.example>",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/mixed; boundary="{boundary}"',
        *([mark] if mark else []),
        "",
    )
    text = lines(f"--{boundary}", *text_head, "", *report)
    attached = lines(f"--{boundary}", "Content-Type: message/rfc822", "") + original
    return head + text + b"\r\n" + attached + b"\r\n" + lines(f"--{boundary}--")


def undelivered_mail(report: bytes) -> bytes:
    """A report of non-delivery that a journal report came back in."""
    head = lines(
        "From: postmaster@corp.example",
        "Subject: Undeliverable: Invoice",
        'Content-Type: multipart/report; report-type=delivery-status; boundary="_dsn_"',
        "",
        "--_dsn_",
        "Content-Type: text/plain",
        "",
        "Delivery has failed.",
        "--_dsn_",
        "Content-Type: message/delivery-status",
        "",
        "Action: failed",
        "--_dsn_",
        "Content-Type: message/rfc822",
        "",
    )
    return head + report + lines("", "--_dsn_--")


def topped(*fields: str) -> bytes:
    return lines(*fields) + ORIGINAL


def copy(content: bytes, reverse_path: str = "sue@other.example", ours: str = "journal@sensor.example") -> Copy:
    return Copy(content, reverse_path, (ours,))


SAMPLES: dict[str, Callable[[], Copy]] = {
    "exchange": lambda: copy(report_mail(), ""),
    "undelivered": lambda: copy(undelivered_mail(report_mail()), ""),
    "protected": lambda: copy(
        lines(
            "X-MS-Journal-Report:",
            "Content-Type: application/pkcs7-mime; smime-type=enveloped-data",
            "Content-Transfer-Encoding: base64",
            "",
            "MIIB",
        ),
        "",
    ),
    "google": lambda: copy(topped("X-Gm-Original-To: ann@corp.example", "X-Gm-Spam: 0")),
    "bcc": lambda: copy(
        topped(
            "Received: from mx.other.example (mx.other.example [192.0.2.9])",
            "\tby mail.corp.example (Postfix) with ESMTPS id 4XyZ",
            "\tfor <ann@corp.example>; Thu,  1 Jan 2026 00:00:00 +0000 (UTC)",
        )
    ),
    "plain": lambda: copy(ORIGINAL),
}
"""By form: what Exchange, Google and Postfix hand over of the same mail to Ann."""
