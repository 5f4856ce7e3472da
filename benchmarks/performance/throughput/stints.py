"""What the floor runs: the distinct queries of a batch, each as far as the library runs it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from marshal import dumps

import apsw

from benchmarks.performance.throughput.connection import connect, stopped
from benchmarks.performance.throughput.items import Items, by_database
from sql_env.limits import Limits
from sql_env.scoring.scorer import Scorer
from sql_env.types import Query, Status


@dataclass(frozen=True, slots=True)
class Stint:
    """One query of the floor.

    Attributes:
        query: The query.
        steps: Virtual-machine instructions after which it is stopped; None where it ends by itself.
        rows: Rows after which no more are fetched; None where all are.
    """

    query: Query
    steps: int | None = None
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class Stints:
    """What the floor runs, each distinct query once.

    Attributes:
        cold: Predictions and golds.
        cached: Predictions alone.
        unknown: Predictions that are not some gold to the letter: what must be run if golds are known.
    """

    cold: Sequence[Stint]
    cached: Sequence[Stint]
    unknown: Sequence[Stint]

    @property
    def databases(self) -> set[str]:
        """Paths of the databases that they are about."""
        return {stint.query.database for stint in self.cold}


def stints(items: Items) -> Stints:
    """The distinct queries that scoring runs. They are scored once, to know how each of them ends."""
    asked, golds = items.predictions(items.actions()), items.golds()
    with Scorer(items.reward, limits=items.limits, workers=os.cpu_count() or 1) as scorer:
        rollouts = scorer.rollouts(items.completions, items.tasks)
        budgets = _budgets(asked, golds, scorer)
    ended = {gold: rollout.gold.status for gold, rollout in zip(golds, rollouts, strict=True)}
    for query, rollout in zip(asked, rollouts, strict=True):
        if query is not None and rollout.result is not None:
            ended[query] = rollout.result.status
    planned = {query: _stint(query, status, budgets[query], items.limits) for query, status in ended.items()}

    def wanted(queries: Iterable[Query | None]) -> list[Stint]:
        found = (planned[query] for query in by_database([query for query in queries if query is not None]))
        return [stint for stint in found if stint is not None]

    known = set(golds)
    unknown = wanted(query for query in asked if query not in known)
    return Stints(wanted([*asked, *golds]), wanted(asked), unknown)


def _budgets(asked: Iterable[Query | None], golds: Sequence[Query], scorer: Scorer) -> dict[Query, int]:
    """The steps that each query may take, which go by those of its gold."""
    limits, distinct = scorer.executor.limits, list(dict.fromkeys(golds))
    taken = dict(zip(distinct, scorer.executor.measure(distinct), strict=True))
    budgets = {gold: int(limits.max_steps) for gold in distinct}
    for query, gold in zip(asked, golds, strict=True):
        if query is not None:
            budgets[query] = max(budgets.get(query, 0), limits.step_limit(taken[gold].steps))
    return budgets


def _stint(query: Query, status: Status, steps: int, limits: Limits) -> Stint | None:
    """How far a query that ended like this is run; None where it is not."""
    if status in (Status.DENIED, Status.UNAVAILABLE):
        return None
    if status is Status.TIMEOUT:
        return Stint(query, steps=steps)
    if status is Status.TOO_LARGE:
        return Stint(query, steps=steps, rows=_rows_allowed(query, limits))
    return Stint(query)


def _rows_allowed(query: Query, limits: Limits) -> int:
    """The rows after which the engine stops a result: it counts rows, and bytes as marshal writes them.

    Fewer where a value, the text or the heap is what was too large.
    """
    count = size = 0
    connection = connect(query.database, limits)
    with stopped(connection, int(limits.max_steps), limits), suppress(apsw.Error, UnicodeError, MemoryError):
        for row in connection.execute(query.sql):
            count, size = count + 1, size + 8 * len(row) + len(dumps(row, 2))
            if size > limits.max_bytes or count > limits.max_rows:
                break
    connection.close(True)
    return count
