"""
``silent_copy``: what a mailbox receives goes out again to somebody outside, and no header says so.

**Idea.** A rule that strips its marks, or a server that leaves none, still has to send the mail. The pairing stage saw
the same mail come in for the mailbox and go out to another; here those pairs add up. One pair says little: a bcc by one
of ours, an alias, a mail re-sent by hand or by chance explain it. The same outside address again and again, each time
with another original, is a standing order.

**Crosses** when different originals to one outside address weigh ``least`` within 28 days. An original weighs one if
the pair is at least strong evidence and the copy left within ``prompt_s`` of the original: rules act at once, while a
person has to read first. Any other original weighs half. So three prompt copies are enough, and six that went out at
leisure. Three, because each cause of single pairs would have to strike three times with the same address and different
mails; 28 days, so that a rule for one word of which a mail a week speaks is still seen. 120 s lets a copy wait in a
queue or be polled for, and is less than most people take to re-send a mail.

**Says** what share of the mail received in 7 days was copied to those addresses. Severity is high where it is most,
medium else. No mark tells the level, so it stays unknown.

**Cannot see** copies whose original or copy went through TLS, copies that were changed so much that nothing pairs,
a copy to a new address every time, and whether the mailbox is an alias that somebody set up with leave.

A new episode begins after 28 days without a copy.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from sensor.detect.base import DAY_MS, SECOND_MS, BaseDetector, Option, State
from sensor.detect.claim import address, claim, measured_share
from sensor.detect.episode import Episode, episode_of
from sensor.detect.events import ForwardSeen, stable_id
from sensor.detect.level import argue
from sensor.detect.windows import Counts, Window, add
from sensor.intervals import share_exceeds
from sensor.model import Confidence, Finding, Severity

MONTH = Window(slot_ms=DAY_MS, slots=28, cells=2)
"""Originals, and those of full weight, by day."""

WEEK = Window(slot_ms=DAY_MS, slots=7, cells=2)
"""The latest part of the same counts."""

MAX_COPIED_TO = 24
"""Outside addresses followed at once; the one not copied to for longest makes room."""

MAX_ORIGINALS = 256
"""Pairs of original and address known again: a gateway that shows a copy twice does so within minutes."""

QUIET_MS = 28 * DAY_MS

EXPLANATIONS = (
    "A bcc, a mail re-sent by hand or a list may explain one such pair; several to one address are taken for a rule.",
    "An alias or a forward that was set up with leave looks the same on the wire.",
)


class Copies(msgspec.Struct, kw_only=True):
    """What one outside address got, by day. ``is_told``: a finding names it."""

    last_ms: int
    counts: Counts = msgspec.field(default_factory=dict)
    is_told: bool = False

    def weight(self, at_ms: int) -> float:
        """Originals in 28 days, those of half weight as halves."""
        originals, full = MONTH.total(self.counts, at_ms)
        return (originals + full) / 2


class SilentState(State, kw_only=True):
    """``to`` is by outside address; ``originals`` are marks of (original, address), oldest first."""

    to: dict[str, Copies] = msgspec.field(default_factory=dict)
    originals: list[int] = msgspec.field(default_factory=list)
    episode: Episode | None = None


class SilentCopy(BaseDetector[SilentState, ForwardSeen]):
    """Sees the paired forwards to outside of one mailbox."""

    name = "silent_copy"
    ttl_ms = QUIET_MS
    OPTIONS = (
        Option(
            "least", 3, 1, 1_000, "Originals of full weight to one outside address in 28 days; chance strikes once."
        ),
        Option("prompt_s", 120, 1, 86_400, "A copy that left later than this after its original weighs half."),
    )
    event_type = ForwardSeen
    state_type = SilentState

    def key_of(self, event: ForwardSeen) -> str | None:
        return event.mailbox if event.cell == "paired" and event.outside else None

    def observe(self, state: SilentState, event: ForwardSeen) -> Iterable[Finding]:
        outside = dict.fromkeys(map(address, event.outside[:MAX_COPIED_TO]))
        new = [destination for destination in outside if _is_new(state.originals, event, destination)]
        if not new:
            return ()
        episode = state.episode = episode_of(state.episode, event, QUIET_MS)
        for destination in new:
            self._count(state.to, event, destination)
        here = [state.to[each] for each in new if each in state.to]
        # An address that has just crossed is told of at once, others when there is news of the whole.
        has_news = episode.has_news(event.at_ms)
        if not any((has_news or not copies.is_told) and self._has_crossed(copies, event.at_ms) for copies in here):
            return ()
        crossed = {to: copies for to, copies in state.to.items() if self._has_crossed(copies, event.at_ms)}
        episode.told.is_due(episode.count, event.at_ms)
        for copies in crossed.values():
            copies.is_told = True
        return (_finding(episode, event, crossed),)

    def _count(self, to: dict[str, Copies], event: ForwardSeen, destination: str) -> None:
        copies = to.get(destination)
        if copies is None:
            if len(to) >= MAX_COPIED_TO:
                del to[min(to, key=lambda each: (to[each].last_ms, each))]
            copies = to[destination] = Copies(last_ms=event.at_ms)
        copies.last_ms = max(copies.last_ms, event.at_ms)
        cells = MONTH.slot(copies.counts, event.at_ms)
        if cells is not None:
            add(cells, 0)
            add(cells, 1, int(self._weighs_full(event)))

    def _weighs_full(self, event: ForwardSeen) -> bool:
        if event.evidence == "weak" or event.original_at_ms is None:
            return False
        return event.at_ms - event.original_at_ms <= self.options["prompt_s"] * SECOND_MS

    def _has_crossed(self, copies: Copies, at_ms: int) -> bool:
        return copies.weight(at_ms) >= self.options["least"]


def _is_new(originals: list[int], event: ForwardSeen, destination: str) -> bool:
    """Note that *event*'s original went to *destination*; false if that is known."""
    mark = _mark(event.original_id or event.id, destination)
    if mark in originals:
        return False
    originals.append(mark)
    del originals[:-MAX_ORIGINALS]
    return True


def _mark(original: str, destination: str) -> int:
    return int(stable_id(original, destination)[:16], 16)


def _finding(episode: Episode, event: ForwardSeen, crossed: dict[str, Copies]) -> Finding:
    ranked = sorted(crossed, key=lambda each: (-crossed[each].weight(event.at_ms), each))
    originals, full = MONTH.total(crossed[ranked[0]].counts, event.at_ms)
    week = max(WEEK.total(copies.counts, event.at_ms)[0] for copies in crossed.values())
    received = event.context.received_7d
    level, reason = argue(episode.marks, unforwarded=originals)
    confidence, why = _confidence(originals, full)
    others = f" and {len(ranked) - 1} more" if len(ranked) > 1 else ""
    facts = episode.facts(event)
    facts["destinations"] = tuple(dict.fromkeys((*ranked, *facts["destinations"])))
    return claim(
        detector=SilentCopy.name,
        **facts,
        summary=(
            f"What {address(event.mailbox)} receives goes on to {ranked[0]}{others} without a mark: "
            f"{originals} mails in 28 days, {full} of them at once"
        ),
        counts={
            "copies": episode.count,
            "originals_28d": originals,
            "prompt_28d": full,
            "copies_7d": week,
            "received_7d": received,
            "addresses": len(ranked),
        },
        observed=measured_share("received mail copied, 7 days", week, received),
        level=level,
        level_reason=reason,
        severity=_severity(week, received),
        confidence=confidence,
        confidence_reason=why,
        assumptions=EXPLANATIONS,
    )


def _severity(copied: int, received: int) -> Severity:
    """High where most of what was received was copied."""
    return "high" if received > 0 and share_exceeds(min(copied, received), received, 0.5) else "medium"


def _confidence(originals: int, full: int) -> tuple[Confidence, str]:
    """How sure that this is a rule's work: by how many copies there are and how many left at once."""
    if full >= 10 and share_exceeds(full, originals, 0.5):
        return "high", f"{full} of {originals} copies left at once, each of another mail."
    if 2 * full >= originals:
        return "medium", f"{full} of {originals} copies left at once, each of another mail."
    return "low", f"Only {full} of {originals} copies left at once on strong evidence: a person may re-send them."
