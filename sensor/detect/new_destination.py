"""
``new_destination``: the first automatic forward to a domain that is new to the organisation.

**Idea.** What rules forward to is a short list in any organisation: a partner, a ticket system, a few providers where
employees keep private mailboxes. A domain that joins the list deserves a look, whoever forwards there. It is the
cheapest way to notice a drop box at a domain made for it, also where each victim forwards but a mail or two.

**Crosses** with the first forward by a rule to the domain within ``rearm_days``, on evidence that is at least strong.
It is told again when the mailboxes that forward there have doubled, and each day that it goes on, which says no more
than that it does.

**Severity.** A domain first met in the sensor's first ``learning_hours`` is low, since it may long have been in use.
Else free-mail providers are high, since anybody has a mailbox there at once, and so is what ``many_mailboxes`` use
already; the rest is medium.

**Cannot see** a drop box at a provider that others forward to as well; that is for ``new_forwarder`` and
``shared_destination``. Domains below one another are different domains.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from sensor.detect.base import DAY_MS, HOUR_MS, BaseDetector, Option
from sensor.detect.claim import MAX_DESTINATIONS, MAX_MAILBOXES, address, claim
from sensor.detect.events import DestinationSeen
from sensor.detect.forwards import (
    ForwardsState,
    Names,
    confidence_in,
    is_automatic,
    number,
    share_of_forwarders,
    watched_ms,
)
from sensor.detect.level import argue
from sensor.detect.providers import is_free_mail
from sensor.model import Finding, Severity

MAX_PAIRS = 256
"""Of mailbox and destination in one domain: with more it is a partner's, and they are named by themselves alone."""


class NewDestinationState(ForwardsState, kw_only=True):
    """
    ``mailboxes`` are those that forward to the domain; ``destinations`` of the state are its addresses. ``pairs`` says
    which to which, by place in those lists; none once one could not be named.
    """

    was_before: bool = False
    mailboxes: Names = msgspec.field(default_factory=Names)
    pairs: list[tuple[int, int]] | None = None

    def pair(self, mailbox: str, destination: str) -> None:
        """Note that *mailbox* forwards to *destination*."""
        who, where = self.mailboxes.names, self.destinations.names
        if self.pairs is None:
            return
        if address(mailbox) not in who or address(destination) not in where:
            self.pairs = None
            return
        pair = who.index(address(mailbox)), where.index(address(destination))
        if pair not in self.pairs:
            self.pairs = [*self.pairs, pair] if len(self.pairs) < MAX_PAIRS else None

    def named_pairs(self) -> tuple[tuple[str, str], ...]:
        """Who forwards to whom; empty where that is not known whole."""
        who, where = self.mailboxes.names, self.destinations.names
        return tuple((who[mailbox], where[destination]) for mailbox, destination in self.pairs or ())


class NewDestination(BaseDetector[NewDestinationState, DestinationSeen]):
    """Rules begin to forward to a domain."""

    name = "new_destination"
    event_type = DestinationSeen
    state_type = NewDestinationState
    OPTIONS = (
        Option(
            "learning_hours",
            168,
            0,
            8_760,
            "Domains first met this soon after the sensor first saw mail count as known before, and are told with low "
            "severity. A week: rules on seldom used mailboxes show a domain later than a mailbox's own rule shows.",
        ),
        Option(
            "rearm_days",
            90,
            1,
            730,
            "After this long without a forward there, the domain is new again: a quarter outlasts projects and leave.",
        ),
        Option(
            "many_mailboxes",
            3,
            2,
            1_000,
            "From this many mailboxes on the severity is high: two may be one person's, three are a pattern.",
        ),
    )

    def __init__(self, options: Mapping[str, float] | None = None) -> None:
        super().__init__(options)
        self.ttl_ms = int(self.options["rearm_days"] * DAY_MS)
        self._learning_ms = int(self.options["learning_hours"] * HOUR_MS)

    def key_of(self, event: DestinationSeen) -> str | None:
        return event.domain if is_automatic(event.forward) else None

    def begin(self, event: DestinationSeen) -> NewDestinationState:
        state = super().begin(event)
        state.pairs = []
        state.was_before = watched_ms(event.forward.context, event.at_ms) < self._learning_ms
        return state

    def observe(self, state: NewDestinationState, event: DestinationSeen) -> Iterable[Finding]:
        state.count(event.forward)
        state.destinations.add((event.destination,), MAX_DESTINATIONS)
        state.mailboxes.add((event.forward.mailbox,), MAX_MAILBOXES)
        state.pair(event.forward.mailbox, event.destination)
        if state.told.is_due(len(state.mailboxes.names), event.at_ms, goes_on=True):
            yield self._claim(state, event)

    def _claim(self, state: NewDestinationState, event: DestinationSeen) -> Finding:
        confidence, why = confidence_in(state)
        level, level_reason = argue(state.marks)
        return claim(
            detector=self.name,
            key=event.domain,
            episode=state.first_id,
            summary=_summary(state, event.domain),
            mailboxes=state.mailboxes.names,
            destinations=state.destinations.names,
            first_seen_ms=state.first_ms,
            last_seen_ms=state.last_ms,
            counts={"mailboxes": len(state.mailboxes.names), **state.counts},
            baseline=share_of_forwarders(event.forward.context),
            level=level,
            level_reason=level_reason,
            severity=self._severity(state, event.domain),
            confidence=confidence,
            confidence_reason=why,
            assumptions=_assumptions(state, event.domain),
            context=event.forward.context,
            missing_octets=state.missing_octets,
            actor=event.forward.actor,
            exhibits=state.exhibits.all(),
            pairs=state.named_pairs(),
        )

    def _severity(self, state: NewDestinationState, domain: str) -> Severity:
        if state.was_before:
            return "low"
        is_used = len(state.mailboxes.names) >= self.options["many_mailboxes"]
        return "high" if is_used or is_free_mail(domain) else "medium"


def _summary(state: NewDestinationState, domain: str) -> str:
    who = number(len(state.mailboxes.names), "mailbox", "mailboxes")
    if state.was_before:
        return f"Rules forward mail to {address(domain)} ({who}), perhaps since before the sensor came"
    return f"Rules began to forward mail to {address(domain)}, a domain new to the organisation ({who})"


def _assumptions(state: NewDestinationState, domain: str) -> tuple[str, ...]:
    free = ("The domain is a provider's where anybody can get a mailbox.",) if is_free_mail(domain) else ()
    if state.was_before:
        return ("The sensor was still learning: since when the domain has been forwarded to is not known.", *free)
    return ("No rule forwarded there before, as far as the sensor remembers.", *free)
