"""Spider's hardness classes, from the parse of the gold query that Spider's files carry.

Rules of the official evaluator (taoyds/test-suite-sql-eval e97acc5; Yu et al. 2018). Only the
outermost query is counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any

LEVELS = ("easy", "medium", "hard", "extra")

_LIKE = 9  # place of LIKE in the parse's list of condition operators


def hardness(parse: Mapping[str, Any]) -> str:
    """The class of a query.

    Args:
        parse: What the field ``sql`` of an item of ``dev.json`` holds.
    """
    clauses, nested, others = _clauses(parse), _nested(parse), _others(parse)
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


def _conditions(parse: Mapping[str, Any]) -> list[list[Any]]:
    """The lists of conditions; connectives stand at their odd places."""
    return [parse["from"]["conds"], parse["where"], parse["having"]]


def _units(parse: Mapping[str, Any]) -> list[Any]:
    return list(chain.from_iterable(conditions[::2] for conditions in _conditions(parse)))


def _clauses(parse: Mapping[str, Any]) -> int:
    """The official component 1: clauses, joins, ``or`` and LIKE."""
    present = sum(bool(parse[clause]) for clause in ("where", "groupBy", "orderBy"))
    joins = max(0, len(parse["from"]["table_units"]) - 1)
    ors = sum(bool(mark == "or") for conditions in _conditions(parse) for mark in conditions[1::2])
    likes = sum(bool(unit[1] == _LIKE) for unit in _units(parse))
    return present + (parse["limit"] is not None) + joins + ors + likes


def _nested(parse: Mapping[str, Any]) -> int:
    """The official component 2: nested queries and set operations."""
    values = sum(isinstance(value, dict) for unit in _units(parse) for value in unit[3:5])
    return values + sum(bool(parse[operation]) for operation in ("intersect", "except", "union"))


def _others(parse: Mapping[str, Any]) -> int:
    """How many of these there are more than one of: aggregates, columns, conditions, groups."""
    columns = parse["select"][1]
    many = (_aggregates(parse), len(columns), len(parse["where"]), len(parse["groupBy"]))
    return sum(count > 1 for count in many)


def _aggregates(parse: Mapping[str, Any]) -> int:
    """Aggregates as the official evaluator counts them.

    It looks at the first element of every unit. That of a condition is its negation, and that of a
    connective its first letter, so these count too.
    """
    ordered = [unit for term in parse["orderBy"][1:2] for value in term for unit in value[1:3] if unit]
    units = chain(parse["select"][1], parse["where"][::2], parse["groupBy"], ordered, parse["having"])
    return sum(unit[0] != 0 for unit in units)
