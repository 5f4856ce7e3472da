"""Rows that differ in the last digits of their floats are paired if a pairing exists."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sql_env.comparison import pairing
from sql_env.comparison.pairing import PAIRING_BUDGET, _is_near
from sql_env.comparison.strict import is_same_multiset

NOISY = 0.1 + 0.2
VALUES = st.sampled_from(
    [0.3, NOISY, 0.3 + 5e-10, 0.3 + 1.2e-9, 1, 2.0, 1.5, None, "a", 6e9, 6e9 + 1e-6, 10**400]
)


def has_pairing(left, right):
    return len(left) == len(right) and any(
        all(_is_near(row, other, range(len(row))) for row, other in zip(left, order, strict=True))
        for order in itertools.permutations(right)
    )


@given(
    st.integers(1, 3).flatmap(
        lambda width: st.integers(1, 5).flatmap(
            lambda size: st.tuples(
                *[st.lists(st.tuples(*[VALUES] * width), min_size=size, max_size=size)] * 2
            )
        )
    ),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_finds_a_pairing_if_there_is_one(tables, alike, random):
    left, right = tables
    if alike:  # the same rows with other noise, in another order
        right = [tuple(random.choice([0.3, NOISY]) if v in (0.3, NOISY) else v for v in row) for row in left]
        random.shuffle(right)
        assert is_same_multiset(left, right)
    # Identical rows are paired first. Where closeness is not transitive, that can lose a pairing.
    if is_same_multiset(left, right):
        assert has_pairing(left, right)
    elif not set(left) & set(right):
        assert not has_pairing(left, right)


def test_noise_in_one_column_does_not_decide_the_pairs():
    gold = [(NOISY, 5.0), (0.3, 3.0)]
    assert is_same_multiset([(0.3, 5.0), (NOISY, 3.0)], gold)
    assert not is_same_multiset([(0.3, 5.0), (NOISY, 3.1)], gold)


def test_a_large_table_with_noise_in_each_column():
    shuffle = random.Random(0)
    rows = [(i // 3 / 7, -i / 3, "name", i % 5 / 11) for i in range(3_000)]
    noisy = [
        tuple(v * (1 + shuffle.choice([0, 1, -1]) * 2e-16) if v != "name" else v for v in row) for row in rows
    ]
    shuffle.shuffle(noisy)
    assert is_same_multiset(noisy, rows)
    assert not is_same_multiset([(noisy[0][0] + 1e-6, *noisy[0][1:]), *noisy[1:]], rows)


def test_beyond_the_budget_the_sorted_order_decides(monkeypatch):
    """A chain of near values in two columns: no division helps, and the sorted order pairs badly."""
    size = 40
    rows = [(1 + i * 0.9e-9, 1 + (size - i) * 0.9e-9) for i in range(size)]
    other = [(x + (-1) ** i * 0.6e-9, y) for i, (x, y) in enumerate(rows)]
    found = is_same_multiset(other, rows)
    assert found == has_perfect_matching(other, rows)
    monkeypatch.setattr(pairing, "PAIRING_BUDGET", 10)
    assert is_same_multiset(rows[::-1], rows)
    assert size * size * 2 < PAIRING_BUDGET


def has_perfect_matching(left, right):
    """Kuhn's algorithm, once more."""
    partner = {}

    def add(row, seen):
        for place, other in enumerate(right):
            if place not in seen and _is_near(left[row], other, range(2)):
                seen.add(place)
                if place not in partner or add(partner[place], seen):
                    partner[place] = row
                    return True
        return False

    return all(add(row, set()) for row in range(len(left)))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((10**400, 0.5), (10**400, 0.5 + 1e-12)),
        ((float("inf"), 0.5), (float("inf"), 0.5 + 1e-12)),
        ((-(10**400), float("-inf"), 1.5, "\ud800"), (-(10**400), float("-inf"), 1.5 + 1e-12, "\ud800")),
    ],
)
def test_numbers_beyond_doubles(left, right):
    assert is_same_multiset([left], [right])
    assert is_same_multiset([left, right], [right, right])
    assert not is_same_multiset([left], [tuple(2.5 if v == left[0] else v for v in right)])


def test_nan_raises_nothing():
    rows = [(float("nan"), 1.5), (float("nan"), 2.5), (0.5, float("nan"))]
    assert not is_same_multiset(rows, [(float("nan"), 1.5), (float("nan"), 2.5), (0.6, float("nan"))])
