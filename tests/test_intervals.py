"""The Jeffreys interval against published values, and against what makes it an interval."""

from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.intervals import beta_cdf, beta_quantile, jeffreys

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
