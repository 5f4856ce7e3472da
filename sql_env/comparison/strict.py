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

from sql_env.comparison.gold import Gold, Order
from sql_env.comparison.keys import make_keys
from sql_env.comparison.pairing import pair_rows
from sql_env.types import ExecutionResult, Row


def is_equal(result: ExecutionResult, gold: Gold) -> bool:
    """Return True if two results are equal under the strict rules."""
    if len(result.columns) != len(gold.result.columns) or len(result.rows) != len(gold.result.rows):
        return False
    if result.rows == gold.result.rows:
        return True
    if gold.blocks is None:
        return is_same_multiset(result.rows, gold.result.rows)
    start = 0
    for size in gold.blocks:
        ours, theirs = (rows[start : start + size] for rows in (result.rows, gold.result.rows))
        if ours != theirs and not is_same_multiset(ours, theirs):
            return False
        start += size
    return True


def find_order(sql: str, dialect: str) -> Order | None:
    """Return how a gold query orders its rows; see `sql_env.comparison.ordering.parse_order`."""
    if "order" not in sql.lower():
        return None
    from sql_env.comparison.ordering import parse_order  # sqlglot is slow to import

    return parse_order(sql, dialect)


def is_same_multiset(left: Sequence[Row], right: Sequence[Row]) -> bool:
    """Return True if the rows of two equally long tables can be paired within the tolerance.

    Identical rows are paired first. `sql_env.comparison.pairing` pairs the others.
    """
    rest, wanted = _remove_common(left, right)
    if not rest:
        return True
    types = [set(map(type, column)) for column in zip(*rest, *wanted, strict=True)]
    floats = [place for place, kinds in enumerate(types) if float in kinds]
    return bool(floats) and pair_rows(rest, wanted, floats)


def _remove_common(left: Sequence[Row], right: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Return the rows of each table without an equal row in the other one."""
    ours, theirs = make_keys(left, right)
    spare = Counter(theirs)
    rest = []
    for key, row in zip(ours, left, strict=True):
        if spare[key] > 0:
            spare[key] -= 1
        else:
            rest.append(row)
    wanted = []
    if rest:
        for key, row in zip(theirs, right, strict=True):
            if spare[key] > 0:
                spare[key] -= 1
                wanted.append(row)
    return rest, wanted
