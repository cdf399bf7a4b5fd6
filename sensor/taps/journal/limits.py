"""Every bound of what the journal takes in and reads, with its reason. What is reached is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

LIMITS: tuple[tuple[str, str, int], ...] = (
    (
        "journal_line_octets",
        "Octets of a line of mail. Exchange wraps at 998 as RFC 5322 2.1.1 asks; Postfix passes on what it gets.",
        1 << 20,
    ),
    (
        "journal_command_octets",
        "Octets of a command. RFC 5321 4.5.3.1.4 has 512, and long parameters and addresses pass it.",
        4_096,
    ),
    (
        "journal_recipients",
        "Recipients of one copy (RFC 5321 4.5.3.1.8: at least 100). Further ones are deferred.",
        1_000,
    ),
    (
        "journal_header_octets",
        "Octets of a header section. Exchange's own limit is 64 KB to 256 KB; a longer one has no fields for us.",
        262_144,
    ),
    (
        "journal_field_octets",
        "Octets of a field whose parameters are read: a boundary has 70 (RFC 2046 5.1.1), and reading is slow.",
        4_096,
    ),
    (
        "journal_parts",
        "Parts looked at of a multipart. A journal report has two or three.",
        64,
    ),
    (
        "journal_depth",
        "Multiparts looked at in each other: a report has one, and each gateway that adds words may put one around it.",
        3,
    ),
    (
        "journal_report_octets",
        "Octets of a report's text: some 100 for each recipient, and Exchange takes mail to a few thousand.",
        4 << 20,
    ),
    (
        "journal_report_recipients",
        "Recipients taken of one report. What stands behind them is not looked at.",
        10_000,
    ),
    (
        "journal_sent_on",
        "Mails that one report is told as for those it was sent on to. A mail has a few; further ones are told in one.",
        256,
    ),
)


class Bounds:
    """The limits in force: the defaults, and what is set instead. ``reached`` counts, by the names of ``COUNTERS``."""

    __slots__ = (
        "command_octets",
        "depth",
        "field_octets",
        "header_octets",
        "line_octets",
        "parts",
        "reached",
        "recipients",
        "report_octets",
        "report_recipients",
        "sent_on",
    )

    def __init__(self, limits: Mapping[str, int] | None = None) -> None:
        force = {name: default for name, _, default in LIMITS} | dict(limits or {})
        self.line_octets = force["journal_line_octets"]
        self.command_octets = force["journal_command_octets"]
        self.recipients = force["journal_recipients"]
        self.header_octets = force["journal_header_octets"]
        self.field_octets = force["journal_field_octets"]
        self.parts = force["journal_parts"]
        self.depth = force["journal_depth"]
        self.report_octets = force["journal_report_octets"]
        self.report_recipients = force["journal_report_recipients"]
        self.sent_on = force["journal_sent_on"]
        self.reached: Counter[str] = Counter()
