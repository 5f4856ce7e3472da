"""Rows are counted while they are fetched."""

import math
from decimal import Decimal
from marshal import dumps

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sql_env import Limits, Status
from sql_env.execution.engines.duckdb.rows import fetch_rows, to_value
from sql_env.execution.engines.stop_query import StopQuery


class Cursor:
    """Rows one by one."""

    def __init__(self, rows):
        self.rows = iter(rows)
        self.fetched = 0

    def fetchone(self):
        self.fetched += 1
        return next(self.rows, None)


def test_values_that_grow_suddenly_are_not_fetched_together():
    cursor = Cursor([("x",)] * 300 + [("x" * 400,)] * 300)
    with pytest.raises(StopQuery) as stop:
        fetch_rows(cursor, ["a"], Limits(max_bytes=10_000))
    assert stop.value.status is Status.TOO_LARGE
    assert cursor.fetched <= 300 + 10_000 // 400


def test_a_long_value_is_not_copied_to_count_it(monkeypatch):
    monkeypatch.setattr("sql_env.execution.engines.duckdb.rows.dumps", None)
    with pytest.raises(StopQuery, match="bytes"):
        fetch_rows(Cursor([(b"x" * 6_000, "y" * 600)]), ["a", "b"], Limits(max_bytes=1_000))


def test_names_of_columns_count():
    assert fetch_rows(Cursor([]), ["x" * 99], Limits(max_bytes=100)) == ()
    with pytest.raises(StopQuery, match="bytes"):
        fetch_rows(Cursor([]), ["x" * 99] * 2, Limits(max_bytes=100))


@given(st.lists(st.tuples(st.integers(), st.text(), st.none() | st.binary())), st.integers(1, 2_000))
def test_a_result_is_whole_or_too_large(rows, max_bytes):
    limits = Limits(max_bytes=max_bytes, max_rows=20)
    cursor = Cursor(rows)
    sizes = [8 * len(row) + len(dumps(row, 2)) for row in rows]
    if len(rows) > 20 or sum(sizes) > max_bytes:
        with pytest.raises(StopQuery, match="more than"):
            fetch_rows(cursor, [], limits)
    else:
        assert fetch_rows(cursor, [], limits) == tuple(rows)
    assert cursor.fetched <= 21


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (True, 1),
        (Decimal("2.50"), 2.5),
        (Decimal("3.00"), 3),
        (math.nan, None),
        (bytearray(b"x"), b"x"),
        (None, None),
    ],
)
def test_values(value, plain):
    assert (to_value(value), type(to_value(value))) == (plain, type(plain))
