"""Classify a wrong answer: one primary class of errors, and all classes that apply.

The rules compare the parses and the results of the two queries. They find the parts in which a prediction
differs from the gold query. These are the parts to look at first; a human may see another cause.
"""

import json
from collections import Counter
from dataclasses import dataclass

from benchmarks.records.item import Cell, Item, ResultPreview
from benchmarks.reports.query_features import parse_query
from benchmarks.reports.query_parts import PARTS, list_columns, normalise, normalise_with_tables

CLASSES = {
    "format": "There is no SQL: the completion does not follow its response format.",
    "limit": "The query took too many steps or too much time, or its result was too large.",
    "execution": "The query failed, or it tried to do more than read.",
    "table": "It reads other tables than the gold query.",
    "column": "It returns other columns, or more or fewer of them.",
    "aggregation": "It uses other aggregate functions, or groups by other columns.",
    "condition": "It has other conditions in WHERE or HAVING, or other set operations.",
    "join": "It joins the same tables on other columns, by another kind of join, or more or less often.",
    "order": "The rows are in another order, or ORDER BY or LIMIT differs.",
    "duplicates": "The rows are the same but occur more or less often, or only one query has DISTINCT.",
    "other": "It is wrong, and no rule above applies.",
}
"""Each class and its meaning. The first class that applies is the primary one."""

_CLASS_OF_STATUS = {
    "malformed": "format",
    "timeout": "limit",
    "too_large": "limit",
    "error": "execution",
    "denied": "execution",
}


@dataclass(frozen=True, slots=True)
class ErrorClasses:
    """The classes of an answer.

    Attributes:
        primary: The first of ``all``. If both results have the same rows, the difference between them:
            ``order`` or ``duplicates``. Empty if nothing is wrong.
        all: All classes that apply, in the order of `CLASSES`.
    """

    primary: str
    all: tuple[str, ...]


def classify_errors(item: Item) -> ErrorClasses:
    """Classify a wrong answer by the rules that `CLASSES` describes; see also `docs/reports`.

    Args:
        item: A judged answer. A right or masked answer has no class.

    Example:
        >>> fields = ["t", "db", "sqlite", "", "?", "", "SELECT a FROM t", "", "", "SELECT b FROM t"]
        >>> classify_errors(Item(0, *fields, False, "ok", "", "", 0.0, {}))
        ErrorClasses(primary='column', all=('column',))
    """
    if item.correct is not False:
        return ErrorClasses("", ())
    rows = _compare_results(item.result, item.gold_result)
    found = {_CLASS_OF_STATUS[item.status]} if item.status in _CLASS_OF_STATUS else rows
    found = found | _compare_queries(item.sql or "", item.gold_sql, item.dialect)
    ordered = tuple(name for name in CLASSES if name in found) or ("other",)
    difference = next((name for name in ("order", "duplicates") if name in rows), "")
    return ErrorClasses(difference or ordered[0], ordered)


def _compare_results(ours: ResultPreview | None, gold: ResultPreview | None) -> set[str]:
    """Return the class of the difference between two results, if all of their rows are recorded."""
    if ours is None or gold is None:
        return set()
    if len(ours.columns) != len(gold.columns):
        return {"column"}
    if len(ours.rows) < ours.row_count or len(gold.rows) < gold.row_count:
        return set()
    left, right = [_format_row(row) for row in ours.rows], [_format_row(row) for row in gold.rows]
    if left == right:
        return set()
    if Counter(left) == Counter(right):
        return {"order"}
    return {"duplicates"} if set(left) == set(right) else set()


def _format_row(row: list[Cell]) -> str:
    """Return a row as text in which 1 and 1.0 are equal."""
    return json.dumps([int(c) if isinstance(c, float) and c.is_integer() else c for c in row])


def _compare_queries(ours: str, gold: str, dialect: str) -> set[str]:
    """Return the parts in which two queries differ.

    Columns are compared by their names first. Only if nothing differs, they are compared by their tables
    and by their order too, because ``T1.id`` and ``T2.id`` are often equal by the join.
    """
    trees = parse_query(ours, dialect), parse_query(gold, dialect)
    if trees[0] is None or trees[1] is None:
        return set()
    left, right = normalise(trees[0]), normalise(trees[1])
    if found := {name for name, part in PARTS.items() if part(left) != part(right)}:
        return found
    left, right = normalise_with_tables(trees[0]), normalise_with_tables(trees[1])
    found = {name for name, part in PARTS.items() if part(left) != part(right)}
    return found or ({"column"} if list_columns(left) != list_columns(right) else set())
