"""
``machine_paced_forwarding``: forwards that look made by hand come at a pace that no hand keeps.

**Idea.** A rule of the mail program (Thunderbird's "Forward" action, Outlook's client-only rules, a script with the
mailbox's password) sends what a person would send: a prefix, a quoted block, no mark of automation. What it cannot
hide is time. Where the original was seen coming in, each forward has a delay; they are kept by outside address, over
14 days.

**Crosses**, for one address, on either of two signs:

- *Fast*: the lower end of the Jeffreys interval of the share of forwards within ``fast_s`` of their original is above
  ``share``, and ``least`` were that fast. To forward by hand takes a notice, a look, a click, an address, another
  click: 15 s can be done once and hardly six times of six, and nobody does it for more than half of what they
  forward. An assistant who sits waiting for one person's mails takes 20 to 60 s.
- *Never resting*: a program that polls every few minutes is not that fast, but it keeps no hours. The lower end for
  forwards within ``prompt_s`` is above 0.8, there are at least 20, and over the hours of the day no pause of
  ``rest_h`` hours is left. People rest longer than that in any time zone, so no zone needs to be known.

Both hold for a rule that takes every mail as for one that takes those with a word: pace is that of what was
forwarded. The share of all received mail is told beside it.

Forwards whose original was not seen are *unknown*, not slow: they count for neither side, and where they are more than
half, confidence goes down. Confidence is high where several signs agree: ten or more at such a pace, and no rest or
forwards on days when the mailbox sent nothing else.

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

FORTNIGHT = Window(slot_ms=DAY_MS, slots=14, cells=5)
"""By day: forwards of known delay, those that were fast, those that were prompt, unknown ones; and hours as bits."""
KNOWN, FAST, PROMPT, UNKNOWN, HOURS = range(5)

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

    def measure(self, at_ms: int) -> Measure:
        """What the window that ends at *at_ms* comes to."""
        known, fast, prompt, unknown, _ = FORTNIGHT.total(self.counts, at_ms)
        hours = 0
        for cells in FORTNIGHT.live(self.counts, at_ms):
            hours |= cells[HOURS]
        return Measure(known=known, fast=fast, prompt=prompt, unknown=unknown, rest_h=longest_rest_h(hours))


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """Forwards to one address in the window. ``rest_h`` is the longest pause in the hours of the day of prompt ones."""

    known: int
    fast: int
    prompt: int
    unknown: int
    rest_h: int


class PaceState(State, kw_only=True):
    """``to`` is by outside address. ``idle`` counts forwards while the mailbox sent nothing else for a day."""

    to: dict[str, Pace] = msgspec.field(default_factory=dict)
    today: Counts = msgspec.field(default_factory=dict)
    idle: int = 0
    episode: Episode | None = None


class MachinePacedForwarding(BaseDetector[PaceState, ForwardSeen]):
    """Sees the forwards to outside of one mailbox that look made by hand."""

    name = "machine_paced_forwarding"
    ttl_ms = QUIET_MS
    OPTIONS = (
        Option(
            "fast_s", 15, 1, 120, "Within this of its original, a forward is fast: too quick to read and to send on."
        ),
        Option("share", 0.5, 0.2, 0.95, "Lower end of the share of fast forwards: more of them fast than not."),
        Option("least", 6, 3, 1_000, "Fast forwards to one address in 14 days. Six of six prove a share above 0.6."),
        Option("prompt_s", 600, 30, 3_600, "Within this, a forward is prompt: programs poll every few minutes."),
        Option("rest_h", 6, 3, 12, "Hours of rest that a person leaves in a day, in any time zone."),
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
        if not any((has_news or not pace.is_told) and self._has_crossed(pace.measure(event.at_ms)) for pace in here):
            return ()
        measures = {to: pace.measure(event.at_ms) for to, pace in state.to.items()}
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
        pace.last_ms = max(pace.last_ms, event.at_ms)
        cells = FORTNIGHT.slot(pace.counts, event.at_ms)
        if cells is None:
            return
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
        return self._is_fast(measure) or self._never_rests(measure)

    def _is_fast(self, measure: Measure) -> bool:
        enough = measure.fast >= self.options["least"]
        return enough and share_exceeds(measure.fast, measure.known, self.options["share"])

    def _never_rests(self, measure: Measure) -> bool:
        enough = measure.prompt >= NEVER_RESTING_LEAST and measure.rest_h < self.options["rest_h"]
        return enough and share_exceeds(measure.prompt, measure.known, NEVER_RESTING_SHARE)

    def _finding(
        self, state: PaceState, episode: Episode, event: ForwardSeen, ranked: list[str], measure: Measure
    ) -> Finding:
        confidence, why = self._confidence(state, measure)
        facts = episode.facts(event)
        facts["destinations"] = tuple(dict.fromkeys((*ranked, *facts["destinations"])))
        others = f" and {len(ranked) - 1} more" if len(ranked) > 1 else ""
        pace, observed = self._told(measure)
        median_s = median_low(state.to[ranked[0]].delays_ms) / SECOND_MS
        return claim(
            detector=self.name,
            **facts,
            summary=(
                f"{address(event.mailbox)} forwards to {ranked[0]}{others} what looks sent by hand, at a machine's "
                f"pace: {pace} (median {median_s:,.0f} s)"
            ),
            counts={
                "forwards": episode.count,
                "known_14d": measure.known,
                "fast_14d": measure.fast,
                "prompt_14d": measure.prompt,
                "unknown_14d": measure.unknown,
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
        words = f"{measure.prompt} of {measure.known} within {self.options['prompt_s']:g} s, at all hours"
        return words, measured_share("prompt forwards", measure.prompt, measure.known)

    def _confidence(self, state: PaceState, measure: Measure) -> tuple[Confidence, str]:
        if measure.unknown > measure.known:
            return "low", f"The original of {measure.unknown} forwards was not seen, so their pace is unknown."
        pace = f"{measure.prompt} forwards were prompt"
        if measure.fast >= 10 and self._is_fast(measure) and measure.rest_h < self.options["rest_h"]:
            return "high", f"{pace}, {measure.fast} too fast for a person, at all hours of the day."
        if measure.fast >= 10 and self._is_fast(measure) and state.idle >= 3:
            return "high", f"{pace}, {state.idle} forwards went out on days when the mailbox sent nothing else."
        return "medium", f"{pace}, the longest rest over the hours of the day is {measure.rest_h} hours."


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
