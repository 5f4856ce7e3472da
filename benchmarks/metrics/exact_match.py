"""Compute exact set match: compare two queries clause by clause, without their values.

Rules of the official evaluator (taoyds/test-suite-sql-eval e97acc5; Yu et al. 2018).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

from benchmarks.metrics.spider_sql import Catalog, Column, Condition, Names, Query, Term, parse
from sql_env.errors import TaskError
from sql_env.types import Benchmark, Task

Parts: TypeAlias = tuple[object, ...]
"""The compared parts of a query. Queries match if their parts are equal."""


def is_exact_match(prediction: str, gold: str, names: Names) -> bool | None:
    """Return whether a prediction matches the gold query.

    Both are parsed by Spider's grammar. These parts are compared: the items of SELECT and the conditions of
    WHERE (in any order), the connectives of WHERE (which ones occur), GROUP BY with HAVING, ORDER BY with
    its direction, whether there is a LIMIT, the tables of FROM (in any order), some keywords, and the
    queries of set operations in the same way. These are ignored: values, DISTINCT, the conditions of joins,
    and which column of a foreign key is named. Queries nested in conditions must be equal except for their
    values; queries in FROM must be equal with their values.

    Args:
        prediction: Any text. A text outside the grammar matches nothing.
        gold: The gold query.
        names: The names of the database; see `benchmarks.metrics.spider_sql.Catalog`.

    Returns:
        The verdict; None if the gold query is outside the grammar.
    """
    query = parse(gold, names)
    return None if query is None else _is_match(prediction, _list_parts(query, names), names)


class ExactMatch:
    """Exact set match on a benchmark. It parses each gold query once.

    Args:
        benchmark: The benchmark.

    Raises:
        DataError: A ``tables.json`` is malformed.
        DatabaseError: A database is not in ``tables.json`` and cannot be read itself.

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
            self._golds[task.id] = (None if gold is None else _list_parts(gold, names), names)

    def __call__(self, task: Task, sql: str) -> float | None:
        """Return 1.0 if a prediction matches the task's gold query, else 0.0.

        None if the gold query is outside Spider's grammar: the item enters no average. The SQL is not
        changed: `benchmarks.loading.predictions.read_predictions` replaces ``value`` by ``1`` if a file of
        predictions needs it.

        Raises:
            TaskError: The task is not of this benchmark.
        """
        if task.id not in self._golds:
            raise TaskError(f"the benchmark of this ExactMatch has no task {task.id!r}")
        gold, names = self._golds[task.id]
        return None if gold is None else float(_is_match(sql, gold, names))


def _is_match(prediction: str, gold: Parts, names: Names) -> bool:
    ours = parse(prediction, names)
    return ours is not None and _list_parts(ours, names) == gold


def _list_parts(query: Query, names: Names) -> Parts:
    """Return the compared parts. Keys are replaced if their table is in the outermost FROM."""
    keys = {
        column: first for column, first in names.keys.items() if column.rpartition(".")[0] in query.tables
    }
    return _list_clauses(_drop_values(query), keys)


def _list_clauses(query: Query, keys: Mapping[str, str]) -> Parts:
    return (
        Counter(replace(item, term=_replace_term_keys(item.term, keys)) for item in query.items),
        Counter(replace(unit, term=_replace_term_keys(unit.term, keys)) for unit in query.where.units),
        set(query.where.connectives),
        [_replace_key(column, keys).name for column in query.group_by],
        [replace(unit, term=_replace_term_keys(unit.term, keys)) for unit in query.having.units],
        query.having.connectives,
        [_replace_term_keys(term, keys) for term in query.order_by],
        query.direction,
        query.limit,
        Counter(query.tables),
        _list_keywords(query),
        query.operation,
        _list_clauses(query.other, keys) if query.other is not None else None,
    )


def _list_keywords(query: Query) -> set[str]:
    """Return the keywords that are not compared elsewhere. Those of ON are compared only here."""
    return {
        *({"or"} & {mark for conditions in query.conditions for mark in conditions.connectives}),
        *({"in", "like"} & {unit.operator for unit in query.units}),
        *("not" for unit in query.units if unit.negated),
    }


def _replace_term_keys(term: Term, keys: Mapping[str, str]) -> Term:
    right = None if term.right is None else _replace_key(term.right, keys)
    return Term(_replace_key(term.left, keys), term.operator, right)


def _replace_key(column: Column, keys: Mapping[str, str]) -> Column:
    return replace(column, name=keys.get(column.name, column.name), distinct=False)


def _drop_values(query: Query) -> Query:
    """Remove all values except nested queries, which lose their own values. Queries in FROM keep theirs."""
    joined, where, having = (
        replace(conditions, units=tuple(map(_drop_unit_values, conditions.units)))
        for conditions in query.conditions
    )
    other = None if query.other is None else _drop_values(query.other)
    return replace(query, joined=joined, where=where, having=having, other=other)


def _drop_unit_values(unit: Condition) -> Condition:
    value, upper = (
        _drop_values(value) if isinstance(value, Query) else None for value in (unit.value, unit.upper)
    )
    return replace(unit, value=value, upper=upper)
