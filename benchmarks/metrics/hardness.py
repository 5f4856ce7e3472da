"""Classify queries by Spider's hardness, from the parse of the gold query.

Rules of the official evaluator (taoyds/test-suite-sql-eval e97acc5; Yu et al. 2018). Only the
outermost query is counted.
"""

from collections.abc import Iterable
from itertools import chain

from benchmarks.metrics.spider_sql import Query

LEVELS = ("easy", "medium", "hard", "extra")

_EASIEST_FIRST = (*LEVELS, "simple", "moderate", "challenging", "complex", "highly complex")


def sort_easiest_first(levels: Iterable[str]) -> list[str]:
    """Sort difficulties of Spider, BIRD and SynSQL, easiest first; others follow in their order."""
    order = {level: place for place, level in enumerate(_EASIEST_FIRST)}
    return sorted(levels, key=lambda level: order.get(level, len(order)))


def classify_hardness(query: Query) -> str:
    """Return the class of a query: ``easy``, ``medium``, ``hard`` or ``extra``.

    Args:
        query: The parse of `benchmarks.metrics.spider_sql.parse`.
    """
    clauses, nested, others = _count_clauses(query), _count_nested(query), _count_others(query)
    if clauses <= 1 and not others and not nested:
        return "easy"
    if not nested and ((others <= 2 and clauses <= 1) or (clauses <= 2 and others < 2)):
        return "medium"
    if (
        (others > 2 and clauses <= 2 and not nested)
        or (2 < clauses <= 3 and others <= 2 and not nested)
        or (clauses <= 1 and not others and nested <= 1)
    ):
        return "hard"
    return "extra"


def _count_clauses(query: Query) -> int:
    """Count the official component 1: clauses, joins, ``or`` and LIKE."""
    present = sum(map(bool, (query.where, query.group_by, query.direction, query.limit)))
    joins = max(0, len(query.tables) - 1)
    ors = sum(conditions.connectives.count("or") for conditions in query.conditions)
    return present + joins + ors + sum(unit.operator == "like" for unit in query.units)


def _count_nested(query: Query) -> int:
    """Count the official component 2: nested queries and set operations."""
    values = chain.from_iterable((unit.value, unit.upper) for unit in query.units)
    return sum(isinstance(value, Query) for value in values) + bool(query.operation)


def _count_others(query: Query) -> int:
    """Count which of aggregates, columns, conditions and groups occur more than once.

    A connective counts as a condition.
    """
    conditions = len(query.where.units) + len(query.where.connectives)
    many = (_count_aggregates(query), len(query.items), conditions, len(query.group_by))
    return sum(count > 1 for count in many)


def _count_aggregates(query: Query) -> int:
    """Count aggregates as the official evaluator does.

    It reads the first element of every unit. In a condition this is its negation, in a connective its first
    letter. So these count too: the connectives of HAVING, but not of WHERE.
    """
    ordered = chain.from_iterable(term.columns for term in query.order_by)
    columns = sum(bool(column.aggregate) for column in (*query.group_by, *ordered))
    aggregates = sum(bool(item.aggregate) for item in query.items) + columns
    negations = sum(unit.negated for unit in (*query.where.units, *query.having.units))
    return aggregates + negations + len(query.having.connectives)
