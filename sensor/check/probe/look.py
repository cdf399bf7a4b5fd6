"""Sends the probe, waits until the sensor shows it, and tells what came of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sensor.check.base import Line, fail, ok, warn
from sensor.check.probe.asking import Asking, AskingError, Seen
from sensor.check.probe.mail import ProbeMail, RefusedError, send
from sensor.inline import Policy, Verdict
from sensor.settings import Settings

_POLL_S = 0.1
_OTHERS_S = 5.0
"""After one tap showed it: for the others, of which a journal gets its copy when the mail was delivered."""

_COUNTED_S = 5.0
"""For a verdict to stand in the metrics: they are drawn once a second, and given out for a second."""


def look(settings: Settings, probe: ProbeMail) -> Iterator[Line]:
    """Send *probe*, and say what a sensor that runs with *settings* made of it."""
    try:
        yield from _Proof(settings, probe).lines()
    except AskingError as error:
        yield fail("web.listen", str(error), error.fix)


@dataclass(frozen=True, slots=True)
class _Sent:
    """What the server said, and how long it took, in seconds."""

    said: str
    took_s: float
    refused: RefusedError | None = None


class _Proof:
    def __init__(self, settings: Settings, probe: ProbeMail) -> None:
        self._settings = settings
        self._probe = probe
        self._via = f"{probe.host}:{probe.port}"
        self._asking = Asking(settings, probe.login)
        self._policy = Policy(settings.inline)

    def lines(self) -> Iterator[Line]:
        """In the order in which things happen."""
        if not _taps(self._settings, self._via):
            said = "captures alone are read, and they show a mail long after it passed"
            yield fail("taps", said, "set live.interfaces, relay.listen, milter.listen or journal.listen")
            return
        # What was not asked for before it came is not kept.
        self._asking.seen(self._probe.message_id)
        before = self._asking.verdicts()
        began_s = time.monotonic()
        try:
            sent = self._sent(began_s)
        except (OSError, UnicodeError) as error:
            # Of smtplib too, whose errors are of the first kind; the second are names that no DNS can hold.
            why = str(error) or type(error).__name__
            yield fail("mail", f"{self._via}: {why}", "look at --via: it names no server that takes mail from here")
            return
        if sent.refused is not None and not (sent.refused.is_for_content and self._policy.may_act):
            yield self._refused(sent.refused)
            return
        yield from self._told(sent, self._wait(), before)

    def _told(self, sent: _Sent, seen: Mapping[str, tuple[Seen, float]], before: _Verdicts) -> Iterator[Line]:
        by_rule = sent.refused is not None and any(
            self._verdict(each).action in ("defer", "reject", "quarantine") for each, _ in seen.values()
        )
        if sent.refused is not None and not by_rule:
            yield self._refused(sent.refused)
        else:
            yield ok("mail", f"{self._via} says after {sent.took_s:.2f} s: {sent.said}; <{self._probe.message_id}>")
        for tap, (each, took_s) in seen.items():
            yield ok(tap, f"seen after {took_s:.2f} s as {_shown(each)}; record {each.id}")
            if tap in ("relay", "milter"):
                yield self._done(each, sent, before)
        yield from self._unseen(seen)

    # ---- the mail

    def _sent(self, began_s: float) -> _Sent:
        try:
            said = send(self._probe)
        except RefusedError as error:
            return _Sent(str(error), time.monotonic() - began_s, error)
        return _Sent(said, time.monotonic() - began_s)

    def _refused(self, error: RefusedError) -> Line:
        fix = "name addresses that this server takes mail for from here, and look at its log"
        return fail("mail", f"{self._via} refuses it: {error}", fix)

    # ---- what became of it

    def _wait(self) -> Mapping[str, tuple[Seen, float]]:
        """By tap, the first record of it, and the seconds that it took to be there since the mail was sent."""
        began_s = time.monotonic()
        until_s = began_s + self._probe.patience_s
        wanted = dict(_taps(self._settings, self._via))
        found: dict[str, tuple[Seen, float]] = {}
        while time.monotonic() < until_s and not wanted.keys() <= found.keys():
            for each in self._asking.seen(self._probe.message_id):
                if each.tap not in found:
                    found[each.tap] = each, time.monotonic() - began_s
                    until_s = min(until_s, time.monotonic() + _OTHERS_S)
            time.sleep(_POLL_S)
        return found

    def _unseen(self, seen: Mapping[str, object]) -> Iterator[Line]:
        """Where nobody saw it nothing is proven; one that did not while another did may stand on another road."""
        problems = "; ".join(self._asking.problems())
        if problems:
            yield warn("sensor", f"says itself: {problems}", "its log says more")
        taps = _taps(self._settings, self._via)
        if not seen:
            said = f"did not see it within {self._probe.patience_s:g} s"
            yield fail("sensor", said, "what to look at stands below, tap by tap")
        tell = warn if seen else fail
        for tap, fix in taps:
            if tap not in seen:
                yield tell(tap, f"did not see it: nothing is proven of this tap by mail through {self._via}", fix)

    # ---- what was done to it

    def _verdict(self, seen: Seen) -> Verdict:
        return self._policy.verdict(seen.forwarding)

    def _done(self, seen: Seen, sent: _Sent, before: _Verdicts) -> Line:
        """What the rules say of it, and whether that is what happened."""
        if not self._policy.has_rules:
            return ok(seen.tap, "only watches: there is no [[inline.rule]]")
        if self._settings.privacy.mode == "pseudonym" and any(
            rule.mailboxes or rule.destinations for rule in self._settings.inline.rules
        ):
            return warn(
                seen.tap,
                "which rule it met can't be told: rules name addresses, and records don't (privacy.mode)",
                "look at mailsensor_inline_verdicts_total before and after",
            )
        verdict = self._verdict(seen)
        if verdict.rule is None:
            more = "" if self._probe.as_forward else "; --probe-forward sends one that looks like a forward"
            return ok(seen.tap, f"let it pass: no [[inline.rule]] is about it{more}")
        if verdict.dry_run:
            return ok(seen.tap, f"let it pass: rule {verdict.rule} would {verdict.would}, but for the dry run")
        return self._done_by(verdict, seen, sent, before)

    def _done_by(self, verdict: Verdict, seen: Seen, sent: _Sent, before: _Verdicts) -> Line:
        said = f"rule {verdict.rule} says {verdict.action}"
        if not self._counted((seen.tap, verdict.action, verdict.rule or ""), before):
            return fail(
                seen.tap,
                f"{said}, and the sensor counts no such verdict",
                "have it read these settings (reload); verdict_failed in its log says of verdicts that came too late",
            )
        if verdict.action == "tag":
            return ok(seen.tap, f"{said}: tagged with {self._settings.inline.tag_header}")
        if verdict.action in ("defer", "reject") and sent.refused is None:
            return fail(seen.tap, f"{said}, and the mail was taken", "send it to the server that asks the sensor")
        return ok(seen.tap, f"{said}: done")

    def _counted(self, key: tuple[str, str, str], before: _Verdicts) -> bool:
        until_s = time.monotonic() + _COUNTED_S
        while self._asking.verdicts().get(key, 0) <= before.get(key, 0):
            if time.monotonic() > until_s:
                return False
            time.sleep(_POLL_S * 5)
        return True


_Verdicts = Mapping[tuple[str, str, str], float]


def _shown(seen: Seen) -> str:
    forwarding = seen.forwarding
    if forwarding.kind == "none":
        return f"{seen.outcome}, no forward"
    whose = forwarding.mailbox or "nobody known"
    return f"{seen.outcome}, a forward ({forwarding.kind}, {forwarding.evidence}) of {whose}"


def _taps(settings: Settings, via: str) -> Sequence[tuple[str, str]]:
    """The taps that see mail as it passes, and what to look at where one does not."""
    found = []
    if settings.live.interfaces:
        names = " or ".join(settings.live.interfaces)
        found.append(("live", f"mail through {via} has to pass {names} in clear: mailsensor sniff shows what does"))
    if settings.relay.listen:
        found.append(("relay", f"--via has to be where clients reach the relay, {settings.relay.listen}"))
    if settings.milter.listen:
        where = ", ".join(settings.milter.listen)
        fix = (
            f"smtpd_milters of the server at {via} has to name {where} (postconf smtpd_milters; -o in master.cf); "
            "its log says if it can't connect"
        )
        found.append(("milter", fix))
    if settings.journal.listen:
        found.append(
            ("journal", f"the server has to send copies to {settings.journal.listen}: always_bcc, or a journal rule")
        )
    return found
