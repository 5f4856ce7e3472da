"""Keys of rows: equal where Python's ``==`` says so, and with hashes that no query can choose."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.metrics.accuracy import count_votes
from benchmarks.metrics.soft_f1 import compute_soft_f1
from sql_env import Scorer
from sql_env.comparison import COMPARISONS, keys, make_gold
from sql_env.comparison.keys import make_byte_keys, make_keys, make_value_key, share_hashes
from sql_env.types import ExecutionResult, Status

from .colliding import make_query, make_rows, needs_64_bits

VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([2**31, 2**53, 2**53 + 1, 2**61 - 1, 2**61, 2**63 - 1, -(2**63), 2**90, 2**90 + 1])
    | st.sampled_from([0.0, -0.0, 1.0, 1.5, 2.0**31, 2.0**53, 2.0**61, 2.0**90, 1e300, float("inf")])
    | st.sampled_from(["", "1", "a", "A", "é", "\ud800", "None"])
    | st.sampled_from([b"", b"a", b"1", b"\xff"])
)
ROWS = st.lists(VALUES, max_size=3).map(tuple)
TABLES = st.integers(1, 3).flatmap(lambda width: st.lists(st.tuples(*[VALUES] * width), max_size=6))


@given(ROWS, ROWS)
def test_rows_have_equal_keys_if_they_are_equal(left, right):
    [ours], [theirs] = make_byte_keys([left]), make_byte_keys([right])
    assert (ours == theirs) == (left == right)


@given(VALUES, VALUES)
def test_values_have_equal_keys_if_they_are_equal(left, right):
    assert (make_value_key(left) == make_value_key(right)) == (left == right)


@pytest.mark.parametrize("name", sorted(COMPARISONS))
@given(left=TABLES, right=TABLES)
def test_verdicts_are_the_same_with_bytes_as_keys(name, left, right):
    def judge():
        ours, theirs = (
            ExecutionResult(Status.OK, ("a",) * len(rows[0] if rows else "a"), tuple(rows))
            for rows in (left, right)
        )
        return COMPARISONS[name].is_equal(ours, make_gold(theirs, None))

    rows = judge()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "MAX_EQUAL_HASHES", -1)
        assert judge() == rows


@needs_64_bits
def test_a_table_made_for_its_hashes_gets_other_keys():
    rows = make_rows(20)
    assert len(set(map(hash, rows))) == 1
    [found, _] = make_keys([], rows)[::-1]
    assert len(set(map(hash, found))) == len(rows)
    multiples = [(2**61 - 1) * i for i in range(400)]
    assert len(set(map(hash, multiples))) == 1
    assert len(set(map(hash, map(make_value_key, multiples)))) == 400


def test_ordinary_tables_are_their_own_keys():
    rows = [(i, f"name {i}", i / 7) for i in range(2_000)]
    assert make_keys(rows, rows) == (rows, rows)
    assert not share_hashes(rows)


@needs_64_bits
@pytest.mark.parametrize("name", sorted(COMPARISONS))
def test_comparing_rows_of_one_hash_costs_no_more_than_other_rows(name):
    """With sets of rows, each of these takes many seconds."""
    rows = make_rows(120)
    shuffled = random.Random(0).sample(rows, len(rows))
    swapped = [(b, a, d, c) for a, b, c, d in shuffled]
    changed = [*shuffled[1:], (0, 0, 0, 0)]
    gold = make_gold(ExecutionResult(Status.OK, tuple("abcd"), tuple(rows)), None)

    def judge(table):
        return COMPARISONS[name].is_equal(ExecutionResult(Status.OK, tuple("abcd"), tuple(table)), gold)

    assert judge(shuffled)
    assert judge(swapped) == (name in {"spider", "sql-r1"})
    assert not judge(changed)


@needs_64_bits
def test_a_query_cannot_mask_itself_by_the_hashes_of_its_rows(ask):
    with Scorer({"rewards": ["result"], "response_format": "sql"}) as scorer:
        task = ask("SELECT 1, 2, 3, 4", comparison="bird")
        [score] = scorer.score([make_query(300)], [task])
    assert (score.rollout.result.status, score.rollout.correct) == (Status.OK, False)


@needs_64_bits
def test_votes_and_soft_f1_of_rows_of_one_hash():
    """With sets of rows, this takes minutes."""
    rows = make_rows(200)
    result = ExecutionResult(Status.OK, tuple("abcd"), tuple(rows))
    reverse = ExecutionResult(Status.OK, tuple("abcd"), (*rows[::-1], rows[0]))
    other = ExecutionResult(Status.OK, tuple("abcd"), tuple(rows[1:]))
    assert count_votes([result, reverse, other, None]) == [2, 2, 1, 0]
    assert compute_soft_f1(rows + rows[::-1], rows) == 1.0


def test_soft_f1_of_wide_rows_of_one_hash():
    row = tuple((2**61 - 1) * i for i in range(20_000))
    assert compute_soft_f1([row], [row[::-1]]) == 1.0
    assert compute_soft_f1([row], [tuple(-value for value in row[1:])]) == 0.0
