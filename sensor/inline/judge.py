"""
Who judges mail in its passage: what it shows of forwarding, which rule it meets, and all of that in time.

Mail waits for the verdict, so nothing that goes wrong here may hold it: a failure and a verdict that comes too late
follow ``on_failure``, are counted and are told in the log. Nearly all mail bears nothing that the artifact table names;
that is judged where it stands, in microseconds. The rest is judged on a thread of its own, which can be left behind.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping

from sensor.classify import Organisation, Table, classify
from sensor.inline.deadline import Deadline, LateError
from sensor.inline.policy import OBSERVE, Policy, Verdict
from sensor.log import Log
from sensor.model import Transaction
from sensor.settings import Action, InlineSettings

TELL_EVERY_S = 60.0
"""Verdicts that fail are told of so often, with their number: each of them might fail."""

CLOSED_REPLY = (451, "4.3.0", "This mail could not be checked, try again later")
"""
What "closed" answers to a mail without a verdict (RFC 3463 3.4: X.3.0, mail system). Never a 5xx: the fault is ours.
"""


class Judge:
    """
    Verdicts by *settings* on what the artifact *table* finds in mail of the *organisation*.

    To be used from one thread at a time; ``counters`` and ``counts`` may be asked for from any.
    """

    def __init__(
        self,
        table: Table,
        organisation: Organisation,
        settings: InlineSettings,
        *,
        log: Log | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._table, self._organisation, self._settings = table, organisation, settings
        self._policy = Policy(settings)
        self._in_time = Deadline(self._verdict, settings.verdict_timeout_ms / 1_000)
        self._log, self._clock = log or Log(), clock
        self._counts: Counter[tuple[Action, str, bool]] = Counter()
        self._counters = dict.fromkeys(COUNTERS, 0)
        self._told_at_s: float | None = None
        self._untold = 0
        self._tell_rules_without_directions()

    @property
    def strips(self) -> bytes | None:
        """
        The name of the header field that is to be taken out of all mail, since only we may write it; none where no
        rule tags mail. Names of header fields are equal whatever their case.
        """
        return self._settings.tag_header.encode("ascii") if self._policy.may_tag else None

    def judge(self, transaction: Transaction) -> Verdict:
        """What is to be done with a mail. Never raises, and waits no longer than ``verdict_timeout_ms``."""
        self._counters["judged"] += 1
        if not self._policy.has_rules:
            return self._counted(OBSERVE)
        try:
            verdict = self._in_time(transaction) if transaction.touched else self._verdict(transaction)
        except LateError as error:
            return self._failed("verdicts_late", str(error))
        except Exception as error:  # noqa: BLE001 - a mail that can't be judged is a mail all the same
            # Its kind alone: an error's text may quote the mail.
            return self._failed("verdicts_failed", type(error).__name__)
        return self._counted(verdict)

    def counters(self) -> Mapping[str, int]:
        """Counts by name, which ``COUNTERS`` explains."""
        return dict(self._counters)

    def counts(self) -> Mapping[tuple[Action, str, bool], int]:
        """Verdicts by what a rule says, its name ("" for none), and whether it was only said."""
        return dict(self._counts)

    def close(self) -> None:
        """Let the thread go."""
        self._in_time.close()

    def _verdict(self, transaction: Transaction) -> Verdict:
        return self._policy.verdict(classify(transaction, self._organisation, self._table))

    def _tell_rules_without_directions(self) -> None:
        """A rule about a direction meets no mail while none is known, and whoever wrote it believes that it does."""
        for rule in () if self._organisation.known else self._settings.rules:
            if rule.directions and "unknown" not in rule.directions:
                self._log.warning("rule_meets_nothing", rule=rule.name, why="organisation.internal_domains is empty")

    def _failed(self, counter: str, why: str) -> Verdict:
        self._counters[counter] += 1
        self._tell(why)
        if self._settings.on_failure == "open" or not self._policy.may_act:
            self._counters["failed_open"] += 1
            return self._counted(OBSERVE)
        self._counters["failed_closed"] += 1
        return self._counted(Verdict("defer", reply=CLOSED_REPLY, would="defer"))

    def _counted(self, verdict: Verdict) -> Verdict:
        self._counts[verdict.would, verdict.rule or "", verdict.dry_run] += 1
        return verdict

    def _tell(self, why: str) -> None:
        self._untold += 1
        now_s = self._clock()
        if self._told_at_s is not None and now_s - self._told_at_s < TELL_EVERY_S:
            return
        self._log.error("verdict_failed", mails=self._untold, on_failure=self._settings.on_failure, why=why)
        self._told_at_s, self._untold = now_s, 0


COUNTERS: Mapping[str, str] = {
    "judged": "Mails that a verdict was asked for.",
    "verdicts_failed": "Verdicts that failed.",
    "verdicts_late": "Verdicts that did not come within `inline.verdict_timeout_ms`, or that nobody was left to give.",
    "failed_open": "Mails that passed without a verdict, as `inline.on_failure` says.",
    "failed_closed": "Mails that were deferred without a verdict, as `inline.on_failure` says.",
}
"""What a judge counts beside its verdicts, and what that means."""
