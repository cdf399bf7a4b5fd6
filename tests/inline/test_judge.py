"""A verdict comes in time, or what was chosen for that case follows."""

from __future__ import annotations

import io
import threading
import time
from typing import Any

import pytest

from sensor.classify import Organisation, builtin_table, classify
from sensor.inline import Judge, Verdict
from sensor.inline import judge as judge_module
from sensor.inline.judge import CLOSED_REPLY, TELL_EVERY_S
from sensor.log import Log
from sensor.model import Transaction
from sensor.settings import InlineRule, InlineSettings
from tests.mails import Mail, Path, mail
from tests.waiting import until

REJECT = InlineRule(name="no", action="reject", reply=(550, "5.7.1", "no"))
TAG = InlineRule(name="mark", action="tag")
FORWARD = mail(
    """
Resent-From: ann@corp.example
X-MS-Exchange-Inbox-Rules-Loop: ann@corp.example
From: sue@other.example
To: ann@corp.example
Subject: hi

x
""",
    reverse_path="ann@corp.example",
    forward_paths=["drop@evil.example"],
)
PLAIN = Mail(reverse_path="ann@corp.example", forward_paths=(Path("sue@other.example"),))


def judge(*rules: InlineRule, log: Log | None = None, **options: Any) -> Judge:
    settings = InlineSettings(rules=rules, **{"verdict_timeout_ms": 2_000, **options})
    return Judge(builtin_table(), Organisation(["corp.example"]), settings, log=log or Log(io.StringIO()))


def fails_by(error: Exception) -> Any:
    def classify(*_: object) -> Any:
        raise error

    return classify


def test_a_forward_meets_its_rule() -> None:
    inspector = judge(REJECT)
    assert inspector.judge(FORWARD) == Verdict("reject", "no", (550, "5.7.1", "no"), would="reject")
    assert inspector.judge(PLAIN) == Verdict()
    assert inspector.counts() == {("reject", "no", False): 1, ("observe", "", False): 1}
    assert inspector.counters()["judged"] == 2
    inspector.close()


def test_a_tag_names_the_mailbox() -> None:
    tag = judge(TAG).judge(FORWARD).tag
    assert tag is not None
    assert tag[0] == b"X-Mailflow-Sensor"
    assert b"mailbox=ann@corp.example" in tag[1]


def test_without_rules_nothing_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge_module, "classify", fails_by(ValueError("never asked")))
    inspector = judge()
    assert inspector.judge(FORWARD) == Verdict()
    assert (inspector.counters()["judged"], inspector.counters()["verdicts_failed"]) == (1, 0)


def test_a_header_field_is_stripped_only_where_we_write_it() -> None:
    assert judge(TAG, tag_header="X-Ours").strips == b"X-Ours"
    assert judge(REJECT).strips is None
    assert judge(TAG, dry_run=True).strips is None


@pytest.mark.parametrize("seen", [FORWARD, PLAIN])
@pytest.mark.parametrize(
    ("rules", "options", "verdict", "counter"),
    [
        ((REJECT,), {}, Verdict(), "failed_open"),
        ((REJECT,), {"on_failure": "closed"}, Verdict("defer", reply=CLOSED_REPLY, would="defer"), "failed_closed"),
        ((REJECT,), {"on_failure": "closed", "dry_run": True}, Verdict(), "failed_open"),
        ((InlineRule(name="look", action="observe"),), {"on_failure": "closed"}, Verdict(), "failed_open"),
    ],
)
def test_a_failure_is_followed_by_what_was_chosen(
    seen: Transaction,
    rules: tuple[InlineRule, ...],
    options: dict[str, Any],
    verdict: Verdict,
    counter: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(judge_module, "classify", fails_by(RecursionError("too deep")))
    inspector = judge(*rules, **options)
    assert inspector.judge(seen) == verdict
    assert (inspector.counters()["verdicts_failed"], inspector.counters()[counter]) == (1, 1)


def threads_for_verdicts() -> int:
    return sum(each.name == "verdicts" for each in threading.enumerate())


def test_a_verdict_that_hangs_holds_no_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the first mails waits its time, further ones not at all, and when the hanging ends all is as before."""
    let_go = threading.Event()

    def hang(*mail: Any) -> Any:
        let_go.wait(30)
        return classify(*mail)

    monkeypatch.setattr(judge_module, "classify", hang)
    inspector = judge(REJECT, verdict_timeout_ms=20, on_failure="closed")
    others = threads_for_verdicts()
    began = time.monotonic()
    assert {inspector.judge(FORWARD).action for _ in range(50)} == {"defer"}
    assert time.monotonic() - began < 30, "none waits for the one that hangs"
    assert inspector.counters()["verdicts_late"] == 50
    assert threads_for_verdicts() - others <= 8
    let_go.set()
    until(lambda: inspector.judge(FORWARD).action == "reject", "a verdict in time")
    inspector.close()


def test_failures_are_told_once_a_minute_with_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge_module, "classify", fails_by(ValueError("ann@corp.example\n")))
    out, now = io.StringIO(), [100.0]
    settings = InlineSettings(rules=(REJECT,))
    inspector = Judge(builtin_table(), Organisation(["corp.example"]), settings, log=Log(out), clock=lambda: now[0])
    for _ in range(5):
        inspector.judge(PLAIN)
    assert len(out.getvalue().splitlines()) == 1
    now[0] += TELL_EVERY_S
    inspector.judge(PLAIN)
    assert "mails=5" in out.getvalue().splitlines()[1]


def test_nobody_reads_an_address_in_what_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error's text may quote mail, so the log gets its kind alone."""
    monkeypatch.setattr(judge_module, "classify", fails_by(ValueError("ann@corp.example")))
    out = io.StringIO()
    judge(REJECT, log=Log(out)).judge(FORWARD)
    assert "ValueError" in out.getvalue()
    assert "ann@" not in out.getvalue()
