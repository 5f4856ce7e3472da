from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.metrics.intervals import bootstrap_interval
from benchmarks.metrics.paired import McNemar, bootstrap_difference, mcnemar

VERDICT = st.none() | st.booleans()
PAIRS = st.lists(st.tuples(VERDICT, VERDICT), max_size=30)
NUMBER = st.none() | st.floats(-100, 100)


@given(PAIRS)
def test_counts_where_both_tell(pairs):
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    found = mcnemar(first, second)
    assert found.n == sum(None not in pair for pair in pairs)
    assert (found.gained, found.lost) == (pairs.count((False, True)), pairs.count((True, False)))
    assert 0 < found.p_value <= 1
    swapped = mcnemar(second, first)
    assert swapped == McNemar(found.n, found.lost, found.gained, found.p_value)


@pytest.mark.parametrize("flips", range(9))
def test_p_value_by_trying_all_ways(flips):
    """The share of all ways in which the flips can go that are as lopsided as this one, or more so."""
    for gained in range(flips + 1):
        ways = list(product([0, 1], repeat=flips))
        gap = abs(2 * gained - flips)
        expected = sum(abs(2 * sum(way) - flips) >= gap for way in ways) / len(ways)
        first, second = (
            [False] * gained + [True] * (flips - gained),
            [True] * gained + [False] * (flips - gained),
        )
        assert mcnemar(first, second).p_value == pytest.approx(expected)


def test_p_values_known_from_tables():
    assert mcnemar([True] * 5 + [False] * 15, [False] * 5 + [True] * 15).p_value == pytest.approx(
        0.0414, abs=5e-5
    )
    assert mcnemar([], []) == McNemar(0, 0, 0, 1.0)
    assert mcnemar([True, None], [True, False]) == McNemar(1, 0, 0, 1.0)


def test_many_flips():
    found = mcnemar([False] * 20_000 + [True] * 10_000, [True] * 20_000 + [False] * 10_000)
    assert found.p_value == 0.0  # below what a float can say
    assert mcnemar([False] * 20_000, [True] * 10_000 + [False] * 10_000).gained == 10_000


@given(st.lists(st.tuples(NUMBER, NUMBER), max_size=30), st.integers(0, 5))
def test_difference_is_symmetric_and_repeats(pairs, seed):
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    found = bootstrap_difference(first, second, resamples=200, seed=seed)
    assert found == bootstrap_difference(first, second, resamples=200, seed=seed)
    swapped = bootstrap_difference(second, first, resamples=200, seed=seed)
    if found is None:
        assert swapped is None
        assert not any(None not in pair for pair in pairs)
        return
    assert found.n == swapped.n == sum(None not in pair for pair in pairs)
    assert found.low <= found.mean <= found.high
    assert (swapped.mean, swapped.low, swapped.high) == pytest.approx(
        (-found.mean, -found.high, -found.low), abs=1e-9
    )


def test_difference_from_nothing_is_the_interval_itself():
    values = [True, False, None, True, True]
    assert bootstrap_difference([0] * 5, values) == bootstrap_interval(values)


def test_a_pair_is_surer_than_its_halves():
    """What is hard for both falls out: each run alone is unsure, their difference is not."""
    first = [i % 2 for i in range(200)]
    second = [value + 0.01 * (i % 5) for i, value in enumerate(first)]
    found, alone = bootstrap_difference(first, second), bootstrap_interval(first)
    assert found.low > 0
    assert found.high - found.low < (alone.high - alone.low) / 10


def test_runs_on_other_items():
    for compare in (mcnemar, bootstrap_difference):
        with pytest.raises(ValueError, match="zip"):
            compare([True], [True, False])
