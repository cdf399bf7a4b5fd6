"""Which attachments are archives of mail, and what is told of them."""

import pytest

from sensor.detect.archive_sent import ArchiveSent
from sensor.detect.base import DAY_MS, MINUTE_MS
from sensor.detect.events import Attached, AttachmentsSent, stable_id
from tests.detect.forwards import MONDAY_MS, WATCHED, tell

MB = 1_000_000


def sent(
    at_ms: int, *files: tuple[str | None, str, int], messages: int = 0, octets: int | None = None
) -> AttachmentsSent:
    return AttachmentsSent(
        id=stable_id("sent", str(at_ms)),
        at_ms=at_ms,
        transaction_id=f"t{at_ms}",
        mailbox="leaver@corp.example",
        destinations=("me@dst.example",),
        attachments=tuple(Attached(filename=name, content_type=kind, octets=size) for name, kind, size in files),
        attached_messages=messages,
        octets=octets,
        context=WATCHED,
    )


STORES = ["Outlook.pst", "BACKUP.OST", "a.mbox", "old.pst.zip", "old.pst.7z.003", "x.nsf", "Mail.olm", "inbox.mbx. "]
EXPORTS = ["maildir.tar.gz", "mailbox-2026.zip", "my mail backup.7z", "ann@corp.example.zip", "takeout-2026.zip"]
EXPORTS += ["Inbox.rar", "emails.zip", "sent items.zip", "mailbox.zip.001"]
SPLITS = ["data.7z.001", "data.zip.002", "data.z01", "data.r00", "data.part2.rar"]
HARMLESS = [
    "offer.zip",
    "exchange-rates.zip",
    "economic outlook.zip",
    "email_templates.zip",
    "mailboxes.pdf",
    "retail.zip",
    "host.txt",
    "post.docx",
    "report.001",
    "x.pst.pdf",
    "blackmail backups.txt",
    None,
    "",
]


@pytest.mark.parametrize(
    ("names", "counted", "technique"),
    [(STORES, "stores", "T1114.001"), (EXPORTS, "exports", "T1114"), (SPLITS, "split_volumes", "T1560")],
)
def test_names_tell_stores_exports_and_split_archives(names: list[str], counted: str, technique: str) -> None:
    for name in names:
        (finding,) = tell(ArchiveSent(), [sent(MONDAY_MS, (name, "application/octet-stream", 2 * MB))])
        assert finding.counts[counted] == 1, name
        assert finding.technique == technique


@pytest.mark.parametrize("name", HARMLESS)
def test_harmless_names_are_left_alone(name: str | None) -> None:
    assert tell(ArchiveSent(), [sent(MONDAY_MS, (name, "application/zip", 50 * MB))]) == []


def test_a_type_tells_a_store_whatever_its_name() -> None:
    (finding,) = tell(ArchiveSent(), [sent(MONDAY_MS, ("holiday.jpg", "application/mbox", MB))])
    assert (finding.severity, finding.confidence) == ("high", "high")


def test_ten_messages_in_one_mail_are_a_collection_and_nine_are_not() -> None:
    nine = [(f"{number}.eml", "message/rfc822", 50_000) for number in range(9)]
    assert tell(ArchiveSent(), [sent(MONDAY_MS, *nine, messages=9)]) == []
    (finding,) = tell(ArchiveSent(), [sent(MONDAY_MS, *nine, ("9.msg", "application/vnd.ms-outlook", 1), messages=9)])
    assert (finding.counts["messages"], finding.counts["octets"]) == (10, 450_001)


def test_messages_that_are_not_listed_as_attachments_count_by_their_number() -> None:
    (finding,) = tell(ArchiveSent(), [sent(MONDAY_MS, messages=40, octets=3 * MB)])
    assert (finding.counts["messages"], finding.counts["octets"]) == (40, 3 * MB)


def test_small_volumes_of_a_split_archive_do_not_count() -> None:
    assert tell(ArchiveSent(), [sent(MONDAY_MS, ("a.7z.001", "application/zip", MB - 1))]) == []


def test_severity_grows_with_what_was_sent() -> None:
    volumes = [sent(MONDAY_MS + n * MINUTE_MS, (f"a.7z.{n:03}", "application/x", 3 * MB)) for n in range(1, 9)]
    findings = tell(ArchiveSent(), volumes)
    assert [(finding.counts["split_volumes"], finding.severity) for finding in findings] == [
        (1, "low"),
        (2, "low"),
        (4, "high"),
        (8, "high"),
    ]
    (export,) = tell(ArchiveSent(), [sent(MONDAY_MS, ("inbox.zip", "application/zip", MB))])
    assert export.severity == "medium"


def test_a_week_later_is_a_new_case() -> None:
    events = [sent(MONDAY_MS + day * DAY_MS, ("a.pst", "x/y", MB)) for day in (0, 8)]
    assert len({finding.id for finding in tell(ArchiveSent(), events)}) == 2
