"""
``forward_volume_shift``: a mailbox forwards far more in a day than its own past lets expect.

**Idea.** A rule newly set, a mailbox emptied by hand, a filter widened: whatever the marks, the count or the octets of
forwards to outside leave what is usual for this mailbox. Days are those of UTC; a day's count is tested as it grows.

**Expects** from the mailbox's own days, up to 35 of them, at least ``days``. Working days are held against working
days and weekends against weekends once there are ``days`` of that kind (UTC puts some hours on the wrong side, which
widens the spread and makes no alarm).

**Crosses** on the count when all hold: ``least`` forwards; more than ``times`` times the largest known day; and too
many under two models of a day. One is a negative binomial of the past days' mean and dispersion (variance over mean),
under which the chance of so many is below ``chance``. The other is log-normal, under which the day lies ``deviations``
deviations out: people's days have tails that counts alone do not show. A fortnight tells little of a spread, so both
are drawn towards what is usual, with the weight of ten days: a variance of mean + 0.75 mean squared, and a deviation
of 0.7 of the logarithm (a factor of two). At the defaults, simulated forwarders with Poisson, geometric and log-normal
days (deviation 0.7) gave no alarm in some 17,000 days each, and log-normal ones of deviation 1.0, which are wild, five
in 10,000. A mailbox with five a day is told of from some 45 on, one with thirty steady ones from some 170.

On octets, where no distribution is worth believing, when all hold: ``least_megabytes`` in the day, more than four
times ``times`` the octets of the largest known day, and six robust deviations above the median of at least five days
that had any (median absolute deviation of logarithms, scaled as for a normal spread, at least a factor of 1.4).

**Days not seen are no zero days.** Between two forwards lie days without one. They count as zeros only where the
mailbox is known to have had mail in those days (``received_7d`` beyond ``received_24h``, one a day at least), which
reaches seven days back; other days are unknown. Unknown too are the day on which the sensor began and a day with less
than half the mail in clear; and where more is in clear today than was then, past days are scaled up before they are
compared.

**Cannot see** a rise slower than its baseline: each day becomes the past of the next. So it also falls silent on the
second day of a new rule, when the others have spoken. A mailbox without a past is theirs.

A new episode begins with a shift more than 7 days after the last one.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import exp, log, sqrt
from statistics import fmean, median

import msgspec

from sensor.detect.base import DAY_MS, BaseDetector, Option, State, Told
from sensor.detect.claim import POOR_CLEAR_SHARE, address, claim
from sensor.detect.episode import Episode, episode_of
from sensor.detect.events import Context, ForwardSeen
from sensor.detect.level import argue
from sensor.detect.windows import MOST
from sensor.intervals import garwood, predictive_interval, predictive_tail
from sensor.model import Confidence, Finding, Measured, Severity

MAX_DAYS = 35
"""Five weeks: a month's rhythm, and five weekends."""

REACH_DAYS = 6
"""How many days before today ``Context.received_7d`` vouches for."""

USUAL_WEIGHT_DAYS = 10
"""What is known of other mailboxes' days weighs as much as ten of the mailbox's own."""
USUAL_VARIANCE = 0.75
"""Of a day's count, beside the mean: this times the mean squared."""
USUAL_LOG_DEVIATION = 0.7
"""Of a day's count: one in six days is twice the usual."""

MEGABYTE = 1_000_000
OCTETS_TIMES = 4
"""Times ``times``: one mail's octets spread over four powers of ten, its count does not."""
OCTETS_DEVIATIONS = 6
LEAST_DEVIATION = log(1.4)
NORMAL_DEVIATION = 1.4826  # of a normal spread, over its median absolute deviation
LEAST_BUSY_DAYS = 5

EPISODE_QUIET_MS = 7 * DAY_MS


class Day(msgspec.Struct, kw_only=True, array_like=True):
    """One day of a mailbox: forwards to outside, their octets, and the share of mail in clear, where it is known."""

    count: int = 0
    octets: int = 0
    clear_share: float | None = None

    @property
    def is_seen(self) -> bool:
        return self.clear_share is None or self.clear_share >= POOR_CLEAR_SHARE


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """The past days that a day is held against, scaled to what is seen of it."""

    counts: tuple[float, ...]
    octets: tuple[float, ...]

    @property
    def dispersion(self) -> float:
        """Variance over mean of a day's count, drawn towards what is usual."""
        mean = sum(self.counts) / len(self.counts)
        own = sum((count - mean) ** 2 for count in self.counts) / mean if mean else 0.0
        usual = 1 + USUAL_VARIANCE * mean
        return max(1.0, (own + USUAL_WEIGHT_DAYS * usual) / (len(self.counts) - 1 + USUAL_WEIGHT_DAYS))

    def deviations_of(self, count: int) -> float:
        """How many deviations *count* lies above the past days, in logarithms."""
        logs = [log(each + 0.5) for each in self.counts]
        days, middle = len(logs), fmean(logs)
        squares = sum((each - middle) ** 2 for each in logs)
        usual = USUAL_WEIGHT_DAYS * USUAL_LOG_DEVIATION**2
        variance = (squares + usual) / (days - 1 + USUAL_WEIGHT_DAYS) * (1 + 1 / days)
        return (log(count + 0.5) - middle) / sqrt(variance)

    def chance_of(self, count: int) -> float:
        """The chance of a day with *count* forwards or more."""
        return predictive_tail(count, days=len(self.counts), total=sum(self.counts), dispersion=self.dispersion)

    def expected_count(self) -> Measured:
        low, high = predictive_interval(
            days=len(self.counts), total=sum(self.counts), dispersion=self.dispersion, confidence=0.95
        )
        mean = sum(self.counts) / len(self.counts)
        return Measured(what="forwards expected in a day", value=mean, low=low, high=high, unit="mails")

    def log_octets(self) -> tuple[float, float] | None:
        """Median and robust deviation of the logarithm of a busy day's octets; none if there were too few."""
        logs = [log(octets) for octets in self.octets if octets > 0]
        if len(logs) < LEAST_BUSY_DAYS:
            return None
        middle = median(logs)
        return middle, max(LEAST_DEVIATION, NORMAL_DEVIATION * median(abs(each - middle) for each in logs))

    def expected_octets(self) -> Measured | None:
        measured = self.log_octets()
        if measured is None:
            return None
        middle, deviation = measured
        low, high = exp(middle - 1.96 * deviation), exp(middle + 1.96 * deviation)
        return Measured(what="octets expected in a busy day", value=exp(middle), low=low, high=high, unit="octets")


class VolumeState(State, kw_only=True):
    """
    ``days`` by number since the epoch, ``today`` the latest of them, and the shift told of: the id and time of the
    first forward of its first day, and the time of the latest.
    """

    days: dict[int, Day] = msgspec.field(default_factory=dict)
    today: Episode | None = None
    shift_id: str = ""
    shift_first_ms: int = 0
    shift_last_ms: int = 0
    told: Told = msgspec.field(default_factory=Told)


class ForwardVolumeShift(BaseDetector[VolumeState, ForwardSeen]):
    """Sees all forwards to outside of one mailbox, whatever they look like."""

    name = "forward_volume_shift"
    ttl_ms = MAX_DAYS * DAY_MS
    OPTIONS = (
        Option("least", 20, 5, 10_000, "Forwards in a day below which nothing is said: an hour's work for an analyst."),
        Option("days", 6, 3, MAX_DAYS - 1, "Known days of the mailbox's own past that it takes to expect anything."),
        Option("chance", 1e-6, 1e-12, 0.01, "Chance of such a count in a day. 1e-6: far less than one in 10,000 days."),
        Option(
            "deviations", 4, 2, 20, "Deviations above the past days in logarithms: for tails that counts do not show."
        ),
        Option("times", 2, 1, 100, "More than this many times the largest known day, whatever the models say."),
        Option("least_megabytes", 100, 1, 100_000, "Forwarded octets in a day below which their sum is not looked at."),
    )
    event_type = ForwardSeen
    state_type = VolumeState

    def key_of(self, event: ForwardSeen) -> str | None:
        return event.mailbox if event.outside else None

    def observe(self, state: VolumeState, event: ForwardSeen) -> Iterable[Finding]:
        number = event.at_ms // DAY_MS
        latest = max(state.days, default=None)
        if latest is not None and number < latest:
            _add(state.days.setdefault(number, Day()), event)
            _forget(state.days, latest)
            return ()
        if latest is None or number > latest:
            _open(state.days, number, latest, event.context)
            _forget(state.days, number)
            state.today = None
        today = state.days.setdefault(number, Day())
        _add(today, event)
        state.today = episode_of(state.today, event, DAY_MS)
        return self._test(state, state.today, today, event)

    def _test(self, state: VolumeState, episode: Episode, today: Day, event: ForwardSeen) -> Iterable[Finding]:
        is_many = today.count >= self.options["least"]
        is_much = today.octets >= self.options["least_megabytes"] * MEGABYTE
        if not (is_many or is_much):
            return ()
        past = self._baseline(state.days, event)
        if past is None:
            return ()
        is_many = is_many and self._is_many(today.count, past)
        is_much = is_much and self._is_much(today.octets, past)
        if not (is_many or is_much):
            return ()
        if not state.shift_id or event.at_ms - state.shift_last_ms > EPISODE_QUIET_MS:
            state.shift_id, state.shift_first_ms, state.told = episode.id, episode.first_ms, Told()
        state.shift_last_ms = max(event.at_ms, state.shift_last_ms)
        if not state.told.is_due(today.count, event.at_ms):
            return ()
        return (_finding(state, episode, today, past, event, is_many=is_many),)

    def _baseline(self, days: dict[int, Day], event: ForwardSeen) -> Baseline | None:
        """The days that the day of *event* is held against; none if too few are known."""
        number, since_ms = event.at_ms // DAY_MS, event.context.sensor_since_ms
        began = min(days) - 1 if since_ms is None else since_ms // DAY_MS
        past = {each: day for each, day in days.items() if began < each < number and day.is_seen}
        of_kind = {each: day for each, day in past.items() if _is_weekend(each) == _is_weekend(number)}
        if len(of_kind) >= self.options["days"]:
            past = of_kind
        if len(past) < self.options["days"]:
            return None
        scaled = [(day, _scale(day.clear_share, event.context.clear_share)) for _, day in sorted(past.items())]
        return Baseline(
            counts=tuple(day.count * scale for day, scale in scaled),
            octets=tuple(day.octets * scale for day, scale in scaled),
        )

    def _is_many(self, count: int, past: Baseline) -> bool:
        if count <= self.options["times"] * max(past.counts):
            return False
        is_far = past.deviations_of(count) > self.options["deviations"]
        return is_far and past.chance_of(count) < self.options["chance"]

    def _is_much(self, octets: int, past: Baseline) -> bool:
        measured = past.log_octets()
        if measured is None or octets <= OCTETS_TIMES * self.options["times"] * max(past.octets):
            return False
        middle, deviation = measured
        return log(octets) > middle + OCTETS_DEVIATIONS * deviation


def _open(days: dict[int, Day], number: int, latest: int | None, context: Context) -> None:
    """Begin day *number*. Days since the *latest* one, and not too far back, are zeros if mail was seen in them."""
    if context.received_7d - context.received_24h < REACH_DAYS:
        return
    first = number - REACH_DAYS
    if latest is not None:
        first = max(first, latest + 1)
    else:
        since_ms = context.sensor_since_ms if context.mailbox_since_ms is None else context.mailbox_since_ms
        # The day in which it was first seen is not known whole.
        first = max(first, number if since_ms is None else since_ms // DAY_MS + 1)
    for each in range(first, number):
        days[each] = Day(clear_share=context.clear_share)


def _forget(days: dict[int, Day], latest: int) -> None:
    for number in [each for each in days if each <= latest - MAX_DAYS]:
        del days[number]


def _add(day: Day, event: ForwardSeen) -> None:
    day.count = min(MOST, day.count + 1)
    day.octets = min(MOST, day.octets + max(0, event.octets or 0))
    share = event.context.clear_share
    if share is not None:
        day.clear_share = share if day.clear_share is None else min(share, day.clear_share)


def _is_weekend(number: int) -> bool:
    return (number + 3) % 7 >= 5  # day 0 was a Thursday


def _scale(then: float | None, now: float | None) -> float:
    """How much more of a past day would have been seen with as much mail in clear as now; never less."""
    if then is None or now is None or now <= then:
        return 1.0
    return now / max(then, POOR_CLEAR_SHARE)


def _finding(
    state: VolumeState, episode: Episode, today: Day, past: Baseline, event: ForwardSeen, *, is_many: bool
) -> Finding:
    expected = past.expected_count() if is_many else past.expected_octets()
    level, reason = argue(episode.marks)
    confidence, why = _confidence(past)
    facts = episode.facts(event)
    facts["episode"], facts["first_seen_ms"] = state.shift_id, state.shift_first_ms
    if is_many:
        facts["destinations"] = _made_by(episode, past.expected_count().high)
    return claim(
        detector=ForwardVolumeShift.name,
        **facts,
        summary=f"{address(event.mailbox)} forwarded {_told(today, past, is_many=is_many)}",
        counts={
            "forwards_today": today.count,
            "octets_today": today.octets,
            "most_in_a_day_before": round(max(past.counts)),
            "days_known": len(past.counts),
            "received_24h": event.context.received_24h,
        },
        observed=_observed(today, is_many=is_many),
        baseline=expected,
        level=level,
        level_reason=reason,
        severity=_severity(today, past, is_many=is_many),
        confidence=confidence,
        confidence_reason=why,
        assumptions=(
            "A day's work by hand, such as handing over a project, shifts the volume as well.",
            "Days are those of UTC, and working days are held against working days where enough are known.",
        ),
    )


def _made_by(episode: Episode, usual: float) -> tuple[str, ...]:
    """
    The destinations that make the day unusual: those that got most, until the others together are no more than usual.

    The others are a person's everyday forwards; naming them would hide which address it is about.
    """
    ranked = episode.by_count()
    left = sum(episode.destinations.values())
    for place, each in enumerate(ranked):
        if place and left <= usual:
            return ranked[:place]
        left -= episode.destinations[each]
    return ranked


def _told(today: Day, past: Baseline, *, is_many: bool) -> str:
    if is_many:
        expected = past.expected_count()
        return (
            f"{today.count} mails to outside in a day, where {expected.low:.0f} to {expected.high:.0f} are to be "
            f"expected from its last {len(past.counts)} known days"
        )
    return (
        f"{today.octets / MEGABYTE:,.0f} MB to outside in a day; the largest of its last {len(past.octets)} known "
        f"days had {max(past.octets) / MEGABYTE:,.1f} MB"
    )


def _observed(today: Day, *, is_many: bool) -> Measured:
    if is_many:
        low, high = garwood(today.count)
        return Measured(what="forwards in a day", value=today.count, low=low, high=high, unit="mails")
    octets = float(today.octets)
    return Measured(what="octets in a day", value=octets, low=octets, high=octets, unit="octets")


def _severity(today: Day, past: Baseline, *, is_many: bool) -> Severity:
    """High from ten times the largest known day on."""
    now, before = (today.count, max(past.counts)) if is_many else (today.octets, max(past.octets))
    return "high" if now >= 10 * max(1, before) else "medium"


def _confidence(past: Baseline) -> tuple[Confidence, str]:
    days = len(past.counts)
    if days < 10:
        return "low", f"Only {days} days of the mailbox's own past are known."
    return ("high" if days >= 20 else "medium"), f"{days} days of the mailbox's own past are known."
