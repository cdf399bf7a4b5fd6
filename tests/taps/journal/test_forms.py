"""Each form of copy gives back the mail it is about, and no sender of mail can make one up."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sensor.taps.journal.copy import Copy, Reading, Recipient, Told
from sensor.taps.journal.forms import FORMS, read_copy
from sensor.taps.journal.limits import Bounds
from tests.craft.dialogue import lines
from tests.taps.journal.samples import ORIGINAL, REPORT, SAMPLES, copy, report_mail, topped, undelivered_mail

ANN = (Recipient("ann@corp.example"),)


def told(copied: Copy, form: str = "exchange") -> tuple[Told, ...]:
    name, reading = read_copy(copied, Bounds())
    assert (name, reading.problem) == (form, None)
    return tuple(replace(each, content=bytes(each.content)) for each in reading.told)


def problem(copied: Copy) -> tuple[str, str | None]:
    name, reading = read_copy(copied, Bounds())
    assert [bytes(each.content) for each in reading.told]
    return name, reading.problem


def test_every_form_has_a_name_a_meaning_and_a_sample() -> None:
    assert [form.name for form in FORMS] == [*dict.fromkeys(form.name for form in FORMS)]
    assert {form.name for form in FORMS} == set(SAMPLES)
    assert FORMS[-1].name == "plain"
    for form in FORMS:
        assert form.meaning.endswith(".")
        assert read_copy(SAMPLES[form.name](), Bounds())[0] == form.name


def test_a_journal_report_gives_envelope_and_original() -> None:
    assert told(SAMPLES["exchange"]()) == (Told(ORIGINAL, "sue@other.example", (*ANN, Recipient("eve@corp.example"))),)


def test_a_report_that_came_back_is_read_as_if_it_had_not() -> None:
    assert told(SAMPLES["undelivered"](), "undelivered") == told(SAMPLES["exchange"]())


def test_a_recipient_that_mail_was_sent_on_to_is_told_as_a_mail_of_its_own() -> None:
    report = (*REPORT, "Bcc: drop@evil.example, Forwarded: bob@corp.example")
    assert told(copy(report_mail(report=report)))[1:] == (
        Told(ORIGINAL, "sue@other.example", (Recipient("drop@evil.example", "bob@corp.example"),)),
    )


def test_a_mail_only_sent_on_is_not_told_for_nobody_too() -> None:
    report = (*REPORT[:3], "To: drop@evil.example, Forwarded: ann@corp.example")
    assert told(copy(report_mail(report=report))) == (
        Told(ORIGINAL, "sue@other.example", (Recipient("drop@evil.example", "ann@corp.example"),)),
    )


def sent_on(many: int) -> tuple[str, ...]:
    return tuple(f"To: d{each}@evil.example, Forwarded: ann@corp.example" for each in range(many))


def test_a_mail_sent_on_to_very_many_is_told_a_bounded_number_of_times() -> None:
    mails = told(copy(report_mail(report=(*REPORT[:3], *sent_on(261)))))
    assert len(mails) == 257
    assert sum(len(each.recipients) for each in mails) == 261


LONG = b"X-Long: " + b"x" * 300


@pytest.mark.parametrize(
    ("limit", "copied", "reached", "problem"),
    [
        ("sent_on", copy(report_mail(report=(*REPORT[:3], *sent_on(4)))), "sent_on_in_one", None),
        ("report_octets", SAMPLES["exchange"](), "reports_too_long", "report_unreadable"),
        ("report_recipients", copy(report_mail(report=(*REPORT[:3], *sent_on(4)))), None, "recipients_truncated"),
        ("field_octets", SAMPLES["exchange"](), "fields_unread", "original_missing"),
        ("parts", copy(report_mail()), "parts_left_out", "original_missing"),
        ("header_octets", copy(LONG + b"\r\n" + report_mail()), "headers_unread", "recipient_lost"),
    ],
)
def test_a_bound_holds_where_it_is_set_and_is_counted(
    limit: str, copied: Copy, reached: str | None, problem: str | None
) -> None:
    bounds = Bounds({f"journal_{limit}": 1 if limit == "parts" else 3})
    _, reading = read_copy(copied, bounds)
    assert reading.problem == problem
    assert +bounds.reached == ({reached: bounds.reached[reached]} if reached else {})
    whole = Bounds()
    read_copy(copied, whole)
    assert not +whole.reached


@pytest.mark.parametrize(
    ("text", "sender", "recipients"),
    [
        (("Sender: <>", *REPORT[1:4]), "", ANN),
        (("Sender: Sue <sue@other.example>", *REPORT[1:4]), "sue@other.example", ANN),
        (("sender:sue@other.example", "MESSAGE-ID: <x>", "recipient:ann@corp.example"), "sue@other.example", ANN),
        (("Sender: sue@other.example", "On-Behalf-Of: eve@x.example", *REPORT[1:4]), "sue@other.example", ANN),
        (("Sender: sue@other.example", "Label: x", *REPORT[2:4], "SentUtc: 1/1/2026"), "sue@other.example", ANN),
        (
            ("Sender: sue@other.example", "Message-ID: <x>", "Recipients:", "Ann <ann@corp.example>", "", "Junk: y"),
            "sue@other.example",
            ANN,
        ),
        (("Message-Id: <x>", "To: ann@corp.example"), None, ANN),
        (
            (*REPORT[:3], '"a, Forwarded: boss@corp.example"@other.example'),
            "sue@other.example",
            (),
        ),
        (
            (*REPORT[:3], 'To: "a, Forwarded: boss@corp.example"@other.example'),
            "sue@other.example",
            (Recipient('"a, Forwarded: boss@corp.example"@other.example'),),
        ),
        (
            (*REPORT[:3], "To: x@y.example, Expanded: dl@corp.example, Forwarded: ann@corp.example"),
            "sue@other.example",
            (Recipient("x@y.example", "ann@corp.example"),),
        ),
    ],
)
def test_the_text_of_a_report_is_read_as_exchange_writes_it(
    text: tuple[str, ...], sender: str | None, recipients: tuple[Recipient, ...]
) -> None:
    assert told(copy(report_mail(report=text))) == (Told(ORIGINAL, sender, recipients),)


@pytest.mark.parametrize(
    "subject",
    [
        "x\r\nTo: drop@evil.example, Forwarded: boss@corp.example",
        "x\r\nMessage-Id: <y>\r\nTo: drop@evil.example, Forwarded: boss@corp.example\r\nSender: boss@corp.example",
        "x\u2028To: drop@evil.example, Forwarded: boss@corp.example",
    ],
)
def test_a_subject_makes_no_recipient_up(subject: str) -> None:
    """The subject was written by a stranger; whatever line ends it holds, it stands above the last Message-Id."""
    report = (REPORT[0], f"Subject: {subject}", *REPORT[2:4])
    assert told(copy(report_mail(report=report, text_head=("Content-Type: text/plain; charset=utf-8",)))) == (
        Told(ORIGINAL, "sue@other.example", ANN),
    )


def test_a_message_id_makes_no_recipient_up() -> None:
    report = (
        *REPORT[:2],
        "Message-Id: <x\u2028To: drop@evil.example, Forwarded: boss@corp.example\x0bTo: a@b>",
        REPORT[3],
    )
    assert told(copy(report_mail(report=report, text_head=("Content-Type: text/plain; charset=utf-8",)))) == (
        Told(ORIGINAL, "sue@other.example", ANN),
    )


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
def test_a_text_in_any_transfer_encoding_is_read(encoding: str) -> None:
    text = "\r\n".join(REPORT)
    encoded = base64.encodebytes(text.encode()).decode() if encoding == "base64" else text.replace("sue", "s=\r\nue")
    head = ("Content-Type: text/plain; charset=utf-8", f"Content-Transfer-Encoding: {encoding}")
    report = report_mail(report=tuple(encoded.splitlines()), text_head=head)
    assert told(copy(report)) == told(SAMPLES["exchange"]())


def test_an_original_that_ends_with_an_empty_line_keeps_it() -> None:
    assert told(copy(report_mail(ORIGINAL + b"\r\n")))[0].content == ORIGINAL + b"\r\n"


def test_an_original_without_its_last_line_end_is_given_one_as_smtp_would() -> None:
    assert told(copy(report_mail(ORIGINAL.removesuffix(b"\r\n"))))[0].content == ORIGINAL


@pytest.mark.parametrize("boundary", ["a", "a.b+c(d)?*", "--", "x" * 70])
def test_any_boundary_is_found(boundary: str) -> None:
    assert told(copy(report_mail(boundary=boundary))) == told(SAMPLES["exchange"]())


def test_lines_with_bare_newlines_are_read() -> None:
    newlines = report_mail().replace(b"\r\n", b"\n")
    assert told(copy(newlines))[0].recipients == told(SAMPLES["exchange"]())[0].recipients


@pytest.mark.parametrize(
    ("content", "form", "wrong"),
    [
        (report_mail().replace(b"message/rfc822", b"application/ms-tnef"), "exchange", "original_in_tnef"),
        (report_mail().replace(b"message/rfc822", b"application/x-other"), "exchange", "original_missing"),
        (report_mail(report=("Nothing here",)), "exchange", "report_unreadable"),
        (report_mail()[:300], "exchange", "original_missing"),
        (lines("X-MS-Journal-Report:", "Content-Type: text/plain", "", "x"), "exchange", "original_missing"),
        (report_mail(boundary="b" * 5_000), "exchange", "original_missing"),
        (b"", "plain", "recipient_lost"),
        (b"\r\n", "plain", "recipient_lost"),
        (b"no header at all", "plain", "recipient_lost"),
        (ORIGINAL, "plain", "recipient_lost"),
        (topped("X-Gm-Spam: 0"), "google", "recipient_lost"),
        (SAMPLES["protected"]().content, "protected", "report_encrypted"),
    ],
)
def test_what_can_not_be_read_is_told_with_the_reason(content: bytes, form: str, wrong: str) -> None:
    assert problem(copy(content)) == (form, wrong)


def test_a_report_is_not_looked_for_in_what_people_send_each_other() -> None:
    """A journal report that a person attached to a mail is a mail with an attachment."""
    sent = undelivered_mail(report_mail()).replace(b"multipart/report", b"multipart/mixed")
    assert problem(copy(sent))[0] == "plain"


@pytest.mark.parametrize("form", ["google", "bcc"])
def test_a_copy_keeps_its_reverse_path_and_names_its_recipient(form: str) -> None:
    copied = SAMPLES[form]()
    assert told(copied, form) == (Told(copied.content, "sue@other.example", ANN),)


@pytest.mark.parametrize(
    ("copied", "form", "recipients"),
    [
        (copy(ORIGINAL, ours="journal+ann=corp.example@sensor.example"), "bcc", ANN),
        (
            copy(ORIGINAL, ours="journal+a+b=c.d=corp.example@sensor.example"),
            "bcc",
            (Recipient("a+b=c.d@corp.example"),),
        ),
        (copy(topped("X-Original-To: ann@corp.example")), "bcc", ANN),
        (copy(topped("Delivered-To: <ann@corp.example>")), "bcc", ANN),
        (copy(topped("Delivered-To: Journal@sensor.example", "X-Original-To: ann@corp.example")), "bcc", ANN),
        (copy(topped("Received: by a (Postfix) for <journal@sensor.example>; x")), "plain", ()),
        (copy(topped("Received: by a (Other) for <ann@corp.example>; x")), "plain", ()),
        (copy(topped("Received: by a (Postfix)", "X-Original-To: eve@corp.example")), "plain", ()),
        (copy(topped("Received: by a (Postfix)", "Received: by b (Postfix) for <eve@corp.example>; x")), "plain", ()),
        (Copy(ORIGINAL, "sue@other.example", (), ("ann@corp.example",)), "plain", ANN),
    ],
)
def test_recipients_are_taken_only_from_where_the_last_server_wrote_them(
    copied: Copy, form: str, recipients: tuple[Recipient, ...]
) -> None:
    name, reading = read_copy(copied, Bounds())
    assert (name, [each.recipients for each in reading.told]) == (form, [recipients])


CONTENTS = st.one_of(
    st.binary(max_size=200),
    st.builds(lambda a, b: report_mail()[:a] + report_mail()[b:], st.integers(0, 900), st.integers(0, 900)),
    st.builds(
        lambda at, octets: report_mail()[:at] + octets + report_mail()[at:], st.integers(0, 900), st.binary(max_size=30)
    ),
    st.builds(lambda text: report_mail(report=(text,)), st.text(max_size=80)),
)


@given(CONTENTS, st.sampled_from(["", "x"]))
@example(b"X-MS-Journal-Report:\nContent-Type: multipart/mixed; boundary*=x'y'%\n\n", "")
@example(b"X-MS-Journal-Report:\nContent-Type: multipart/mixed; boundary=\xff\n\n--\xff\n\n", "")
def test_any_octets_give_at_least_one_mail(content: bytes, reverse_path: str) -> None:
    _, reading = read_copy(Copy(content, reverse_path, ("journal@sensor.example",)), Bounds())
    assert isinstance(reading, Reading)
    assert all(len(each.content) <= len(content) + 2 for each in reading.told)
    assert reading.told


@pytest.mark.parametrize(
    "content",
    [
        b"X-MS-Journal-Report:\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n" + b"--a\r\n" * 400_000,
        b"X-MS-Journal-Report:\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n" + b"--a" + b" " * 2_000_000,
        b"X-MS-Journal-Report:\r\nContent-Type: multipart/mixed" + b';"' * 120_000 + b"\r\n\r\n--a",
        b"A: b\r\n" * 400_000,
        report_mail(report=(*REPORT[:3], *["To: " + "," * 500] * 5_000)),
        report_mail(report=("Sender: " + "<" * 2_000_000,)),
        report_mail(report=('Message-Id: <\r\nTo: "' + "\\a" * 1_000_000,)),
        topped("Received: " + "(Postfix) " * 50_000),
    ],
)
def test_hostile_copies_take_no_time(content: bytes) -> None:
    problem(copy(content))
