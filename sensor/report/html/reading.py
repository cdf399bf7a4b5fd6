"""The end of the report: what its words mean, how it was made, and where it ends."""

from __future__ import annotations

from collections.abc import Iterator

from sensor.report.html.markup import Child, Markup, element, lines
from sensor.report.html.page import Page
from sensor.report.html.table import Column, table
from sensor.report.words import counted

_GLOSSARY: tuple[tuple[str, str], ...] = (
    ("By a rule", "Copies that a rule sent on and that do not look forwarded (auto_only in records and ledger)."),
    ("By a rule, looking forwarded", "A rule made them, and they look forwarded as well (auto_visible)."),
    (
        "By hand",
        "They look forwarded, and no rule shows (visible_only). A rule that poses as a person counts here too.",
    ),
    ("Unmarked, in and out", "The same mail was seen to come in and to go out again, and no mark tells why (paired)."),
    ("Refused", "Forwards that no server took responsibility for: refused or given up."),
    (
        "Auto share",
        (
            "The first kind's share in the first three, with its 95 % interval (Jeffreys). Many mails by a rule "
            "without a corresponding number that look forwarded are the lead that ATT&CK gives."
        ),
    ),
    (
        "Level",
        "Who can have set it up: user (or whoever holds the account), admin, either (marks don't tell), unknown.",
    ),
    ("Evidence", "conclusive: marks that only a forward carries; strong: signs without proof; weak: hints."),
    ("Confidence", "How sure the claim is, lowered where much of the mail flow could not be seen."),
    ("Severity", "How soon somebody should look, from informational to critical."),
    (
        "Chain and seal",
        (
            "Each mail of an alert's evidence is hashed with the one before it, and the whole record is sealed, so "
            "that a change shows. mailsensor alerts FILE --verify checks an alert file."
        ),
    ),
    ("Transaction", "One mail on the wire. mailsensor explain CAPTURE --transaction ID shows how it was judged."),
)


def how_to_read(page: Page) -> Iterator[Child]:
    """The section's parts."""
    yield element(
        "dl",
        *(part for name, text in _GLOSSARY for part in (element("dt", name), element("dd", text))),
        class_="glossary",
    )
    yield element("h3", "How it was made")
    yield element(
        "p",
        f"By mailsensor {page.facts.version} (sensor {page.facts.sensor}) from what passed on the wire, and from "
        "nothing else: no mailbox, rule or audit log was read, and no body of a mail is kept. Times are those of the "
        "packets, in UTC. The same captures and settings give the same page, octet for octet.",
    )
    yield element("h3", "Limits")
    yield element(
        "ul",
        lines(
            element("li", text)
            for text in (
                "A mail's sender can forge header fields. Marks count only where envelope and path agree with them.",
                "Characters that would draw otherwise than they read are shown as escapes, such as \\u202e.",
                "Counts by destination do not tell the kinds apart; the picture shows what most of a mailbox's are.",
                "What found no room on this page is counted where it is left out; alert and record files hold it.",
            )
        ),
    )
    yield _odd(page)


def _odd(page: Page) -> Markup | None:
    if not page.facts.anomalies:
        return None
    rows = [(element("code", slug), f"{count:,}") for slug, count in page.facts.anomalies.items()]
    columns = (Column("Anomaly"), Column("Times", is_number=True))
    return element(
        "details",
        element("summary", f"Odd on the wire: {counted(len(rows), 'kind')}"),
        table("Anomalies", columns, rows),
        open=True,
    )
