"""Spider's execution accuracy, by the rules of the official evaluator.

These are the rules of taoyds/test-suite-sql-eval e97acc5 with its default flags. Every DISTINCT is removed
from both queries before they run. Columns may have any order. Rows may have any order unless the letters
``order by`` occur anywhere in the gold query. Duplicates count, values are compared by Python's ``==``, and
any two empty results are equal. SQL-R1's reward (arXiv 2504.08600) compares in the same way.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from sql_env.comparison.gold import Gold, Order
from sql_env.types import ExecutionResult, Row

SEARCH_BUDGET = 10_000_000
"""The maximum number of rows to compare in all tried assignments of columns. Beyond it, two results count
as different. An assignment that needs no backtracking is always found."""

_TOKENS = re.compile(
    r"""'(?:[^']|'')*+(?:'|\Z) | "(?:[^"]|"")*+(?:"|\Z) | `[^`]*+(?:`|\Z) | \[[^\]]*+(?:\]|\Z)
      | --[^\n]*+ | /\*(?:[^*]|\*(?!/))*+(?:\*/|\Z) | (?<![\w$])distinct(?![\w$])""",
    re.VERBOSE | re.IGNORECASE,
)
"""DISTINCT, and the quoted texts and comments in which it must stay. The possessive quantifiers (``*+``)
never backtrack."""

_CURRENT_YEAR = re.compile(r"YEAR\s*\(\s*CURDATE\s*\(\s*\)\s*\)\s*", re.IGNORECASE)


def remove_distinct(sql: str) -> str:
    """Rewrite a query like the official evaluator.

    Split operators such as ``> =`` are joined, the current year becomes 2020, and each DISTINCT is removed.
    """
    for split, whole in (("> =", ">="), ("< =", "<="), ("! =", "!=")):
        if split in sql:
            sql = sql.replace(split, whole)
    lowered = sql.lower()
    if "curdate" in lowered:
        sql = _CURRENT_YEAR.sub("2020", sql)
    if "distinct" not in lowered:
        return sql
    return _TOKENS.sub(lambda token: "" if token[0].lower() == "distinct" else token[0], sql)


def find_order(gold_sql: str, dialect: str) -> Order | None:
    """Return an order if the letters ``order by`` occur anywhere. Its ties are unknown."""
    return Order() if "order by" in gold_sql.lower() else None


def is_equal(result: ExecutionResult, gold: Gold) -> bool:
    """Return True if two results are equal under Spider's rules."""
    ours, theirs = result.rows, gold.result.rows
    if ours == theirs:
        return True
    if len(ours) != len(theirs) or len(ours[0]) != len(theirs[0]):
        return False
    left, right = list(zip(*ours, strict=True)), list(zip(*theirs, strict=True))
    same = Counter(left) == Counter(right) if gold.ordered else Counter(ours) == Counter(theirs)
    if same and not any(type(value) is float for row in (*ours, *theirs) for value in row):
        return True  # then equal values also have the same text, and pass the official filter
    if gold.ordered and not same:
        return False
    return _has_same_values(ours, theirs, gold.ordered) and (same or _is_column_permutation(left, right))


def _has_same_values(ours: Sequence[Row], theirs: Sequence[Row], ordered: bool) -> bool:
    """Apply the official filter: after each row's values are sorted by text and type, the rows must agree."""
    if ordered:
        return all(
            _sort_values(left) == _sort_values(right) for left, right in zip(ours, theirs, strict=True)
        )
    right = set(map(_sort_values, theirs))
    left = set()
    for row in ours:
        values = _sort_values(row)
        if values not in right:
            return False
        left.add(values)
    return len(left) == len(right)


def _sort_values(row: Row) -> Row:
    return row if len(row) == 1 else tuple(sorted(row, key=_make_sort_key))


def _make_sort_key(value: object) -> str:
    return f"{value}{type(value)}"


def _is_column_permutation(left: list[tuple[object, ...]], right: list[tuple[object, ...]]) -> bool:
    """Return True if some order of the left columns gives the right rows as a multiset.

    The search assigns one column after the other. It drops an assignment as soon as the rows of the columns
    so far differ as multisets. Identical columns are tried once, so that they do not multiply the search.
    """
    budget = max(len(right) ** 2, SEARCH_BUDGET // (len(right) * len(right[0])))

    def search(chosen: list[tuple[object, ...]], spare: Counter[tuple[object, ...]]) -> bool:
        nonlocal budget
        if len(chosen) == len(right):
            return True
        wanted = Counter(zip(*right[: len(chosen) + 1], strict=True))
        for column in list(spare):
            budget -= 1
            if budget < 0:
                return False
            trial = [*chosen, column]
            if Counter(zip(*trial, strict=True)) == wanted and search(trial, spare - Counter([column])):
                return True
        return False

    return search([], Counter(left))
