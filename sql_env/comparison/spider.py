"""Spider's execution accuracy, by the rules of the official evaluator.

These are the rules of taoyds/test-suite-sql-eval e97acc5 with its default flags. Every DISTINCT is removed
from both queries before they run. Columns may have any order. Rows may have any order unless the letters
``order by`` occur anywhere in the gold query. Duplicates count, values are compared by Python's ``==``, and
any two empty results are equal. SQL-R1's reward (arXiv 2504.08600) compares in the same way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain

from sql_env.comparison.column_search import is_column_permutation
from sql_env.comparison.gold import Gold, Order
from sql_env.comparison.keys import is_equal_multiset, is_equal_set
from sql_env.types import ExecutionResult, Row

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
    if gold.ordered:
        same = is_equal_multiset(list(zip(*ours, strict=True)), list(zip(*theirs, strict=True)))
        if not same:
            return False
    else:
        same = is_equal_multiset(ours, theirs)
        if not same and len(ours[0]) == 1:
            return False
    types = set(map(type, chain.from_iterable(chain(ours, theirs))))
    if same and float not in types:
        return True  # then equal values also have the same text, and pass the official filter
    if not types.isdisjoint({float, bool}) and not _has_same_values(ours, theirs, gold.ordered):
        return False
    return same or is_column_permutation(ours, theirs)


def _has_same_values(ours: Sequence[Row], theirs: Sequence[Row], ordered: bool) -> bool:
    """Apply the official filter: after each row's values are sorted by text and type, the rows must agree."""
    if ordered:
        return all(
            _sort_values(left) == _sort_values(right) for left, right in zip(ours, theirs, strict=True)
        )
    wanted = list(map(_sort_values, theirs))
    if _sort_values(ours[0]) not in wanted:  # true of most wrong results, and cheap
        return False
    return is_equal_set(list(map(_sort_values, ours)), wanted)


def _sort_values(row: Row) -> Row:
    return row if len(row) == 1 else tuple(sorted(row, key=_make_sort_key))


def _make_sort_key(value: object) -> str:
    return f"{value}{type(value)}"
