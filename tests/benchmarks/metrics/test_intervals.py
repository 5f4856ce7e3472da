from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.metrics.intervals import Interval, bootstrap_interval, compute_interval, wilson_interval

VALUES = st.lists(st.none() | st.floats(-1e6, 1e6) | st.booleans(), min_size=1, max_size=40)


@given(VALUES)
def test_holds_the_mean_and_stays_inside_the_values(values):
    found = bootstrap_interval(values, resamples=200)
    counted = [float(value) for value in values if value is not None]
    if not counted:
        assert found is None
        return
    assert found.n == len(counted)
    assert found.mean == pytest.approx(sum(counted) / len(counted), abs=1e-6)
    assert found.low <= found.mean <= found.high
    slack = 1e-9 * max(map(abs, counted))
    assert min(counted) - slack <= found.low
    assert found.high <= max(counted) + slack


@given(VALUES, st.integers(0, 9))
def test_a_seed_repeats(values, seed):
    assert bootstrap_interval(values, resamples=100, seed=seed) == bootstrap_interval(
        values, resamples=100, seed=seed
    )


@given(VALUES, st.floats(-3, 3), st.floats(0.5, 3))
def test_moves_with_the_values(values, shift, scale):
    """The interval of a + b x is a + b times that of x."""
    plain = bootstrap_interval(values, resamples=100)
    moved = bootstrap_interval([None if v is None else shift + scale * v for v in values], resamples=100)
    if plain is None:
        assert moved is None
        return
    for name in ("mean", "low", "high"):
        expected = shift + scale * getattr(plain, name)
        assert getattr(moved, name) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_no_items_and_items_that_do_not_count():
    assert bootstrap_interval([]) is None
    assert bootstrap_interval([None, None]) is None
    assert bootstrap_interval([None, True]) == Interval(1, 1.0, 1.0, 1.0)
    assert bootstrap_interval([True, None, False]) == bootstrap_interval([True, False])


def test_of_a_share_is_as_wide_as_the_normal_approximation():
    n, share = 1_000, 0.7
    found = bootstrap_interval([True] * 700 + [False] * 300)
    half = NormalDist().inv_cdf(0.975) * (share * (1 - share) / n) ** 0.5
    assert (found.low, found.high) == pytest.approx((share - half, share + half), abs=0.003)


def test_covers_the_true_mean_as_often_as_it_says():
    generator = np.random.default_rng(1)
    samples = [generator.exponential(1.0, 200) for _ in range(400)]
    found = [bootstrap_interval(list(sample), resamples=500, seed=i) for i, sample in enumerate(samples)]
    covered = sum(each.low <= 1.0 <= each.high for each in found) / len(found)
    assert 0.90 <= covered <= 0.98


def test_many_items_are_drawn_a_part_at_a_time():
    values = np.random.default_rng(2).random(30_000)
    found = bootstrap_interval(list(values), resamples=300)
    half = 1.96 * values.std() / len(values) ** 0.5
    assert (found.low, found.high) == pytest.approx((found.mean - half, found.mean + half), abs=half / 3)


VERDICTS = st.lists(st.none() | st.booleans(), max_size=400)


@given(VERDICTS)
def test_wilson_has_a_width_and_contains_the_share(verdicts):
    found = wilson_interval(verdicts)
    counted = [verdict for verdict in verdicts if verdict is not None]
    if not counted:
        assert found is None
        return
    assert (found.n, found.mean) == (len(counted), sum(counted) / len(counted))
    assert 0 <= found.low <= found.mean <= found.high <= 1
    assert found.low < found.high


@given(VERDICTS)
def test_wilson_is_symmetric(verdicts):
    found = wilson_interval(verdicts)
    other = wilson_interval([None if verdict is None else not verdict for verdict in verdicts])
    if found is not None:
        assert (other.low, other.high) == pytest.approx((1 - found.high, 1 - found.low))


def test_wilson_of_a_published_example():
    """Newcombe (1998), table I: 81 of 263, 0 of 20 and 29 of 29."""
    for right, n, low, high in ((81, 263, 0.2553, 0.3662), (0, 20, 0.0, 0.1611), (29, 29, 0.8830, 1.0)):
        found = wilson_interval([True] * right + [False] * (n - right))
        assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_a_share_has_wilsons_interval_and_another_mean_the_bootstrap():
    assert compute_interval([1.0, None, 1.0]) == wilson_interval([True, True])
    assert compute_interval([0.5, None, 1.0]) == bootstrap_interval([0.5, 1.0])
    assert compute_interval([None]) is None
    with pytest.raises(ValueError, match="True or False"):
        wilson_interval([0.5])
