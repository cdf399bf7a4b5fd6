"""
``machine_paced_forwarding``: forwards that look made by hand come at a pace that no hand keeps.

**Idea.** A rule of the mail program (Thunderbird's "Forward" action, Outlook's client-only rules, a script with the
mailbox's password) sends what a person would send: a prefix, a quoted block, no mark of automation. What it cannot
hide is time. Where the original was seen coming in, each forward has a delay; they are kept by outside address, over
14 days.

**Crosses**, for one address, on any of these signs:

- *Fast*: the lower end of the Jeffreys interval of the share of forwards within ``fast_s`` of their original is above
  ``share``, and ``least`` were that fast. To forward by hand takes a notice, a look, a click, an address, another
  click: 15 s can be done now and then, with a shortcut for it. But nobody is there for more than two of five: a
  quarter of the week is work, and at work people are away and busy. An assistant who sits waiting for one person's
  mails takes 20 to 60 s. A program that runs while its owner works is fast by day and late by night.
- *Never resting*: a program that polls every few minutes is not that fast, but it keeps no hours. The lower end for
  forwards within ``prompt_s`` is above 0.8, there are at least 20, and over the hours of the day no pause of
  ``rest_h`` hours is left. People rest longer than that in any time zone, so no zone needs to be known.
- *In bursts*: ``bursts`` forwards left within 2 s of the one before, on two days or more. A program that polls, or
  that is started in the morning, works off what lay there in one go; hands need more than 2 s for each.
- *Takes all*: in 7 days the lower end for the share of received mail that went there is above 0.8, and there are at
  least 30. Half of all mail is newsletters and notices, which nobody forwards by hand.

All but the last hold for a rule that takes every mail as for one that takes those with a word: pace is that of what
was forwarded. The share of all received mail is told beside it.

Forwards whose original was not seen are *unknown*, not slow: they count for neither side, and where they are more than
half, confidence goes down. Confidence is high where several signs agree: ten or more at such a pace, and no rest or
forwards on days when the mailbox sent nothing else.

A program's queue that was offline and is sent at once makes a burst too: hence the two days.

**Cannot see** rules that wait for a random time of hours, originals that came in by TLS or before the sensor, and two
people in shifts from one program that forwards for them with leave.

A new episode begins after 14 days without a forward that looks made by hand.
"""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median_low

import msgspec

from sensor.detect.base import DAY_MS, HOUR_MS, SECOND_MS, BaseDetector, Option, State
from sensor.detect.claim import address, claim, measured_share
from sensor.detect.episode import Episode, episode_of
from sensor.detect.events import ForwardSeen
from sensor.detect.windows import MOST, Counts, Window, add
from sensor.intervals import share_exceeds
from sensor.model import Confidence, Finding, Measured

FORTNIGHT = Window(slot_ms=DAY_MS, slots=14, cells=6)
"""
By day: forwards of known delay, those that were fast, those that were prompt, unknown ones; hours of the day as bits;
and those that left at once after the one before.
"""
KNOWN, FAST, PROMPT, UNKNOWN, HOURS, BURST = range(6)

WEEK = Window(slot_ms=DAY_MS, slots=7, cells=6)
"""The latest part of the same counts."""

TODAY = Window(slot_ms=6 * HOUR_MS, slots=4, cells=1)
"""Forwards of the mailbox in the last 18 to 24 hours: never more than are in the 24 hours of ``Context.sent_24h``."""

MAX_ADDRESSES = 16
"""Outside addresses followed at once; a person has dozens, so the one not forwarded to for longest makes room."""
MAX_DELAYS = 32
"""Latest delays kept of one address, for the median that is told."""

SKEW_MS = 2 * SECOND_MS
"""A forward may seem this much earlier than its original: two taps, two clocks."""

NEVER_RESTING_LEAST = 20
NEVER_RESTING_SHARE = 0.8

BURST_MS = 2 * SECOND_MS
BURST_DAYS = 2

ALL_LEAST = 30
ALL_SHARE = 0.8

QUIET_MS = 14 * DAY_MS

LEVEL_REASON = (
    "The mails come from the mailbox itself and look like a user's: the work of a mail program's rule or of a script "
    "with the mailbox's password, not of an administrator's setting."
)
ASSUMPTIONS = (
    "Delays are from the original's arrival on the wire to the forward's.",
    "A program that forwards with leave, such as a ticket system's connector, keeps the same pace.",
)


class Pace(msgspec.Struct, kw_only=True):
    """How quickly one outside address was forwarded to. ``delays_ms`` are the latest ones known."""

    last_ms: int
    counts: Counts = msgspec.field(default_factory=dict)
    delays_ms: list[int] = msgspec.field(default_factory=list)
    is_told: bool = False

    def measure(self, event: ForwardSeen) -> Measure:
        """What the window that ends with *event* comes to."""
        known, fast, prompt, unknown, _, bursts = FORTNIGHT.total(self.counts, event.at_ms)
        week = WEEK.total(self.counts, event.at_ms)
        hours = burst_days = 0
        for cells in FORTNIGHT.live(self.counts, event.at_ms):
            hours |= cells[HOURS]
            burst_days += cells[BURST] > 0
        return Measure(
            known=known,
            fast=fast,
            prompt=prompt,
            unknown=unknown,
            rest_h=longest_rest_h(hours),
            bursts=bursts,
            burst_days=burst_days,
            week=week[KNOWN] + week[UNKNOWN],
            received=event.context.received_7d,
        )


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """
    Forwards to one address in the window. ``rest_h`` is the longest pause in the hours of the day of prompt ones.
    ``week`` are those of 7 days, in which the mailbox received ``received``.
    """

    known: int
    fast: int
    prompt: int
    unknown: int
    rest_h: int
    bursts: int
    burst_days: int
    week: int
    received: int


class PaceState(State, kw_only=True):
    """``to`` is by outside address. ``idle`` counts forwards while the mailbox sent nothing else for a day."""

    to: dict[str, Pace] = msgspec.field(default_factory=dict)
    today: Counts = msgspec.field(default_factory=dict)
    idle: int = 0
    episode: Episode | None = None


class MachinePacedForwarding(BaseDetector[PaceState, ForwardSeen]):
    """Sees the forwards to outside of one mailbox that look made by hand."""

    name = "machine_paced_forwarding"
    version = 2
    ttl_ms = QUIET_MS
    OPTIONS = (
        Option(
            "fast_s", 15, 1, 120, "Within this of its original, a forward is fast: too quick to read and to send on."
        ),
        Option(
            "share", 0.4, 0.2, 0.95, "Lower end of the share of fast forwards: nobody is there so often and so quick."
        ),
        Option("least", 6, 3, 1_000, "Fast forwards to one address in 14 days. Six of six prove a share above 0.6."),
        Option("prompt_s", 600, 30, 3_600, "Within this, a forward is prompt: programs poll every few minutes."),
        Option("rest_h", 6, 3, 12, "Hours of rest that a person leaves in a day, in any time zone."),
        Option("bursts", 4, 3, 1_000, "Forwards within 2 s of the one before, on two days or more of 14."),
    )
    event_type = ForwardSeen
    state_type = PaceState

    def key_of(self, event: ForwardSeen) -> str | None:
        return event.mailbox if event.cell == "visible_only" and event.outside else None

    def observe(self, state: PaceState, event: ForwardSeen) -> Iterable[Finding]:
        had_rest = state.episode is None or event.at_ms - state.episode.last_ms > QUIET_MS
        episode = state.episode = episode_of(state.episode, event, QUIET_MS)
        state.idle = (0 if had_rest else state.idle) + _is_idle(state, event)
        outside = tuple(dict.fromkeys(map(address, event.outside[:MAX_ADDRESSES])))
        for destination in outside:
            self._count(state.to, event, destination)
        here = [state.to[to] for to in outside if to in state.to]
        # An address that has just crossed is told of at once, others when there is news of the whole.
        has_news = episode.has_news(event.at_ms)
        if not any((has_news or not pace.is_told) and self._has_crossed(pace.measure(event)) for pace in here):
            return ()
        measures = {to: pace.measure(event) for to, pace in state.to.items()}
        crossed = [to for to, measure in measures.items() if self._has_crossed(measure)]
        episode.told.is_due(episode.count, event.at_ms)
        for to in crossed:
            state.to[to].is_told = True
        ranked = sorted(crossed, key=lambda to: (-measures[to].prompt, to))
        return (self._finding(state, episode, event, ranked, measures[ranked[0]]),)

    def _count(self, to: dict[str, Pace], event: ForwardSeen, destination: str) -> None:
        pace = to.get(destination)
        if pace is None:
            if len(to) >= MAX_ADDRESSES:
                del to[min(to, key=lambda each: (to[each].last_ms, each))]
            pace = to[destination] = Pace(last_ms=event.at_ms)
            follows = False
        else:
            follows = abs(event.at_ms - pace.last_ms) <= BURST_MS
        pace.last_ms = max(pace.last_ms, event.at_ms)
        cells = FORTNIGHT.slot(pace.counts, event.at_ms)
        if cells is None:
            return
        add(cells, BURST, follows)
        delay_ms = _delay_ms(event)
        if delay_ms is None:
            add(cells, UNKNOWN)
            return
        is_prompt = delay_ms <= self.options["prompt_s"] * SECOND_MS
        add(cells, KNOWN)
        add(cells, FAST, delay_ms <= self.options["fast_s"] * SECOND_MS)
        add(cells, PROMPT, is_prompt)
        cells[HOURS] |= is_prompt << (event.at_ms // HOUR_MS % 24)
        pace.delays_ms.append(delay_ms)
        del pace.delays_ms[:-MAX_DELAYS]

    def _has_crossed(self, measure: Measure) -> bool:
        return any(sign(measure) for sign in (self._is_fast, self._never_rests, self._bursts, _takes_all))

    def _is_fast(self, measure: Measure) -> bool:
        enough = measure.fast >= self.options["least"]
        return enough and share_exceeds(measure.fast, measure.known, self.options["share"])

    def _never_rests(self, measure: Measure) -> bool:
        enough = measure.prompt >= NEVER_RESTING_LEAST and measure.rest_h < self.options["rest_h"]
        return enough and share_exceeds(measure.prompt, measure.known, NEVER_RESTING_SHARE)

    def _bursts(self, measure: Measure) -> bool:
        return measure.bursts >= self.options["bursts"] and measure.burst_days >= BURST_DAYS

    def _finding(
        self, state: PaceState, episode: Episode, event: ForwardSeen, ranked: list[str], measure: Measure
    ) -> Finding:
        confidence, why = self._confidence(state, measure)
        facts = episode.facts(event)
        facts["destinations"] = tuple(dict.fromkeys((*ranked, *facts["destinations"])))
        others = f" and {len(ranked) - 1} more" if len(ranked) > 1 else ""
        pace, observed = self._told(measure)
        delays_ms = state.to[ranked[0]].delays_ms
        median = f" (median {median_low(delays_ms) / SECOND_MS:,.0f} s)" if delays_ms else ""
        return claim(
            detector=self.name,
            **facts,
            summary=(
                f"{address(event.mailbox)} forwards to {ranked[0]}{others} what looks sent by hand, at a machine's "
                f"pace: {pace}{median}"
            ),
            counts={
                "forwards": episode.count,
                "known_14d": measure.known,
                "fast_14d": measure.fast,
                "prompt_14d": measure.prompt,
                "unknown_14d": measure.unknown,
                "bursts_14d": measure.bursts,
                "forwards_7d": measure.week,
                "while_idle": state.idle,
                "rest_h": measure.rest_h,
                "received_7d": event.context.received_7d,
            },
            observed=observed,
            level="user",
            level_reason=LEVEL_REASON,
            severity="high",
            confidence=confidence,
            confidence_reason=why,
            gaps=_gaps(measure),
            assumptions=ASSUMPTIONS,
        )

    def _told(self, measure: Measure) -> tuple[str, Measured | None]:
        """The sign that crossed, in words and as a share."""
        if self._is_fast(measure):
            words = f"{measure.fast} of {measure.known} within {self.options['fast_s']:g} s of the original"
            return words, measured_share("forwards too fast for a person", measure.fast, measure.known)
        prompt = measured_share("prompt forwards", measure.prompt, measure.known)
        words = f"{measure.prompt} of {measure.known} within {self.options['prompt_s']:g} s"
        if self._never_rests(measure):
            return f"{words}, at all hours", prompt
        if self._bursts(measure):
            return f"{measure.bursts} left within 2 s of the one before, on {measure.burst_days} days", prompt
        forwarded = min(measure.week, measure.received)
        words = f"{measure.week} forwards of {measure.received} mails received in 7 days"
        return words, measured_share("received mail forwarded, 7 days", forwarded, measure.received)

    def _confidence(self, state: PaceState, measure: Measure) -> tuple[Confidence, str]:
        if measure.unknown > measure.known:
            return "low", f"The original of {measure.unknown} forwards was not seen, so their pace is unknown."
        pace = f"{measure.prompt} forwards were prompt"
        if measure.fast >= 10 and self._is_fast(measure) and measure.rest_h < self.options["rest_h"]:
            return "high", f"{pace}, {measure.fast} too fast for a person, at all hours of the day."
        if measure.fast >= 10 and self._is_fast(measure) and state.idle >= 3:
            return "high", f"{pace}, {state.idle} forwards went out on days when the mailbox sent nothing else."
        return "medium", f"{pace}, the longest rest over the hours of the day is {measure.rest_h} hours."


def _takes_all(measure: Measure) -> bool:
    forwarded = min(measure.week, measure.received)
    return forwarded >= ALL_LEAST and share_exceeds(forwarded, measure.received, ALL_SHARE)


def _delay_ms(event: ForwardSeen) -> int | None:
    """From the original's arrival to the forward; none where that is not known or cannot be."""
    if event.original_at_ms is None:
        return None
    delay_ms = event.at_ms - event.original_at_ms
    return None if delay_ms < -SKEW_MS or delay_ms > MOST else max(0, delay_ms)


def _is_idle(state: PaceState, event: ForwardSeen) -> bool:
    """True if in the last 24 hours the mailbox sent nothing but forwards like this one, which is not counted yet."""
    [before] = TODAY.total(state.today, event.at_ms)
    cells = TODAY.slot(state.today, event.at_ms)
    if cells is None:
        return False
    add(cells, 0)
    is_known = event.context.received_7d > 0
    return is_known and event.context.sent_24h <= before


def longest_rest_h(hours: int) -> int:
    """The longest run of hours of the day, across midnight too, that are not set in the 24 bits of *hours*."""
    if not hours:
        return 24
    busy = [hour for hour in range(24) if hours >> hour & 1]
    following = [*busy[1:], busy[0] + 24]
    return max(after - hour - 1 for hour, after in zip(busy, following, strict=True))


def _gaps(measure: Measure) -> tuple[str, ...]:
    if not measure.unknown:
        return ()
    return (f"The original of {measure.unknown} forwards to this address was not seen: they count for neither side.",)
