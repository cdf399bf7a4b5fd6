"""
What counts say about the rates behind them: intervals of shares, intervals of counts, and how odd a new count is.

A share of k in n is taken to follow Beta(k + 1/2, n - k + 1/2), and its interval runs between the quantiles; at k = 0
and k = n the open side is closed at 0 and 1 (Jeffreys; Brown, Cai and DasGupta, Statistical Science 16(2), 2001,
section 4.3). A count's exact interval is Garwood's (Biometrika 28, 1936), in gamma quantiles. What the next count may
be, after counts over so many days, is the gamma-Poisson mixture: a negative binomial.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import exp, lgamma, log, log1p, sqrt

# Halvings of the unit interval. After 50 the step is below 1e-15, the precision of a float near 1.
_HALVINGS = 50
# Terms of the continued fraction. It converges in about the square root of the larger parameter: this serves 100
# million.
_TERMS = 20_000
_TINY = 1e-300


@lru_cache(maxsize=4_096)
def jeffreys(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """
    Lower and upper bound of the share *successes* / *trials*.

    With no trials nothing is known: (0, 1). Raises ``ValueError`` for counts that are no share.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials} is no share")
    if trials == 0:
        return 0.0, 1.0
    tail = (1 - confidence) / 2
    a, b = successes + 0.5, trials - successes + 0.5
    low = 0.0 if successes == 0 else beta_quantile(tail, a, b)
    high = 1.0 if successes == trials else beta_quantile(1 - tail, a, b)
    return low, high


def share_exceeds(successes: int, trials: int, share: float, confidence: float = 0.95) -> bool:
    """True if the lower bound that ``jeffreys`` would give lies above *share*; much quicker than asking for it."""
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials} is no share")
    if successes == 0:
        return False
    return beta_cdf(share, successes + 0.5, trials - successes + 0.5) < (1 - confidence) / 2


def garwood(count: int, confidence: float = 0.95) -> tuple[float, float]:
    """
    Lower and upper bound of the mean behind a Poisson *count*; divide both by the exposure for a rate.

    Exact: a mean outside was less likely than half of what is left of *confidence* to give such a count or a more
    extreme one. Raises ``ValueError`` for a negative count.
    """
    if count < 0:
        raise ValueError(f"{count} is no count")
    tail = (1 - confidence) / 2
    low = 0.0 if count == 0 else gamma_quantile(tail, count)
    return low, gamma_quantile(1 - tail, count + 1)


def predictive_tail(count: int, *, days: float, total: float, dispersion: float = 1.0) -> float:
    """
    The chance that the next day counts *count* or more, after *days* days that counted *total* in all.

    *dispersion* is variance over mean of a day's count. At 1 days are Poisson and the answer is exact: the mean
    follows Gamma(total + 1/2, days), and so the next day a negative binomial. Above 1 the negative binomial of the
    same mean and variance is taken, what is left to know of the mean included. Raises ``ValueError`` for what are no
    counts of days.
    """
    mean, variance = _predicted(days, total, dispersion)
    if count <= 0:
        return 1.0
    # A negative binomial of this mean and variance has success probability mean / variance, and its tail is an
    # incomplete beta function (NIST DLMF 8.17.24).
    size = mean * mean / (variance - mean)
    return beta_cdf(1 - mean / variance, count, size)


def predictive_interval(
    *, days: float, total: float, dispersion: float = 1.0, confidence: float = 0.95
) -> tuple[int, int]:
    """
    The counts between which the next day lies with *confidence*, in the sense of ``predictive_tail``.

    At most half of what is left lies above the upper one, and as much below the lower one.
    """
    tail = (1 - confidence) / 2

    def rarer(count: int, chance: float) -> bool:
        return predictive_tail(count, days=days, total=total, dispersion=dispersion) <= chance

    top = 1
    while not rarer(top, tail):
        top *= 2
    return max(0, _first(lambda count: rarer(count, 1 - tail), top) - 1), _first(
        lambda count: rarer(count, tail), top
    ) - 1


def _first(holds: Callable[[int], bool], top: int) -> int:
    """The smallest number up to *top* for which *holds*, which holds from there on."""
    low, high = 0, top
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low


def _predicted(days: float, total: float, dispersion: float) -> tuple[float, float]:
    """Mean and variance of the next day's count."""
    if days <= 0 or total < 0 or dispersion < 1:
        raise ValueError(f"{total} in {days} days at dispersion {dispersion} are no counts of days")
    # In units of *dispersion* the counts are about Poisson, so the mean follows Gamma(total / dispersion + 1/2).
    mean = (total + dispersion / 2) / days
    return mean, mean * dispersion * (1 + 1 / days)


def gamma_quantile(probability: float, shape: float) -> float:
    """The x at which the Gamma(shape, 1) distribution reaches *probability*: half a chi-square quantile."""
    low, high = 0.0, shape + 1.0
    while gamma_cdf(high, shape) < probability:
        low, high = high, high * 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if gamma_cdf(middle, shape) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def gamma_cdf(x: float, shape: float) -> float:
    """The regularised incomplete gamma function P(shape, x)."""
    if x <= 0:
        return 0.0
    front = exp(shape * log(x) - x - lgamma(shape))
    # The series converges fast below the mean, the continued fraction above it.
    if x < shape + 1:
        return min(1.0, front * _gamma_series(x, shape))
    return max(0.0, 1 - front * _gamma_fraction(x, shape))


def _gamma_series(x: float, shape: float) -> float:
    """The series of the lower incomplete gamma function (NIST DLMF 8.7.1), without its front factor."""
    term = value = 1 / shape
    for n in range(1, _TERMS):
        term *= x / (shape + n)
        value += term
        if term < value * 1e-15:
            break
    return value


def _gamma_fraction(x: float, shape: float) -> float:
    """The continued fraction of the upper incomplete gamma function (NIST DLMF 8.9.2), by Lentz's method."""
    b = x + 1 - shape
    c, d = 1 / _TINY, 1 / _not_zero(b)
    value = d
    for n in range(1, _TERMS):
        a = -n * (n - shape)
        b += 2
        d = 1 / _not_zero(a * d + b)
        c = _not_zero(b + a / c)
        step = c * d
        value *= step
        if abs(step - 1) < 1e-14:
            break
    return value


def beta_quantile(probability: float, a: float, b: float) -> float:
    """
    The x at which the Beta(a, b) distribution reaches *probability*.

    By Halley's steps from a guess, some three; one that would leave what is known to hold x halves that instead.
    """
    low, high = 0.0, 1.0
    x = min(max(_guess(probability, a, b), 1e-12), 1 - 1e-12)
    scale = lgamma(a + b) - lgamma(a) - lgamma(b)
    for _ in range(_HALVINGS):
        excess = beta_cdf(x, a, b) - probability
        low, high = (x, high) if excess < 0 else (low, x)
        density = exp(scale + (a - 1) * log(x) + (b - 1) * log1p(-x))
        newton = excess / density if density > 0 else 2.0
        # Far off, the bend of the curve says nothing of the way to go: it may double the step or halve it, no more.
        bend = 1 - 0.5 * newton * ((a - 1) / x - (b - 1) / (1 - x))
        step = x - newton / min(max(bend, 0.5), 2.0)
        # The next step would be about the cube of this one: less than a float tells apart.
        if abs(step - x) <= 1e-6 * min(x, 1 - x):
            return step
        following = step if low < step < high else (low + high) / 2
        if not low < following < high:
            return following
        x = following
    return x


def _guess(probability: float, a: float, b: float) -> float:
    """
    Near the quantile: by the normal deviate (Abramowitz and Stegun 26.5.22 with 26.2.23), or by the power that the
    distribution follows at its ends where a parameter is below 1.
    """
    if a < 1 or b < 1:
        total = a + b
        below, above = exp(a * log(a / total)) / a, exp(b * log(b / total)) / b
        both = below + above
        if probability < below / both:
            return float((a * both * probability) ** (1 / a))
        return float(1 - (b * both * (1 - probability)) ** (1 / b))
    tail = min(probability, 1 - probability)
    t = sqrt(-2 * log(tail)) if tail > 0 else 38.0
    deviate = t - (2.30753 + t * 0.27061) / (1 + t * (0.99229 + t * 0.04481))
    y = deviate if probability < 0.5 else -deviate
    shift, size = (y * y - 3) / 6, 2 / (1 / (2 * a - 1) + 1 / (2 * b - 1))
    skew = (1 / (2 * b - 1) - 1 / (2 * a - 1)) * (shift + 5 / 6 - 2 / (3 * size))
    w = y * sqrt(max(0.0, size + shift)) / size - skew
    return a / (a + b * exp(min(700.0, 2 * w)))


def beta_cdf(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b)."""
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    # The fraction converges fast below the mean; above it the symmetry I_x(a, b) = 1 - I_(1-x)(b, a) is used.
    if x > (a + 1) / (a + b + 2):
        return 1 - beta_cdf(1 - x, b, a)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    return front * _fraction(x, a, b) / a


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of the incomplete beta function (NIST DLMF 8.17.22), evaluated by Lentz's method."""
    c, d = 1.0, 1 / _not_zero(1 - (a + b) * x / (a + 1))
    value = d
    both = a + b
    for m in range(1, _TERMS):
        after = a + 2 * m
        even = m * (b - m) * x / ((after - 1) * after)
        odd = -(a + m) * (both + m) * x / (after * (after + 1))
        # Nothing may be divided by zero: Lentz's method puts a tiny number in its place.
        d = 1 / ((1 + even * d) or _TINY)
        c = (1 + even / c) or _TINY
        value *= c * d
        d = 1 / ((1 + odd * d) or _TINY)
        c = (1 + odd / c) or _TINY
        step = c * d
        value *= step
        if abs(step - 1) < 1e-14:
            break
    return value


def _not_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
