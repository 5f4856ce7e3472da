"""Exact set match: whether two queries say the same, clause by clause, values aside.

Rules of the official evaluator (taoyds/test-suite-sql-eval e97acc5; Yu et al. 2018).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

from benchmarks.metrics.spider_sql import Catalog, Column, Condition, Conditions, Names, Query, Term, parse
from sql_env.errors import TaskError
from sql_env.types import Benchmark, Task

Parts: TypeAlias = tuple[object, ...]
"""What is compared of a query: equal where the queries match."""


def is_exact_match(prediction: str, gold: str, names: Names) -> bool | None:
    """Whether a prediction matches the gold query.

    Both are parsed by Spider's grammar. Compared are the items of SELECT and the conditions of WHERE
    (in any order), the connectives of WHERE (which occur), GROUP BY with HAVING, ORDER BY with its
    direction, whether there is a LIMIT, the tables of FROM (in any order), some keywords, and what
    set operations add, in the same way. Ignored are values, DISTINCT, the conditions of joins, and
    which column of a foreign key is named. Queries nested in conditions are equal word by word but
    for their values; those in FROM with them.

    Args:
        prediction: Any text. What is outside the grammar matches nothing.
        gold: The gold query.
        names: The names of the database; see `benchmarks.metrics.spider_sql.Catalog`.

    Returns:
        The verdict; None where the gold query is outside the grammar, and nobody can tell.
    """
    theirs = parse(gold, names)
    return None if theirs is None else _matches(prediction, _parts(theirs, names), names)


class ExactMatch:
    """Exact set match over a benchmark, each gold query parsed once.

    Args:
        benchmark: What is measured.

    Raises:
        DataError: A ``tables.json`` is malformed.
        DatabaseError: A database can be read neither there nor itself.

    Example:
        >>> from benchmarks.demo import demo
        >>> test = demo(split="test")
        >>> match = ExactMatch(test)
        >>> match(test.tasks[0], test.tasks[0].gold_sql), match(test.tasks[0], "SELECT 1")
        (1.0, 0.0)
    """

    def __init__(self, benchmark: Benchmark) -> None:
        catalog = Catalog()
        self._golds: dict[str, tuple[Parts | None, Names]] = {}
        for task in benchmark.tasks:
            names = catalog(task)
            gold = parse(task.gold_sql, names)
            self._golds[task.id] = (None if gold is None else _parts(gold, names), names)

    def __call__(self, task: Task, sql: str) -> float | None:
        """1.0 where a prediction matches the task's gold query, else 0.0.

        None where the gold query is outside Spider's grammar: the item belongs in no average. The
        SQL is read as it is; `benchmarks.loading.predictions.read_predictions` has already put ``1`` for
        ``value`` where a file of predictions asks for that.

        Raises:
            TaskError: The task is not of this benchmark.
        """
        if task.id not in self._golds:
            raise TaskError(f"the benchmark that ExactMatch was made for has no task {task.id!r}")
        gold, names = self._golds[task.id]
        return None if gold is None else float(_matches(sql, gold, names))


def _matches(prediction: str, gold: Parts, names: Names) -> bool:
    ours = parse(prediction, names)
    return ours is not None and _parts(ours, names) == gold


def _parts(query: Query, names: Names) -> Parts:
    """What is compared. Keys are replaced where their table is in the outermost FROM."""
    keys = {
        column: first for column, first in names.keys.items() if column.rpartition(".")[0] in query.tables
    }
    return _clauses(_without_values(query), keys)


def _clauses(query: Query, keys: Mapping[str, str]) -> Parts:
    return (
        Counter(replace(item, term=_term(item.term, keys)) for item in query.items),
        Counter(replace(unit, term=_term(unit.term, keys)) for unit in query.where.units),
        set(query.where.connectives),
        [_column(column, keys).name for column in query.group_by],
        [replace(unit, term=_term(unit.term, keys)) for unit in query.having.units],
        query.having.connectives,
        [_term(term, keys) for term in query.order_by],
        query.direction,
        query.limit,
        Counter(query.tables),
        _keywords(query),
        query.operation,
        _clauses(query.other, keys) if query.other is not None else None,
    )


def _keywords(query: Query) -> set[str]:
    """The keywords that occur and are not compared elsewhere: those of ON count here alone."""
    clauses = (query.joined, query.where, query.having)
    units = [unit for clause in clauses for unit in clause.units]
    return {
        *({"or"} & {mark for clause in clauses for mark in clause.connectives}),
        *({"in", "like"} & {unit.operator for unit in units}),
        *("not" for unit in units if unit.negated),
    }


def _term(term: Term, keys: Mapping[str, str]) -> Term:
    right = None if term.right is None else _column(term.right, keys)
    return Term(_column(term.left, keys), term.operator, right)


def _column(column: Column, keys: Mapping[str, str]) -> Column:
    return replace(column, name=keys.get(column.name, column.name), distinct=False)


def _without_values(query: Query) -> Query:
    """The query with no values but nested queries, which lose theirs. Those in FROM keep them."""
    return replace(
        query,
        joined=_unvalued(query.joined),
        where=_unvalued(query.where),
        having=_unvalued(query.having),
        other=None if query.other is None else _without_values(query.other),
    )


def _unvalued(conditions: Conditions) -> Conditions:
    return replace(conditions, units=tuple(map(_bare, conditions.units)))


def _bare(unit: Condition) -> Condition:
    value, upper = (
        _without_values(value) if isinstance(value, Query) else None for value in (unit.value, unit.upper)
    )
    return replace(unit, value=value, upper=upper)
