"""What is wrong with a wrong answer: one primary class, and all that apply.

The rules read the two queries' parses and the two results. They say where a prediction departs from the
gold query, which is where to look first, and not what a human would call its cause.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass

from benchmarks.records.item import Cell, Item, Shown
from benchmarks.reports.query_features import parse_query
from benchmarks.reports.query_parts import PARTS, list_columns, normalise, normalise_with_tables

CLASSES = {
    "format": "There is no SQL: the completion does not follow its response format.",
    "limit": "The query took too many steps or too much time, or its result was too large.",
    "execution": "The engine refused or failed the query, or it tried to do other than read.",
    "table": "It reads other tables than the gold query.",
    "column": "It returns other columns, or more or fewer of them.",
    "aggregation": "It aggregates by other functions, or groups by other columns.",
    "condition": "It has other conditions in WHERE or HAVING, or other set operations.",
    "join": "It joins the same tables by other columns, by another kind of join, or more or less often.",
    "order": "The rows come in another order, or are ordered or cut by another rule.",
    "duplicates": "The rows are the same but for how often they occur, or only one query has DISTINCT.",
    "other": "It is wrong, and no rule above says why.",
}
"""Each class and its meaning, in the order in which the primary one is chosen."""

_ENDED = {
    "malformed": "format",
    "timeout": "limit",
    "too_large": "limit",
    "error": "execution",
    "denied": "execution",
}


@dataclass(frozen=True, slots=True)
class ErrorClasses:
    """What is wrong with an answer.

    Attributes:
        primary: The first of ``all``; but where both results hold the same rows, what tells these
            apart: ``order`` or ``duplicates``. Empty where nothing is wrong.
        all: All classes that apply, in the order of `CLASSES`.
    """

    primary: str
    all: tuple[str, ...]


def classify_errors(item: Item) -> ErrorClasses:
    """Classify a wrong answer by the rules that `CLASSES` states; `docs/reports` says more.

    Args:
        item: A judged answer. One that is right or masked has no class.

    Example:
        >>> told = ["t", "db", "sqlite", "", "?", "", "SELECT a FROM t", "", "", "SELECT b FROM t"]
        >>> errors(Item(0, *told, False, "ok", "", "", 0.0, {}))
        Errors(primary='column', all=('column',))
    """
    if item.correct is not False:
        return ErrorClasses("", ())
    rows = _rows(item.result, item.gold_result)
    found = {_ENDED[item.status]} if item.status in _ENDED else rows
    found = found | _queries(item.sql or "", item.gold_sql, item.dialect)
    ordered = tuple(name for name in CLASSES if name in found) or ("other",)
    told_apart = next((name for name in ("order", "duplicates") if name in rows), "")
    return ErrorClasses(told_apart or ordered[0], ordered)


def _rows(ours: Shown | None, gold: Shown | None) -> set[str]:
    """What tells two results apart, as far as all of their rows are shown."""
    if ours is None or gold is None:
        return set()
    if len(ours.columns) != len(gold.columns):
        return {"column"}
    if len(ours.rows) < ours.row_count or len(gold.rows) < gold.row_count:
        return set()
    left, right = [_row(row) for row in ours.rows], [_row(row) for row in gold.rows]
    if left == right:
        return set()
    if Counter(left) == Counter(right):
        return {"order"}
    return {"duplicates"} if set(left) == set(right) else set()


def _row(row: list[Cell]) -> str:
    """A row as text, in which 1 and 1.0 are the same."""
    return json.dumps([int(c) if isinstance(c, float) and c.is_integer() else c for c in row])


def _queries(ours: str, gold: str, dialect: str) -> set[str]:
    """The parts in which two queries differ.

    Columns are compared by their names, and only where nothing differs by their tables too, and by
    their order: ``T1.id`` and ``T2.id`` are often the same by the join.
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
