"""
``auto_forward_ratio``: a mailbox forwards to outside by a rule, and almost nothing of it looks forwarded.

**Idea.** ATT&CK's lead for T1114.003: many mails with the marks of automatic forwarding and no corresponding number
that look forwarded. The share is that of ``auto_only`` in all marked forwards to outside, over the last 7 days.

**Crosses** when the lower end of the share's 95 % Jeffreys interval is above ``share`` and there are ``least`` such
forwards. At the default of 0.75 that takes 9 forwards when none looks forwarded, 17 when one does, 30 when three do:
enough that a person who forwards by hand beside a rule is not taken for one who does not, and few enough to come within
ten mails of a redirect. Looked at after every mail, a mailbox that forwards half by hand crosses by chance in some two
of a thousand weeks; what it tells of is a rule even then. The interval does the work, so ``least`` only keeps a low
``share`` from firing on next to nothing.

**Says** user or administrator, from the marks first (``level``). Severity is high where most of what the mailbox
receives goes out, medium else. The baseline is the mailbox's own share before the window; where it has none, the share
of the organisation's mailboxes that forward to outside by a rule.

**Cannot see** forwards that carry no mark (``silent_copy``), rules that write a forwarded look
(``new_forwarder``, ``new_destination``), fewer than nine mails in a week, and mail inside TLS. Whether the owner wanted
it, the wire does not tell.

A new episode begins after 30 days without an automatic forward.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from sensor.detect.base import DAY_MS, HOUR_MS, BaseDetector, Option, State
from sensor.detect.claim import address, claim, measured_share
from sensor.detect.episode import Episode, episode_of
from sensor.detect.events import Cell, Context, ForwardSeen
from sensor.detect.forwards import share_of_forwarders
from sensor.detect.level import argue
from sensor.detect.windows import Counts, Window, add
from sensor.intervals import share_exceeds
from sensor.model import Confidence, Finding, Measured, Severity

WEEK = Window(slot_ms=6 * HOUR_MS, slots=28, cells=3)
"""Auto-only, auto-visible, visible-only, over 7 days to within 6 hours."""

CELLS: dict[Cell, int] = {"auto_only": 0, "auto_visible": 1, "visible_only": 2}

QUIET_MS = 30 * DAY_MS


class RatioState(State, kw_only=True):
    """The window's counts, what slid out of it (``past``: auto-only and all), and the episode of automatic forwards."""

    counts: Counts = msgspec.field(default_factory=dict)
    past: tuple[int, int] = (0, 0)
    episode: Episode | None = None


class AutoForwardRatio(BaseDetector[RatioState, ForwardSeen]):
    """Sees the marked forwards to outside of one mailbox."""

    name = "auto_forward_ratio"
    ttl_ms = QUIET_MS
    OPTIONS = (
        Option(
            "share",
            0.75,
            0.5,
            0.99,
            "Lower end of the share of forwards that do not look forwarded. 0.75 takes 9 of 9, or 16 of 17.",
        ),
        Option("least", 8, 3, 1_000, "Automatic forwards in 7 days below which nothing is said, whatever the share."),
    )
    event_type = ForwardSeen
    state_type = RatioState

    def key_of(self, event: ForwardSeen) -> str | None:
        is_marked = event.cell in CELLS and event.evidence != "weak"
        return event.mailbox if is_marked and event.outside else None

    def observe(self, state: RatioState, event: ForwardSeen) -> Iterable[Finding]:
        self._count(state, event)
        if event.cell != "visible_only":
            state.episode = episode_of(state.episode, event, QUIET_MS)
        if state.episode is None or not state.episode.has_news(event.at_ms):
            return ()
        auto_only, auto_visible, visible_only = WEEK.total(state.counts, event.at_ms)
        total = auto_only + auto_visible + visible_only
        is_crossed = auto_only >= self.options["least"] and share_exceeds(auto_only, total, self.options["share"])
        if not is_crossed:
            return ()
        state.episode.told.is_due(state.episode.count, event.at_ms)
        return (_finding(state, state.episode, event, (auto_only, auto_visible, visible_only)),)

    def _count(self, state: RatioState, event: ForwardSeen) -> None:
        for auto_only, auto_visible, visible_only in WEEK.expire(state.counts, event.at_ms):
            auto, total = state.past
            state.past = auto + auto_only, total + auto_only + auto_visible + visible_only
        cells = WEEK.slot(state.counts, event.at_ms)
        if cells is not None:
            add(cells, CELLS[event.cell])


def _finding(state: RatioState, episode: Episode, event: ForwardSeen, cells: tuple[int, int, int]) -> Finding:
    auto_only, auto_visible, visible_only = cells
    total = sum(cells)
    level, reason = argue(episode.marks, unforwarded=auto_only, looking_forwarded=auto_visible + visible_only)
    severity, copied = _severity(event.context, auto_only + auto_visible)
    confidence, why = _confidence(episode)
    return claim(
        detector=AutoForwardRatio.name,
        **episode.facts(event),
        summary=(
            f"{address(event.mailbox)} forwards to outside by a rule: {auto_only} of {total} marked forwards in 7 days "
            f"do not look forwarded{copied}"
        ),
        counts={
            "forwards": episode.count,
            "auto_only_7d": auto_only,
            "auto_visible_7d": auto_visible,
            "visible_only_7d": visible_only,
            "received_7d": event.context.received_7d,
        },
        observed=measured_share("auto share, 7 days", auto_only, total),
        baseline=_baseline(state, event.context),
        level=level,
        level_reason=reason,
        severity=severity,
        confidence=confidence,
        confidence_reason=why,
        assumptions=("A forward that the mailbox's owner set up with leave looks the same on the wire.",),
    )


def _severity(context: Context, forwarded: int) -> tuple[Severity, str]:
    """High where most of what came in went out, and words that say so."""
    received = context.received_7d
    if received <= 0 or not share_exceeds(min(forwarded, received), received, 0.5):
        return "medium", ""
    if forwarded > received:
        # Captures out of their order: what came in was not all seen by then.
        return "high", f", and only {received} received mails were seen in that time"
    return "high", f", and they are most of the {received} mails it received"


def _confidence(episode: Episode) -> tuple[Confidence, str]:
    if 2 * episode.conclusive >= episode.count:
        return "high", f"{episode.conclusive} of {episode.count} carry marks that name mailbox and destination."
    return "medium", "Most marks are strong but do not name mailbox and destination by themselves."


def _baseline(state: RatioState, context: Context) -> Measured | None:
    """The mailbox's own share before the window; where it has no past, how usual forwarding by a rule is here."""
    own = measured_share("the mailbox's auto share before", *state.past)
    return own or share_of_forwarders(context)
