"""What the detectors of automatic forwards have in common: which forwards count, and what is kept of them."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from sensor.detect.base import State, Told
from sensor.detect.claim import Exhibits, address
from sensor.detect.events import Context, ForwardSeen
from sensor.detect.level import Marks
from sensor.intervals import jeffreys
from sensor.model import Confidence, Measured

MAX_NAMES_OCTETS = 6_000
"""For the addresses of one list in a state: some two hundred as they are, or a handful as an attacker makes them."""


class Names(msgspec.Struct):
    """Addresses that were met: the first ones by name, each once; ``unnamed`` counts how often others were met."""

    names: list[str] = []
    octets: int = 0
    unnamed: int = 0

    def add(self, addresses: Iterable[str], most: int) -> None:
        """Note *addresses*, up to *most* and ``MAX_NAMES_OCTETS`` of them by name."""
        for each in map(address, addresses):
            if each in self.names:
                continue
            octets = len(each.encode("utf-8", "replace"))
            if len(self.names) < most and self.octets + octets <= MAX_NAMES_OCTETS:
                self.names.append(each)
                self.octets += octets
            else:
                self.unnamed += 1


class ForwardsState(State, kw_only=True):
    """An episode of automatic forwards: how many, how large, to whom, and the mails to show for it."""

    forwards: int = 0
    octets: int = 0
    missing_octets: int = 0
    is_conclusive: bool = False
    destinations: Names = msgspec.field(default_factory=Names)
    exhibits: Exhibits = msgspec.field(default_factory=Exhibits)
    marks: Marks = msgspec.field(default_factory=Marks)
    told: Told = msgspec.field(default_factory=Told)

    def count(self, forward: ForwardSeen) -> None:
        """Take one forward in."""
        self.forwards += 1
        self.octets += max(0, forward.octets or 0)
        self.missing_octets += max(0, forward.missing_octets)
        self.is_conclusive = self.is_conclusive or forward.evidence == "conclusive"
        self.exhibits.add(forward.transaction_id, forward.at_ms, forward.lines)
        self.marks.add(forward.level, forward.lines)

    @property
    def counts(self) -> dict[str, int]:
        return {"forwards": self.forwards, "octets": self.octets}


def is_automatic(forward: ForwardSeen) -> bool:
    """True for what a rule sent outside, on evidence that is at least strong: by its marks, or by both legs seen."""
    return forward.cell != "visible_only" and forward.evidence != "weak" and bool(forward.outside)


def confidence_in(state: ForwardsState) -> tuple[Confidence, str]:
    """How sure the marks alone make us that a rule forwards, and why."""
    if state.is_conclusive:
        return "high", "A mark names the forwarding mailbox and agrees with the envelope."
    if state.forwards >= 3:
        return "high", f"{state.forwards} mails carry strong evidence, though none of them proof."
    return "medium", "The evidence is strong, but no mark proves it."


def share_of_forwarders(context: Context) -> Measured | None:
    """The part of the organisation's mailboxes that forward outside by a rule; none where it is not known."""
    if context.mailboxes <= 0:
        return None
    forwarders = min(max(0, context.forwarders), context.mailboxes)
    low, high = jeffreys(forwarders, context.mailboxes)
    share = forwarders / context.mailboxes
    return Measured(what="share of mailboxes that forward outside by a rule", value=share, low=low, high=high)


def watched_ms(context: Context, at_ms: int) -> int:
    """How long the sensor had watched by *at_ms*; nothing where that is not known."""
    return 0 if context.sensor_since_ms is None else max(0, at_ms - context.sensor_since_ms)


def number(count: int, one: str, many: str | None = None) -> str:
    """*count* with its noun: "1 mailbox", "1,200 mailboxes"."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
