"""Our own semantics: the same table, as far as the gold query pins it down.

Rows are a bag, so duplicates count. Columns count by place, whatever their names. Order counts
where the gold's outermost ORDER BY says so, and rows that tie under it may change places. Numbers
are equal within a relative 1e-9 where either is a float and not both are whole; numbers, text, blobs
and NULL never equal each other, and NULL equals NULL. Two empty results are equal if they are equally
wide.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from math import isclose

from sql_env.comparison.gold import Gold
from sql_env.types import ExecutionResult, Row, Value

TOLERANCE = 1e-9
"""Relative; and absolute about zero. A sum of doubles in another order differs by far less."""

_COUNTABLE = 2**53
"""Below it doubles tell all whole numbers apart."""


def equal(result: ExecutionResult, gold: Gold) -> bool:
    """Whether two results are equal under the strict semantics."""
    if len(result.columns) != len(gold.result.columns) or len(result.rows) != len(gold.result.rows):
        return False
    if result.rows == gold.result.rows:
        return True
    if gold.blocks is None:
        return same_bag(result.rows, gold.result.rows)
    ours, theirs = iter(result.rows), iter(gold.result.rows)
    return all(same_bag(list(islice(ours, n)), list(islice(theirs, n))) for n in gold.blocks)


def same_bag(left: Sequence[Row], right: Sequence[Row]) -> bool:
    """Whether the rows of two equally long tables can be paired off within the tolerance.

    Identical rows are paired first. The rest is put in order, by the columns that hold no float
    and then by those that do, and paired in that order.
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
    rest.sort(key=lambda row: [_rank(row[c]) for c in places])
    wanted.sort(key=lambda row: [_rank(row[c]) for c in places])
    return all(_same_row(a, b) for a, b in zip(rest, wanted, strict=True))


def _same_row(left: Row, right: Row) -> bool:
    return all(map(_same_value, left, right))


def _same_value(left: Value, right: Value) -> bool:
    if not (isinstance(left, float) or isinstance(right, float)):
        return left == right
    if not (isinstance(left, int | float) and isinstance(right, int | float)):
        return False
    if _whole(left) and _whole(right):  # telephone numbers, say, in a column of doubles: no noise there
        return left == right
    return isclose(left, right, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def _whole(number: float) -> bool:
    return abs(number) < _COUNTABLE and number == int(number)


def _rank(value: Value) -> tuple[int, float | int | str | bytes]:
    """A key that puts any two values in order: NULL, numbers, text, blobs."""
    if value is None:
        return (0, 0)
    if isinstance(value, int | float):
        return (1, value)
    return (2, value) if isinstance(value, str) else (3, value)
