"""Spider's execution accuracy, by the rules of the official evaluator.

Rules of taoyds/test-suite-sql-eval e97acc5 with its default flags. Both queries lose every DISTINCT
before they run. Then columns may come in any order, rows in any order unless the letters ``order
by`` occur anywhere in the gold query, duplicates count, values are equal as Python has it, and any
two empty results are equal. SQL-R1's reward (arXiv 2504.08600) compares in the same way.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from sql_env.comparison.gold import Gold, Order
from sql_env.types import ExecutionResult, Row

SEARCH_BUDGET = 10_000_000
"""Rows that are looked at, over all assignments of columns that are tried, before two results count as
different. An assignment that needs no second thought is always found."""

_PIECES = re.compile(
    r"""'(?:[^']|'')*+(?:'|\Z) | "(?:[^"]|"")*+(?:"|\Z) | `[^`]*+(?:`|\Z) | \[[^\]]*+(?:\]|\Z)
      | --[^\n]*+ | /\*(?:[^*]|\*(?!/))*+(?:\*/|\Z) | (?<![\w$])distinct(?![\w$])""",
    re.VERBOSE | re.IGNORECASE,
)
"""Quoted text and comments, so as to step over them, and DISTINCT. Never backtracks."""

_CURRENT_YEAR = re.compile(r"YEAR\s*\(\s*CURDATE\s*\(\s*\)\s*\)\s*", re.IGNORECASE)


def without_distinct(sql: str) -> str:
    """The query as both sides of an official comparison run it: operators joined, DISTINCT gone."""
    for split, whole in (("> =", ">="), ("< =", "<="), ("! =", "!=")):
        if split in sql:
            sql = sql.replace(split, whole)
    lowered = sql.lower()
    if "curdate" in lowered:
        sql = _CURRENT_YEAR.sub("2020", sql)
    if "distinct" not in lowered:
        return sql
    return _PIECES.sub(lambda piece: "" if piece[0].lower() == "distinct" else piece[0], sql)


def order_of(gold_sql: str, dialect: str) -> Order | None:
    """Order counts if the letters ``order by`` occur anywhere; ties are not known."""
    return Order() if "order by" in gold_sql.lower() else None


def equal(result: ExecutionResult, gold: Gold) -> bool:
    """Whether two results are equal under Spider's semantics."""
    ours, theirs = result.rows, gold.result.rows
    if ours == theirs:
        return True
    if len(ours) != len(theirs) or len(ours[0]) != len(theirs[0]):
        return False
    left, right = list(zip(*ours, strict=True)), list(zip(*theirs, strict=True))
    same = Counter(left) == Counter(right) if gold.ordered else Counter(ours) == Counter(theirs)
    if same and not any(type(value) is float for row in (*ours, *theirs) for value in row):
        return True  # equal values have the same type and so the same text: the filter lets them pass
    if gold.ordered and not same:
        return False
    return _same_values(ours, theirs, gold.ordered) and (same or _permutes(left, right))


def _same_values(ours: Sequence[Row], theirs: Sequence[Row], ordered: bool) -> bool:
    """The official filter: rows with their values sorted by text and type must already agree."""
    if ordered:
        return all(_sorted(left) == _sorted(right) for left, right in zip(ours, theirs, strict=True))
    right = set(map(_sorted, theirs))
    left = set()
    for row in ours:
        values = _sorted(row)
        if values not in right:
            return False
        left.add(values)
    return len(left) == len(right)


def _sorted(row: Row) -> Row:
    return row if len(row) == 1 else tuple(sorted(row, key=_text))


def _text(value: object) -> str:
    return f"{value}{type(value)}"


def _permutes(left: list[tuple[object, ...]], right: list[tuple[object, ...]]) -> bool:
    """Whether some order of the columns on the left gives the rows on the right, as bags.

    Columns are assigned one by one; an assignment is dropped as soon as the rows so far differ as
    bags. Identical columns are tried once, so that they do not multiply the search.
    """
    budget = max(len(right) ** 2, SEARCH_BUDGET // (len(right) * len(right[0])))

    def assign(chosen: list[tuple[object, ...]], spare: Counter[tuple[object, ...]]) -> bool:
        nonlocal budget
        if len(chosen) == len(right):
            return True
        wanted = Counter(zip(*right[: len(chosen) + 1], strict=True))
        for column in list(spare):
            budget -= 1
            if budget < 0:
                return False
            trial = [*chosen, column]
            if Counter(zip(*trial, strict=True)) == wanted:
                rest = spare - Counter([column])
                if assign(trial, rest):
                    return True
        return False

    return assign([], Counter(left))
