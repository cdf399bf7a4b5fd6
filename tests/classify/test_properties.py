"""What no rearrangement of a mail may change, and what no outsider's mark may bring about."""

from __future__ import annotations

import re
import tomllib
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensor.classify import Organisation, builtin_table, classify, judge
from sensor.classify.lookalike import STILL_A_FORWARD
from sensor.model import Forwarding
from tests.classify.casework import CASES
from tests.mails import core_mail

# Cases of each kind and writer; the whole list would only say the same more slowly.
SAMPLE = [path for path in CASES if int(path.name.split("_")[0].rstrip("bc")) < 46 or "plain" in path.stem]
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
# What an outsider may write for each row of the table that stands in a field: M is the mailbox he names, D where to.
FORGED = {
    "exchange_forwarding_loop": "X-MS-Exchange-ForwardingLoop: M;44d81603-6a98-429d-8ab9-bb947b669639",
    "exchange_forwarding_handled": "X-MS-Exchange-ForwardingLoop: ForwardingHandled;44d81603",
    "exchange_inbox_rules_loop": "X-MS-Exchange-Inbox-Rules-Loop: M",
    "exchange_rules_agent": "X-MS-Exchange-Generated-Message-Source: Mailbox Rules Agent",
    "exchange_delegate_rule": "X-MS-Exchange-Generated-Message-Source: Mailbox Rules Agent.DelegateAccess",
    "exchange_other_agent": "X-MS-Exchange-Generated-Message-Source: Transport Rule Agent",
    "exchange_parent_message": "X-MS-Exchange-Parent-Message-Id: <1@far.example>",
    "exchange_transport_rules_loop": "X-MS-Exchange-Transport-Rules-Loop: 1",
    "exchange_auto_forwarded": "X-MS-Exchange-Organization-AutoForwarded: true",
    "exchange_processed_external_forward": "X-LD-Processed: 44d81603-6a98-429d-8ab9-bb947b669639,ExtFwd",
    "exchange_processed_external_address": "X-LD-Processed: 44d81603-6a98-429d-8ab9-bb947b669639,ExtAddr",
    "power_automate_forward": "x-ms-mail-operation-type: Forward",
    "resent_from_alone": "Resent-From: <M>",
    "google_forwarded_for": "X-Forwarded-For: M D",
    "google_forwarded_to": "X-Forwarded-To: D",
    "google_original_to": "X-Gm-Original-To: M",
    "google_forwarded_signature": "X-Google-DKIM-Signature: v=1; d=1e100.net; h=from:x-forwarded-to",
    "google_forwarded_encrypted": "X-Forwarded-Encrypted: i=1; AJvY",
    "sieve_redirected_from": "X-Sieve-Redirected-From: M",
    "sieve_pigeonhole": "X-Sieve: Pigeonhole Sieve 0.5",
    "sieve_cmu": "X-Sieve: CMU Sieve 3.0",
    "cyrus_sieve_redirect": "X-Sieve-Action: redirect",
    "cyrus_sieve_answer": "X-Sieve-Action: vacation",
    "zimbra_forwarded": "X-Zimbra-Forwarded: M",
    "delivered_to": "Delivered-To: M",
    "original_to": "X-Original-To: M",
    "envelope_to": "Envelope-to: M",
    "loop_guard": "Resent-From: <M>\nResent-To: <D>\nResent-Date: Sun, 22 Nov 2026 01:00:00 +0000\nX-Loop: M",
    "cpanel_forwarder": "X-Get-Message-Sender-Via: h1: redirect/forwarder owner M -> D",
    "cpanel_from_rewrite": "X-From-Rewrite: forwarded message",
    "cpanel_from_rewrite_plain": "From-Rewrite: forwarded message",
    "mailru_forward": "X-ResentFrom: <M>\nX-MailRu-Forward: 1",
    "yandex_forward": "X-Yandex-Forward: 0123456789abcdef0123456789abcdef",
    "proton_forwarded_from": "X-Pm-Forwarded-From: M",
    "proton_forwarded_to": "X-Pm-Forwarded-To: D",
    "yahoo_forwarded": "X-Yahoo-Forwarded: from M to D",
    "yahoo_forward_only": "X-Yahoo-ForwardOnly: 1",
    "fastmail_delivered_to": "X-Delivered-to: M",
    "fastmail_resolved_to": "X-Resolved-to: M",
    "mail_fwd_by": "X-MailFwdBy: M",
    "x400_autoforwarded": "Autoforwarded: TRUE",
    "auto_submitted": "Auto-Submitted: auto-generated",
    "simplelogin_forward": "X-SimpleLogin-Type: Forward\nX-SimpleLogin-Envelope-To: M",
    "improvmx_forward": "X-Forwarding-Service: ImprovMX v3.0.0",
    "arc_later_set": "ARC-Authentication-Results: i=2; mx.far.example; spf=pass smtp.mailfrom=far.example",
    "thread_index_of_child": "Thread-Index: AdL1aBcDeFgHiJkLmNoPqRsTuVwXyQAAJ2rB",
    "forwarded_message_id": "X-Forwarded-Message-Id: <1@far.example>",
    "resent_by_hand": "Resent-From: <M>\nResent-To: D\nResent-Date: Sun, 22 Nov 2026 01:00:00 +0000",
    "meeting_forward": "Sender: M\nX-MS-Exchange-MeetingForward-Message: Forward",
}
# Lines of the road that an outsider may write as well, in the name of a server of ours.
FORGED_LINES = {
    "received_for": "Received: from mx.far.example by mx.corp.example id 7 for <M>; Sun, 22 Nov 2026 00:59:00 +0000",
    "received_by_us": "Received: by mx.corp.example (Postfix) id 8; Sun, 22 Nov 2026 00:59:00 +0000\nDelivered-To: M",
    "arc_set": "ARC-Seal: i=2; a=rsa-sha256; d=corp.example; cv=pass; b=AA",
}
# The line by which each platform took the outsider's mail in, and what it puts above and below while it delivers.
POSTFIX = (
    "Received: from localhost (localhost [127.0.0.1]) by mx.corp.example (Postfix) with ESMTP id 2\n"
    "Received: from evil.example (evil.example [203.0.113.66]) by mx.corp.example (Postfix) with ESMTP id 1\n"
)
POSTFIX_FOR_ANN = POSTFIX.replace("id 1\n", "id 1\n for <ann@corp.example>; Sun, 22 Nov 2026 01:00:00 +0000\n")
FORGED_HELO = POSTFIX.replace("from evil.example (evil", "from mx.corp.example (evil")
EXCHANGE = (
    "Received: from DB9PR05CA0012.eurprd05.prod.outlook.com (2603:10a6:10:1da::17) by\n"
    " AM8P191MB1042.EURP191.PROD.OUTLOOK.COM (2603:10a6:20b:1d8::10) with Microsoft SMTP Server id 15.20;\n"
    " Sun, 22 Nov 2026 01:00:03 +0000\n"
    "Received: from HELO (203.0.113.66) by DB1PEPF.mail.protection.outlook.com (10.167.242.54) with Microsoft SMTP\n"
    " Server id 15.20 via Frontend Transport; Sun, 22 Nov 2026 01:00:01 +0000\n"
)
GOOGLE = (
    "Received: by 2002:a05:7022:6624 with SMTP id g1; Sat, 21 Nov 2026 17:00:03 -0800 (PST)\n"
    "Received: from HELO (HELO. [203.0.113.66]) by mx.google.com with ESMTPS id g0\n"
    " for <ann@corp.example>; Sat, 21 Nov 2026 17:00:02 -0800 (PST)\n"
)
OUTLOOK, GMAIL = "eur05-vi1-obe.outbound.protection.outlook.com", "mail-ed1-x536.google.com"
# Genuine roads: the host that sends now, its reverse-path, and what our side wrote above the outsider's fields.
ROADS = {
    "delivered": ("mx.corp.example", "evil@evil.example", POSTFIX),
    "list": ("mx.corp.example", "team-bounces@corp.example", POSTFIX),
    "own_name_in_helo": ("mx.corp.example", "evil@evil.example", FORGED_HELO),
    "srs": ("mx.corp.example", "SRS0=oCI4=CZ=evil.example=evil@corp.example", POSTFIX),
    "redirect": (
        "mx.corp.example",
        "evil@evil.example",
        "X-Sieve-Redirected-From: ann@corp.example\n" + POSTFIX_FOR_ANN,
    ),
    "dot_forward": ("mx.corp.example", "evil@evil.example", "Delivered-To: ann@corp.example\n" + POSTFIX_FOR_ANN),
    "exchange": (OUTLOOK, "evil@evil.example", EXCHANGE),
    "exchange_own_name": (OUTLOOK, "evil@evil.example", EXCHANGE.replace("HELO", "EX1.eurprd05.prod.outlook.com")),
    "exchange_other_tenant": (OUTLOOK, "evil@evil.example", EXCHANGE.replace("HELO", OUTLOOK)),
    "exchange_group": (OUTLOOK, "team+SRS=44ldt=IX=evil.example=evil@corp.example", EXCHANGE),
    "exchange_relay": (OUTLOOK, "bounces+SRS=HnE87=C7@corp.example", EXCHANGE),
    "exchange_redirect": (
        OUTLOOK,
        "ann+SRS=44ldt=IX=evil.example=evil@corp.example",
        "Resent-From: <ann@corp.example>\n" + EXCHANGE,
    ),
    "exchange_through_gateway": (
        "out.corp.example",
        "evil@evil.example",
        f"Received: from {OUTLOOK} (mail.outbound.protection.outlook.com [40.107.21.69]) by out.corp.example\n"
        + EXCHANGE,
    ),
    "google": (GMAIL, "evil@evil.example", GOOGLE),
    "google_from_google": (GMAIL, "evil@evil.example", GOOGLE.replace("HELO", "mail-sor-f41.google.com")),
    "google_from_same_name": (GMAIL, "evil@evil.example", GOOGLE.replace("HELO", GMAIL)),
    "google_group": (GMAIL, "team+bncBDZ5QK4J3YPBBWXYZ@corp.example", GOOGLE),
    "google_forward": (
        GMAIL,
        "ann+caf_=ext=dst.example@corp.example",
        "X-Forwarded-To: ext@dst.example\nX-Forwarded-For: ann@corp.example ext@dst.example\n" + GOOGLE,
    ),
}
MAILBOXES = ("ann@corp.example", "bob@corp.example", "team@corp.example", "evil@evil.example")


def _case(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _split(content: str) -> tuple[list[str], str]:
    """The fields of the header section, folds included, and the body with the empty line before it."""
    head, empty, body = content.lstrip("\n").partition("\n\n")
    fields: list[str] = []
    for line in head.split("\n"):
        if line[:1] in (" ", "\t") and fields:
            fields[-1] += "\n" + line
        else:
            fields.append(line)
    return fields, empty + body


def _verdict(case: dict[str, Any], content: str) -> Forwarding:
    return classify(core_mail(content, **case["envelope"]), Organisation(case["internal_domains"]))


def _essence(verdict: Forwarding) -> tuple[object, ...]:
    """The verdict without the texts of its artifacts, which may differ in blanks."""
    return (
        verdict.kind,
        verdict.level,
        verdict.evidence,
        verdict.mailbox,
        verdict.destinations,
        verdict.direction,
        verdict.look_alike,
        sorted(artifact.slug for artifact in verdict.artifacts),
    )


@QUICK
@given(path=st.sampled_from(SAMPLE), data=st.data())
def test_folds_case_and_blanks_do_not_change_a_verdict(path: Path, data: st.DataObject) -> None:
    """Field names in any case, more blanks behind the colon, and a fold at any blank of an unfolded value."""
    case = _case(path)
    fields, body = _split(case["content"])
    written = []
    for field in fields:
        name, colon, value = field.partition(":")
        name = data.draw(st.sampled_from([name, name.upper(), name.lower()]))
        blanks = data.draw(st.sampled_from([" ", "  ", "\t", "\n "]))
        at = value.find(" ", 2)
        # An address list or a boundary may be folded anywhere a blank stands; only what is one word stays whole.
        if at > 0 and "\n" not in value and data.draw(st.booleans()):
            value = value[:at] + "\n" + value[at:]
        written.append(f"{name}{colon}{blanks if value.strip() else ''}{value.lstrip()}")
    assert _essence(_verdict(case, "\n".join(written) + body)) == _essence(_verdict(case, case["content"]))


@QUICK
@given(path=st.sampled_from(SAMPLE), data=st.data())
def test_the_order_of_fields_above_the_received_line_does_not_change_a_verdict(path: Path, data: st.DataObject) -> None:
    """And neither does that of the author's own fields below the last one."""
    case = _case(path)
    fields, body = _split(case["content"])
    hops = [at for at, field in enumerate(fields) if field.lower().startswith("received:")]
    first, last = (hops[0], hops[-1] + 1) if hops else (0, 0)
    # Fields of one name keep their order: the topmost of several is the last that was written.
    above = _shuffled(fields[:first], data)
    below = _shuffled(fields[last:], data)
    content = "\n".join([*above, *fields[first:last], *below]) + body
    assert _essence(_verdict(case, content)) == _essence(_verdict(case, case["content"]))


def _shuffled(fields: list[str], data: st.DataObject) -> list[str]:
    order = data.draw(st.permutations(range(len(fields))))
    by_name: dict[str, list[str]] = {}
    for field in fields:
        by_name.setdefault(field.partition(":")[0].lower(), []).append(field)
    queues = {name: iter(same) for name, same in by_name.items()}
    return [next(queues[fields[at].partition(":")[0].lower()]) for at in order]


def test_every_row_that_stands_in_a_field_can_be_forged_here() -> None:
    rows = {row.slug for row in builtin_table().rows if row.place == "field"}
    assert rows == FORGED.keys()
    for slug, text in FORGED.items():
        forged = core_mail(_forged(slug, "ann@corp.example", "ext@dst.example") + "\nFrom: e@evil.example\n\nHi.\n")
        assert slug in {match.row.slug for match in builtin_table().matches(forged)}, text


def _forged(slug: str, mailbox: str, destination: str) -> str:
    return re.sub(r"\b[MD]\b", lambda found: {"M": mailbox, "D": destination}[found[0]], (FORGED | FORGED_LINES)[slug])


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    road=st.sampled_from(sorted(ROADS)),
    slugs=st.lists(st.sampled_from(sorted(FORGED | FORGED_LINES)), min_size=1, max_size=4, unique=True),
    mailbox=st.sampled_from(MAILBOXES),
    recipients=st.sampled_from(
        [
            ("ann@corp.example",),
            ("bob@corp.example",),
            ("ext@dst.example",),
            ("ext@dst.example", "two@dst.example"),
        ]
    ),
    to=st.sampled_from(["team@corp.example", "ann@corp.example", "ext@dst.example", "all@evil.example"]),
    author=st.sampled_from(["evil@evil.example", "bob@corp.example"]),
    at_the_foot=st.booleans(),
)
def test_an_outsiders_marks_below_our_received_line_create_no_verdict(
    road: str, slugs: list[str], mailbox: str, recipients: tuple[str, ...], to: str, author: str, *, at_the_foot: bool
) -> None:
    """
    On every platform's road, whatever is done with the mail: delivered, sent on by a list, or truly forwarded.

    A verdict that the mail has without the marks keeps its kind, mailbox and destinations, or is lost. Of his own
    mailbox the outsider may tell what he likes: that is a foreign forward, and never counted.
    """
    helo, reverse_path, above = ROADS[road]
    marks = "\n".join(_forged(slug, mailbox, recipients[0]) for slug in slugs) + "\n"
    fields = f"From: {author}\nTo: {to}\nSubject: Hello\nMessage-ID: <1@evil.example>\n"
    envelope: dict[str, Any] = {"reverse_path": reverse_path, "forward_paths": recipients, "helo": helo}
    networks = [ip_network("198.51.100.0/24"), ip_network("192.0.2.0/24")] if road == "own_name_in_helo" else []
    corp = Organisation(["corp.example"], networks)
    plain = judge(core_mail(above + fields + "\nHi.\n", **envelope), corp).forwarding
    marked_fields = fields + marks if at_the_foot else marks + fields
    marked = judge(core_mail(above + marked_fields + "\nHi.\n", **envelope), corp).forwarding
    if marked.mailbox == "evil@evil.example" != plain.mailbox:
        assert marked.look_alike in STILL_A_FORWARD
        return
    assert marked.kind in (plain.kind, "none")
    if marked.kind != "none":
        assert (marked.mailbox, marked.destinations) == (plain.mailbox, plain.destinations)


@QUICK
@given(
    slugs=st.lists(st.sampled_from(sorted(FORGED | FORGED_LINES)), min_size=1, max_size=5, unique=True),
    mailbox=st.sampled_from(MAILBOXES[:3]),
    recipient=st.sampled_from(MAILBOXES[:2]),
    reverse_path=st.sampled_from(["evil@evil.example", "bob+caf_=ann=corp.example@corp.example", "team@corp.example"]),
    road=st.sampled_from(["", "Received: by mx.corp.example (Postfix) id 1\n"]),
    helo=st.sampled_from(["evil.example", None]),
)
def test_an_outsiders_marks_on_mail_to_us_create_no_forward_of_ours(
    slugs: list[str], mailbox: str, recipient: str, reverse_path: str, road: str, helo: str | None
) -> None:
    """Straight from his own host, with a Received line in our name on top, if he likes."""
    marks = "\n".join(_forged(slug, mailbox, recipient) for slug in slugs)
    content = f"{road}{marks}\nFrom: evil@evil.example\nTo: ann@corp.example\nSubject: Hello\n\nHi.\n"
    mail = core_mail(content, reverse_path=reverse_path, forward_paths=[recipient], helo=helo)
    verdict = judge(mail, Organisation(["corp.example"])).forwarding
    if verdict.kind != "none":
        assert verdict.mailbox == "evil@evil.example"
        assert verdict.look_alike in STILL_A_FORWARD


@pytest.mark.parametrize("path", SAMPLE, ids=lambda path: path.stem)
def test_line_ends_do_not_change_a_verdict(path: Path) -> None:
    case = _case(path)
    octets = case["content"].lstrip("\n").replace("\n", "\r\n").encode()
    with_crlf = classify(core_mail(octets, **case["envelope"]), Organisation(case["internal_domains"]))
    assert _essence(with_crlf) == _essence(_verdict(case, case["content"]))
