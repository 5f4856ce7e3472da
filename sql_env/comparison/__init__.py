"""When two results are equal: named semantics, each a small object of plain functions.

A task names its semantics, so that benchmarks differ by data and not by code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sql_env.comparison import bird, spider, strict
from sql_env.comparison.gold import Gold, Order, make_gold, unpack_gold
from sql_env.errors import ComparisonError
from sql_env.types import ExecutionResult

__all__ = ["COMPARISONS", "Comparison", "Gold", "Order", "get_comparison", "make_gold", "unpack_gold"]


def _as_it_is(sql: str) -> str:
    return sql


def _unordered(sql: str, dialect: str) -> Order | None:
    return None


def _parsed(sql: str, dialect: str) -> Order | None:
    if "order" not in sql.lower():
        return None
    from sql_env.comparison.ordering import order_of  # the parser takes long to import

    return order_of(sql, dialect)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One way to tell whether a prediction is right.

    Attributes:
        name: The name by which tasks refer to it.
        equal: (result, gold) -> whether they are equal. Both results are ``ok``.
        prepare: The prediction's SQL -> the SQL that is run in its place.
        prepare_gold: The same for the gold query.
        order: (prepared gold SQL, dialect) -> how it orders its rows; None where it does not.
    """

    name: str
    equal: Callable[[ExecutionResult, Gold], bool]
    prepare: Callable[[str], str] = _as_it_is
    prepare_gold: Callable[[str], str] = _as_it_is
    order: Callable[[str, str], Order | None] = _unordered


COMPARISONS = {
    c.name: c
    for c in (
        Comparison("strict", strict.equal, order=_parsed),
        Comparison("bird", bird.equal),
        Comparison("spider", spider.equal, spider.without_distinct, spider.without_distinct, spider.order_of),
        Comparison("sql-r1", spider.equal, spider.without_distinct, spider.without_distinct, spider.order_of),
    )
}
"""Every comparison by name; docs/rewards says what each counts and why."""


def get_comparison(name: str) -> Comparison:
    """The comparison of this name.

    Raises:
        ComparisonError: There is none.
    """
    if name not in COMPARISONS:
        from sql_env.plugins import suggest  # looks for plug-ins, of which a worker needs none

        raise ComparisonError(f"no comparison is called {name!r}.{suggest(name, list(COMPARISONS))}")
    return COMPARISONS[name]
