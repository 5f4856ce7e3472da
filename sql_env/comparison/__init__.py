"""Comparisons: named semantics under which two results are equal.

Each task names its comparison, so that benchmarks differ by data and not by code. To add one, write a file
like `strict` and add a line to `COMPARISONS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sql_env.comparison import bird, spider, strict
from sql_env.comparison.gold import Gold, Order, make_gold, unpack_gold
from sql_env.errors import ComparisonError
from sql_env.types import ExecutionResult

__all__ = ["COMPARISONS", "Comparison", "Gold", "Order", "get_comparison", "make_gold", "unpack_gold"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A rule that decides if a prediction is correct.

    Attributes:
        name: The name that tasks use.
        is_equal: (result, gold) -> True if they are equal. Both results are ``ok``.
        prepare: The SQL of a prediction -> the SQL that runs. By default it is unchanged.
        prepare_gold: The SQL of a gold query -> the SQL that runs.
        find_order: (prepared gold SQL, dialect) -> how it orders its rows; None if it does not.
    """

    name: str
    is_equal: Callable[[ExecutionResult, Gold], bool]
    prepare: Callable[[str], str] = str
    prepare_gold: Callable[[str], str] = str
    find_order: Callable[[str, str], Order | None] = field(default=lambda sql, dialect: None)


_SPIDER = (spider.is_equal, spider.remove_distinct, spider.remove_distinct, spider.find_order)

COMPARISONS = {
    comparison.name: comparison
    for comparison in (
        Comparison("strict", strict.is_equal, find_order=strict.find_order),
        Comparison("bird", bird.is_equal),
        Comparison("spider", *_SPIDER),
        Comparison("sql-r1", *_SPIDER),
    )
}
"""Every comparison by name. docs/rewards describes their rules and the reasons."""


def get_comparison(name: str) -> Comparison:
    """Return the comparison of this name.

    Raises:
        ComparisonError: No comparison has this name.
    """
    if name not in COMPARISONS:
        from sql_env.plugins import suggest  # imports the search for plug-ins, which workers do not need

        raise ComparisonError(f"no comparison is called {name!r}.{suggest(name, list(COMPARISONS))}")
    return COMPARISONS[name]
