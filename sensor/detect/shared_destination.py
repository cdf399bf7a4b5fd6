"""
``shared_destination``: several mailboxes forward by a rule to one outside address.

**Idea.** An intruder who holds several mailboxes collects in one place. People forward to an address of their own, so
two mailboxes that share one are either one person's, a shared function, or a drop. It is the threshold that public
rules use on audit logs (Sentinel 871ba14c: more than one user to one destination, in 7 days), here on mail itself.

**Crosses** when ``min_mailboxes`` different mailboxes forward there within ``window_days``, each on evidence that is at
least strong. It is told again when their number has doubled, and each day that it goes on, and always names all of the
window, up to a bound. Severity is high from ``many_mailboxes`` on and for free-mail providers, medium else.

An episode lasts until for ``rearm_days`` the threshold was not reached: a rule that works on monthly mail, say, does
not make a new alert each month.

**Cannot see** drops that differ for each victim, and those of one provider that are one person's (addresses compare
as they are, in lower case).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from sensor.detect.base import DAY_MS, BaseDetector, Option
from sensor.detect.claim import MAX_MAILBOXES, address, claim
from sensor.detect.events import DestinationSeen
from sensor.detect.forwards import (
    MAX_NAMES_OCTETS,
    ForwardsState,
    confidence_in,
    is_automatic,
    number,
    share_of_forwarders,
)
from sensor.detect.level import argue
from sensor.detect.providers import is_free_mail
from sensor.model import Finding, Severity


class SharedDestinationState(ForwardsState, kw_only=True):
    """``latest_ms`` is each mailbox's latest forward in the window; ``episode`` the id of the forward that crossed."""

    latest_ms: dict[str, int] = msgspec.field(default_factory=dict)
    episode: str = ""
    shared_ms: int = 0
    dropped: int = 0

    def note(self, mailbox: str, at_ms: int, window_ms: int) -> None:
        """Note a mailbox's forward and forget what left the window; at the bound, who forwarded longest ago goes."""
        name = address(mailbox)
        self.latest_ms[name] = max(at_ms, self.latest_ms.get(name, at_ms))
        horizon_ms = self.last_ms - window_ms
        for old in [each for each, latest_ms in self.latest_ms.items() if latest_ms <= horizon_ms]:
            del self.latest_ms[old]
        while self._is_full():
            del self.latest_ms[min(self.latest_ms, key=lambda each: (self.latest_ms[each], each))]
            self.dropped += 1

    def _is_full(self) -> bool:
        if len(self.latest_ms) > MAX_MAILBOXES:
            return True
        # Short of a bound on octets there is nothing to add up.
        if sum(map(len, self.latest_ms)) * 4 <= MAX_NAMES_OCTETS:
            return False
        return sum(len(each.encode("utf-8", "replace")) for each in self.latest_ms) > MAX_NAMES_OCTETS


class SharedDestination(BaseDetector[SharedDestinationState, DestinationSeen]):
    """Mailboxes share a place to forward to."""

    name = "shared_destination"
    event_type = DestinationSeen
    state_type = SharedDestinationState
    OPTIONS = (
        Option(
            "min_mailboxes",
            2,
            2,
            1_000,
            "Mailboxes that must forward to the address. More than one, as public rules have it: a private address "
            "belongs to one person, and one person seldom has two mailboxes.",
        ),
        Option(
            "window_days",
            7,
            0.05,
            90,
            "They must do so within this time. A week, as public rules have it, holds a forward of any mailbox in use.",
        ),
        Option(
            "rearm_days",
            90,
            1,
            730,
            "After this long below the threshold, reaching it is news again: a quarter, as for a new forwarder.",
        ),
        Option(
            "many_mailboxes",
            5,
            2,
            1_000,
            "From this many mailboxes on the severity is high wherever they forward to: hardly one household's.",
        ),
    )

    def __init__(self, options: Mapping[str, float] | None = None) -> None:
        super().__init__(options)
        self._window_ms = int(self.options["window_days"] * DAY_MS)
        self._rearm_ms = int(self.options["rearm_days"] * DAY_MS)
        self.ttl_ms = max(self._window_ms, self._rearm_ms)

    def key_of(self, event: DestinationSeen) -> str | None:
        return event.destination if is_automatic(event.forward) else None

    def observe(self, state: SharedDestinationState, event: DestinationSeen) -> Iterable[Finding]:
        state.count(event.forward)
        state.note(event.forward.mailbox, event.at_ms, self._window_ms)
        mailboxes = len(state.latest_ms)
        if mailboxes < self.options["min_mailboxes"]:
            return
        if not state.episode or event.at_ms - state.shared_ms > self._rearm_ms:
            state.episode, state.told.count = event.id[:64], 0
        state.shared_ms = max(state.shared_ms, event.at_ms)
        # Beyond the bound on mailboxes the number of those left out tells that it still grows.
        if state.told.is_due(mailboxes + state.dropped, event.at_ms, goes_on=True):
            yield self._claim(state, event)

    def _claim(self, state: SharedDestinationState, event: DestinationSeen) -> Finding:
        confidence, why = confidence_in(state)
        level, level_reason = argue(state.marks)
        mailboxes = len(state.latest_ms)
        days = self.options["window_days"]
        return claim(
            detector=self.name,
            key=event.destination,
            episode=state.episode,
            summary=f"{mailboxes} mailboxes forward mail by a rule to {address(event.destination)}",
            mailboxes=state.latest_ms,
            destinations=(event.destination,),
            first_seen_ms=state.first_ms,
            last_seen_ms=state.last_ms,
            counts={"mailboxes": mailboxes, **state.counts},
            baseline=share_of_forwarders(event.forward.context),
            level=level,
            level_reason=level_reason,
            severity=self._severity(mailboxes, event.destination),
            confidence=confidence,
            confidence_reason=why,
            assumptions=(f"All of them forwarded there within {days:g} days, and none is an alias of another.",),
            gaps=_gaps(state),
            context=event.forward.context,
            missing_octets=state.missing_octets,
            actor=event.forward.actor,
            exhibits=state.exhibits.all(),
        )

    def _severity(self, mailboxes: int, destination: str) -> Severity:
        return "high" if mailboxes >= self.options["many_mailboxes"] or is_free_mail(destination) else "medium"


def _gaps(state: SharedDestinationState) -> tuple[str, ...]:
    if not state.dropped:
        return ()
    return (f"More mailboxes forwarded there than are kept; {number(state.dropped, 'time')} one had to be left out.",)
