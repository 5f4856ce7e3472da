"""The strict comparison: two results are equal if they are the same table, in all that the gold query fixes.

Rows are a multiset, so duplicates count. Columns are compared by position, and their names do not count.
Order counts if the outermost ORDER BY of the gold query fixes it; rows that tie under it may change places.
Numbers are equal within a relative 1e-9 if one of them is a float and they are not both whole numbers.
Numbers, text, blobs and NULL never equal each other, and NULL equals NULL. Two empty results are equal if
they have the same number of columns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from math import isclose

from sql_env.comparison.gold import Gold, Order
from sql_env.types import ExecutionResult, Row, Value

TOLERANCE = 1e-9
"""Relative, and absolute near zero. The sum of doubles in another order differs much less."""

_MAX_EXACT = 2**53
"""Doubles represent all whole numbers below it exactly."""


def is_equal(result: ExecutionResult, gold: Gold) -> bool:
    """Return True if two results are equal under the strict rules."""
    if len(result.columns) != len(gold.result.columns) or len(result.rows) != len(gold.result.rows):
        return False
    if result.rows == gold.result.rows:
        return True
    if gold.blocks is None:
        return is_same_multiset(result.rows, gold.result.rows)
    ours, theirs = iter(result.rows), iter(gold.result.rows)
    return all(is_same_multiset(list(islice(ours, n)), list(islice(theirs, n))) for n in gold.blocks)


def find_order(sql: str, dialect: str) -> Order | None:
    """Return how a gold query orders its rows; see `sql_env.comparison.ordering.parse_order`."""
    if "order" not in sql.lower():
        return None
    from sql_env.comparison.ordering import parse_order  # sqlglot is slow to import

    return parse_order(sql, dialect)


def is_same_multiset(left: Sequence[Row], right: Sequence[Row]) -> bool:
    """Return True if the rows of two equally long tables can be paired within the tolerance.

    Identical rows are paired first. The other rows are sorted, by the columns without floats and then by
    those with floats, and paired in this order.
    """
    extra, missing = Counter(left), Counter(right)
    common = extra & missing
    rest, wanted = list((extra - common).elements()), list((missing - common).elements())
    if not rest:
        return True
    floats = [any(isinstance(row[c], float) for row in (*rest, *wanted)) for c in range(len(rest[0]))]
    if not any(floats):
        return False
    places = sorted(range(len(floats)), key=lambda c: floats[c])
    rest.sort(key=lambda row: [_make_sort_key(row[c]) for c in places])
    wanted.sort(key=lambda row: [_make_sort_key(row[c]) for c in places])
    pairs = zip(rest, wanted, strict=True)
    return all(_is_same_value(*values) for rows in pairs for values in zip(*rows, strict=True))


def _is_same_value(left: Value, right: Value) -> bool:
    if not (isinstance(left, float) or isinstance(right, float)):
        return left == right
    if not (isinstance(left, int | float) and isinstance(right, int | float)):
        return False
    if all(abs(number) < _MAX_EXACT and number == int(number) for number in (left, right)):
        return left == right  # whole numbers, for example telephone numbers in a column of doubles
    return isclose(left, right, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def _make_sort_key(value: Value) -> tuple[int, float | int | str | bytes]:
    """Return a key that sorts values of all types: NULL, numbers, text, blobs."""
    if value is None:
        return (0, 0)
    if isinstance(value, int | float):
        return (1, value)
    return (2, value) if isinstance(value, str) else (3, value)
