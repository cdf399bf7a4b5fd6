"""Intervals and tails against published values, against plain sums, and against what makes them intervals."""

from math import comb, exp, lgamma, log, log1p
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.intervals import (
    beta_cdf,
    beta_quantile,
    gamma_cdf,
    gamma_quantile,
    garwood,
    jeffreys,
    predictive_interval,
    predictive_tail,
    share_exceeds,
)

# Brown, Cai and DasGupta 2001, table 5: 95 % limits for n = 10.
PUBLISHED = [
    (0, 10, 0.0, 0.217),
    (1, 10, 0.011, 0.381),
    (2, 10, 0.044, 0.503),
    (3, 10, 0.093, 0.606),
    (4, 10, 0.153, 0.696),
    (5, 10, 0.224, 0.776),
    (0, 7, 0.0, 0.292),
    (1, 7, 0.016, 0.501),
]


@pytest.mark.parametrize(("successes", "trials", "low", "high"), PUBLISHED)
def test_published_values(successes: int, trials: int, low: float, high: float) -> None:
    assert jeffreys(successes, trials) == pytest.approx((low, high), abs=0.0006)


def test_no_trials_say_nothing() -> None:
    assert jeffreys(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("successes", "trials"), [(-1, 3), (4, 3), (1, 0)])
def test_counts_that_are_no_share_are_refused(successes: int, trials: int) -> None:
    with pytest.raises(ValueError, match="no share"):
        jeffreys(successes, trials)


@given(st.integers(1, 5_000_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_share_lies_inside_and_the_mirror_image_mirrors(counts: tuple[int, int]) -> None:
    successes, trials = counts
    low, high = jeffreys(successes, trials)
    assert 0 <= low <= successes / trials <= high <= 1
    mirrored_low, mirrored_high = jeffreys(trials - successes, trials)
    assert (1 - mirrored_high, 1 - mirrored_low) == pytest.approx((low, high), abs=1e-9)


@given(st.integers(1, 300), st.integers(1, 300), st.floats(0.001, 0.999))
def test_the_incomplete_beta_function_is_a_binomial_tail(a: int, b: int, x: float) -> None:
    """For whole a and b, I_x(a, b) is the chance of a or more successes in a + b - 1 trials."""
    n = a + b - 1
    tail = sum(comb(n, k) * x**k * (1 - x) ** (n - k) for k in range(a, n + 1))
    assert beta_cdf(x, a, b) == pytest.approx(tail, abs=1e-9)


@given(st.floats(0.01, 0.99), st.floats(0.5, 1000), st.floats(0.5, 1000))
def test_the_quantile_inverts_the_distribution(probability: float, a: float, b: float) -> None:
    assert beta_cdf(beta_quantile(probability, a, b), a, b) == pytest.approx(probability, abs=1e-6)


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.5, 0.9])
def test_coverage_is_near_what_is_promised(rate: float) -> None:
    """Over all counts that 60 mails can give at a true rate, the interval holds that rate about 95 times in 100."""
    n = 60
    covered = sum(
        comb(n, k) * rate**k * (1 - rate) ** (n - k)
        for k in range(n + 1)
        if jeffreys(k, n)[0] <= rate <= jeffreys(k, n)[1]
    )
    assert 0.90 < covered < 0.99


@given(
    st.integers(1, 5_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    st.floats(0.01, 0.99),
    st.sampled_from([0.9, 0.95, 0.99]),
)
def test_the_short_way_says_what_the_interval_says(counts: tuple[int, int], share: float, confidence: float) -> None:
    low, _ = jeffreys(*counts, confidence)
    if abs(low - share) > 1e-6:
        assert share_exceeds(*counts, share, confidence) is (low > share)


# ---- counts

# Garwood 1936, and tables of exact limits since: 95 % limits of a Poisson mean.
GARWOOD = [
    (0, 0.0, 3.689),
    (1, 0.0253, 5.572),
    (2, 0.242, 7.225),
    (3, 0.619, 8.767),
    (4, 1.090, 10.242),
    (5, 1.623, 11.668),
    (10, 4.795, 18.390),
    (20, 12.217, 30.888),
    (50, 37.111, 65.919),
    (100, 81.364, 121.627),
]

# Percentage points of chi-square, as in any table: degrees of freedom, probability, value.
CHI_SQUARE = [
    (1, 0.95, 3.841),
    (2, 0.95, 5.991),
    (10, 0.95, 18.307),
    (10, 0.05, 3.940),
    (30, 0.99, 50.892),
    (100, 0.05, 77.929),
]


@pytest.mark.parametrize(("count", "low", "high"), GARWOOD)
def test_published_limits_of_a_count(count: int, low: float, high: float) -> None:
    assert garwood(count) == pytest.approx((low, high), abs=0.0006)


@pytest.mark.parametrize(("degrees", "probability", "value"), CHI_SQUARE)
def test_gamma_quantiles_are_half_of_published_chi_square(degrees: int, probability: float, value: float) -> None:
    assert 2 * gamma_quantile(probability, degrees / 2) == pytest.approx(value, abs=0.0006)


@given(st.integers(1, 400), st.floats(0.01, 500))
def test_the_incomplete_gamma_function_is_a_poisson_tail(shape: int, x: float) -> None:
    """For whole shapes, P(shape, x) is the chance of as many events or more at mean x."""
    below = sum(exp(k * log(x) - x - lgamma(k + 1)) for k in range(shape))
    assert gamma_cdf(x, shape) == pytest.approx(1 - below, abs=1e-9)


@given(st.floats(0.001, 0.999), st.floats(0.5, 100_000))
def test_the_gamma_quantile_inverts_the_distribution(probability: float, shape: float) -> None:
    assert gamma_cdf(gamma_quantile(probability, shape), shape) == pytest.approx(probability, abs=1e-6)


@pytest.mark.parametrize("mean", [0.3, 2.0, 9.5, 40.0])
def test_the_interval_of_a_count_holds_its_mean_at_least_as_often_as_promised(mean: float) -> None:
    chance = {k: exp(k * log(mean) - mean - lgamma(k + 1)) for k in range(200)}
    covered = sum(p for k, p in chance.items() if garwood(k)[0] <= mean <= garwood(k)[1])
    assert covered >= 0.95


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(ValueError, match="no count"):
        garwood(-1)


# ---- the next day


def negative_binomial(k: int, size: float, success: float) -> float:
    return exp(lgamma(k + size) - lgamma(size) - lgamma(k + 1) + size * log(success) + k * log1p(-success))


@given(st.integers(0, 60), st.integers(1, 60), st.integers(0, 600))
def test_without_overdispersion_the_tail_is_the_gamma_poisson_mixture(count: int, days: int, total: int) -> None:
    """Gamma(total + 1/2, days) mixed into Poisson: a negative binomial of that size and success days / (days + 1)."""
    below = sum(negative_binomial(k, total + 0.5, days / (days + 1)) for k in range(count))
    assert predictive_tail(count, days=days, total=total) == pytest.approx(1 - below, abs=1e-8)


def test_a_first_day_without_past_forwards() -> None:
    """By hand: after 10 days without one, P(X >= 1) = 1 - (10 / 11) ** (1 / 2)."""
    assert predictive_tail(1, days=10, total=0) == pytest.approx(1 - (10 / 11) ** 0.5)


@given(st.integers(1, 100), st.integers(0, 1000), st.floats(1, 20))
def test_tail_falls_with_the_count_and_rises_with_the_past(days: int, total: int, dispersion: float) -> None:
    tails = [predictive_tail(k, days=days, total=total, dispersion=dispersion) for k in (0, 1, 5, 20, 100, 2_000)]
    assert tails == sorted(tails, reverse=True)
    assert all(0 <= tail <= 1 for tail in tails)
    more = predictive_tail(20, days=days, total=total + 10 * days, dispersion=dispersion)
    assert more >= tails[3] - 1e-9


@given(st.integers(1, 100), st.integers(0, 1000), st.floats(1, 20), st.sampled_from([0.9, 0.95, 0.999]))
def test_the_predictive_interval_leaves_out_what_it_promises(
    days: int, total: int, dispersion: float, confidence: float
) -> None:
    low, high = predictive_interval(days=days, total=total, dispersion=dispersion, confidence=confidence)
    tail = (1 - confidence) / 2

    def beyond(count: int) -> float:
        return predictive_tail(count, days=days, total=total, dispersion=dispersion)

    assert 0 <= low <= high
    assert beyond(high + 1) <= tail < beyond(high) or high == 0
    assert 1 - beyond(low) <= tail + 1e-9


@pytest.mark.parametrize(("mean", "dispersion"), [(3.0, 1.0), (12.0, 1.0), (12.0, 4.0), (60.0, 10.0)])
def test_simulated_days_pass_the_tail_no_more_often_than_it_says(mean: float, dispersion: float) -> None:
    """Past and next day from one distribution: a tail below 1 % comes about once in a hundred times, or less often."""
    random = Random(f"{mean} {dispersion}")  # noqa: S311 - repeatable
    passed, runs, days = 0, 4_000, 14
    for _ in range(runs):
        *past, today = (drawn(random, mean, dispersion) for _ in range(days + 1))
        passed += predictive_tail(today, days=days, total=sum(past), dispersion=dispersion) < 0.01
    assert passed / runs < 0.016


def drawn(random: Random, mean: float, dispersion: float) -> int:
    """A day's count: Poisson, or the negative binomial of this mean and dispersion."""
    if dispersion > 1:
        mean = random.gammavariate(mean / (dispersion - 1), dispersion - 1)
    count, left = 0, mean - random.expovariate(1)
    while left > 0:
        count, left = count + 1, left - random.expovariate(1)
    return count


@pytest.mark.parametrize(("days", "total", "dispersion"), [(0, 1, 1), (3, -1, 1), (3, 1, 0.5)])
def test_what_are_no_counts_of_days_is_refused(days: int, total: int, dispersion: float) -> None:
    with pytest.raises(ValueError, match="no counts"):
        predictive_tail(1, days=days, total=total, dispersion=dispersion)
