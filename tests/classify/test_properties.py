"""What no rearrangement of a mail may change, and what no outsider's mark may bring about."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensor.classify import Organisation, classify
from sensor.model import Forwarding
from tests.classify.casework import CASES
from tests.mails import core_mail

# Cases of each kind and writer; the whole list would only say the same more slowly.
SAMPLE = [path for path in CASES if int(path.name.split("_")[0].rstrip("bc")) < 46 or "plain" in path.stem]
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
# Marks that an outsider may write into his own mail, naming ours.
FORGED = (
    "X-Forwarded-To: ext@dst.example",
    "X-Forwarded-For: bob@corp.example ext@dst.example",
    "X-MS-Exchange-Inbox-Rules-Loop: bob@corp.example",
    "X-MS-Exchange-ForwardingLoop: bob@corp.example;44d81603-6a98-429d-8ab9-bb947b669639",
    "Resent-From: <bob@corp.example>",
    "X-Sieve-Redirected-From: bob@corp.example",
    "X-Zimbra-Forwarded: bob@corp.example",
    "X-Get-Message-Sender-Via: h1: redirect/forwarder owner bob@corp.example -> ext@dst.example",
    "X-Pm-Forwarded-From: bob@corp.example",
    "X-ResentFrom: <bob@corp.example>\nX-MailRu-Forward: 1",
    "X-Gm-Original-To: bob@corp.example",
    "Delivered-To: bob@corp.example",
    "X-Sieve-Action: redirect",
    "X-MailFwdBy: bob@corp.example",
)


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


@QUICK
@given(
    forged=st.lists(st.sampled_from(FORGED), min_size=1, max_size=4, unique=True),
    hops=st.integers(0, 2),
    recipients=st.sampled_from(
        [("ann@corp.example",), ("ext@dst.example",), ("ext@dst.example", "two@dst.example"), ("bob@corp.example",)]
    ),
    reverse_path=st.sampled_from(["evil@evil.example", "", "team-bounces@corp.example", "newsletter@corp.example"]),
    to=st.sampled_from(["team@corp.example", "ann@corp.example", "ext@dst.example"]),
)
def test_an_outsiders_marks_below_our_received_line_create_no_forward(
    forged: list[str], hops: int, recipients: tuple[str, ...], reverse_path: str, to: str
) -> None:
    """Whatever our server does with the mail: deliver it, or send it on as a list does."""
    received = "Received: from evil.example (evil.example [203.0.113.66]) by mx.corp.example with ESMTP id 1\n"
    inside = "Received: from localhost (localhost [127.0.0.1]) by mx.corp.example with ESMTP id 2\n"
    fields = f"From: evil@evil.example\nTo: {to}\nSubject: Hello\nMessage-ID: <1@evil.example>\n\nHi.\n"
    envelope: dict[str, Any] = {"reverse_path": reverse_path, "forward_paths": recipients, "helo": "mx.corp.example"}
    corp = Organisation(["corp.example"])
    plain = classify(core_mail(inside * hops + received + fields, **envelope), corp)
    marked = classify(core_mail(inside * hops + received + "\n".join(forged) + "\n" + fields, **envelope), corp)
    assert plain.kind == "none"
    assert marked.kind == "none"


@QUICK
@given(
    forged=st.lists(st.sampled_from(FORGED), min_size=1, max_size=5, unique=True),
    helo=st.sampled_from(["evil.example", None]),
)
def test_an_outsiders_marks_on_mail_to_us_create_no_forward_of_ours(forged: list[str], helo: str | None) -> None:
    """Straight from his own host, no Received line of anybody's."""
    content = "\n".join(forged) + "\nFrom: evil@evil.example\nTo: ann@corp.example\nSubject: Hello\n\nHi.\n"
    mail = core_mail(content, reverse_path="evil@evil.example", forward_paths=["ann@corp.example"], helo=helo)
    verdict = classify(mail, Organisation(["corp.example"]))
    assert verdict.kind == "none"


@pytest.mark.parametrize("path", SAMPLE, ids=lambda path: path.stem)
def test_line_ends_do_not_change_a_verdict(path: Path) -> None:
    case = _case(path)
    octets = case["content"].lstrip("\n").replace("\n", "\r\n").encode()
    with_crlf = classify(core_mail(octets, **case["envelope"]), Organisation(case["internal_domains"]))
    assert _essence(with_crlf) == _essence(_verdict(case, case["content"]))
