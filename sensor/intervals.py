"""
The Jeffreys interval of a share: what a count of successes says about the rate behind it.

For k of n the rate is taken to follow Beta(k + 1/2, n - k + 1/2), and the interval runs between its quantiles; at k =
0 and k = n the open side is closed at 0 and 1 (Brown, Cai and DasGupta, Statistical Science 16(2), 2001, section
4.3).
"""

from __future__ import annotations

from math import exp, lgamma, log, log1p

# Halvings of the unit interval. After 50 the step is below 1e-15, the precision of a float near 1.
_HALVINGS = 50
# Terms of the continued fraction. It converges in about the square root of the larger parameter: this serves 100
# million.
_TERMS = 20_000
_TINY = 1e-300


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


def beta_quantile(probability: float, a: float, b: float) -> float:
    """The x at which the Beta(a, b) distribution reaches *probability*, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if beta_cdf(middle, a, b) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


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
    for m in range(1, _TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        step = 1.0
        for term in (even, odd):
            d = 1 / _not_zero(1 + term * d)
            c = _not_zero(1 + term / c)
            step = c * d
            value *= step
        if abs(step - 1) < 1e-14:
            break
    return value


def _not_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
