"""The contenders: the scorer, SQLite alone, and the reward code that papers publish.

`scorers` run the full path: `sql_env.Scorer` with its worker processes.

`sqlite_baseline` runs each distinct query once, through the same binding and the same SQLite release as the
library's engine, on open connections that have read their schema. There is no authorizer, no parsing, no
comparison and no second process. Rows become tuples in C (``fetchall``). A query is stopped after
`sql_env.Limits.min_steps` steps.

`naive_baseline` finds the SQL with a regular expression. Prediction and gold query run for each sample, each
on a new connection, and a thread interrupts a slow query. All rows are fetched and compared as sets. The
rewards of SQL-R1 and SkyRL-SQL and the evaluator of BIRD work like this. It is safer than some of them:
files are read-only, and an interrupted query does stop. It has the library's limits of steps, rows and value
sizes, so a runaway costs both sides the same.
"""

from __future__ import annotations

import re
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from threading import Timer
from typing import Any, TypeAlias
from urllib.parse import quote

import apsw

from benchmarks.performance.batches import Batch, gold_query
from benchmarks.performance.generated import part_databases, part_tasks
from benchmarks.performance.harness import clocked
from sql_env import Limits, Query, Scorer, Task, respond
from sql_env.errors import SQLEnvError
from sql_env.execution.engines.sqlite.file import open_readonly
from sql_env.types import Row

Figures: TypeAlias = Mapping[str, float]
"""The figures of one row. A name ends in its unit: ``cpu_s``, ``median_us``."""

Contender: TypeAlias = Callable[[], Mapping[str, Figures]]
"""A function that runs once and returns the figures of each of its rows."""

WORKER_COUNTS = (1, 2)
"""Numbers of workers to measure. Bars are for the last."""

ROUNDS = 50
"""Batches after which the workers of a scorer must have started."""

_ANSWER = re.compile(r"<answer>.*?```sql\s(.*?)```.*?</answer>", re.DOTALL)


def clock_scores(batch: Batch, work: Callable[[], object]) -> dict[str, float]:
    """Call a function that scores a batch, and return its CPU time and its rate."""
    _, figures = clocked(work)
    scores = len(batch.tasks)
    return {"cpu_ms_per_score": 1000 * figures["cpu_s"] / scores, "scores_per_s": scores / figures["wall_s"]}


def scorers(batch: Batch, *golds: str, workers: Sequence[int] = WORKER_COUNTS) -> dict[str, Contender]:
    """Return a contender for each number of workers.

    Each has a row ``scorer-<workers> cold``, the first batch of a new scorer. With ``cached`` among the
    ``golds`` it also has a row ``scorer-<workers> cached``: the same batch again, with known gold results.
    """

    def score(count: int) -> dict[str, dict[str, float]]:
        with start_scorer(batch, count) as scorer:
            return {
                f"scorer-{count} {state}": clock_scores(
                    batch, lambda: scorer.score(batch.completions, batch.tasks)
                )
                for state in golds
            }

    return {f"scorer-{count}": partial(score, count) for count in workers}


def start_scorer(batch: Batch, workers: int) -> Scorer:
    """Return a new scorer whose workers have started.

    It has scored a few generated tasks under the comparisons of the batch. It has opened no database of the
    batch and knows none of its gold results.

    Raises:
        SQLEnvError: Fewer workers have started after many rounds.
    """
    scorer = Scorer(limits=batch.limits, workers=workers)
    comparisons = sorted({task.comparison for task in batch.tasks})
    tasks = [
        replace(task, comparison=comparison)
        for task in part_tasks(part_databases(32, seed=0), 32, seed=0)
        for comparison in comparisons
    ]
    for number in range(ROUNDS):
        scorer.score([respond(f"SELECT {number}")] * len(tasks), tasks)
        if scorer.stats.executor.started >= workers:
            return scorer
    scorer.close()
    raise SQLEnvError(f"fewer than {workers} workers have started after {ROUNDS} batches")


class SQLiteBaseline:
    """Connections to some databases, open as in the library's engine.

    Args:
        databases: Paths of SQLite files.
        limits: The limits of steps and of a value's size.
    """

    def __init__(self, databases: Iterable[str], limits: Limits) -> None:
        self._connections = {path: open_readonly(path, frozen=False) for path in sorted(set(databases))}
        for connection in self._connections.values():
            connection.limit(apsw.SQLITE_LIMIT_LENGTH, min(int(limits.max_bytes), 2**31 - 1))
            connection.set_progress_handler(lambda: True, int(limits.min_steps))

    def rows(self, query: Query) -> list[Row] | None:
        """Run one query and return its rows, or None if it fails or is stopped."""
        try:
            return self._connections[query.database].execute(query.sql, can_cache=False).fetchall()
        except (apsw.Error, UnicodeError, MemoryError):
            return None

    def close(self) -> None:
        """Close all connections."""
        for connection in self._connections.values():
            connection.close(True)


def sqlite_baseline(batch: Batch, *golds: str) -> Contender:
    """Return a contender that runs each distinct query once, those on one database together.

    The row ``sqlite_baseline cold`` has predictions and gold queries, ``sqlite_baseline cached`` has
    predictions only.
    """
    predictions = {query for query in batch.predictions() if query is not None}
    queries = {"cold": predictions.union(map(gold_query, batch.tasks)), "cached": predictions}
    plans = {state: sorted(queries[state], key=lambda query: (query.database, query.sql)) for state in golds}

    def clock(plan: Sequence[Query]) -> dict[str, float]:
        with closing(SQLiteBaseline((query.database for query in plan), batch.limits)) as baseline:
            return clock_scores(batch, lambda: deque(map(baseline.rows, plan), maxlen=0))

    return lambda: {f"sqlite_baseline {state}": clock(plan) for state, plan in plans.items()}


def naive_baseline(batch: Batch) -> Contender:
    """Return a contender with the row ``naive_baseline``: one sample after another."""
    return lambda: {"naive_baseline": clock_scores(batch, lambda: naive_rewards(batch))}


def naive_rewards(batch: Batch) -> list[float]:
    """Return -1 for a malformed completion, 1 for a correct result, and 0 otherwise."""
    return [
        _reward(completion, task, batch.limits)
        for completion, task in zip(batch.completions, batch.tasks, strict=True)
    ]


def _reward(completion: str, task: Task, limits: Limits) -> float:
    found = _ANSWER.search(completion)
    if found is None or not found[1].strip():
        return -1.0
    try:
        predicted = _rows(task.database, found[1].strip(), limits, limits.min_steps)
        expected = _rows(task.database, task.gold_sql, limits, limits.max_steps)
    except (sqlite3.Error, sqlite3.Warning, ValueError):
        return 0.0
    return float(set(predicted) == set(expected))


def _rows(database: str, sql: str, limits: Limits, steps: float) -> list[Any]:
    """Run a query on a new connection and return all rows.

    Raises:
        sqlite3.Error: The query fails, or a limit stops it.
    """
    with closing(
        sqlite3.connect(f"file:{quote(database)}?mode=ro", uri=True, check_same_thread=False)
    ) as connection:
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, min(int(limits.max_bytes), 2**31 - 1))
        connection.set_progress_handler(lambda: 1, int(steps))
        timer = Timer(limits.wall_seconds, connection.interrupt)
        timer.start()
        try:
            rows = connection.execute(sql).fetchmany(int(limits.max_rows) + 1)
        finally:
            timer.cancel()
            timer.join()
    if len(rows) > limits.max_rows:
        raise sqlite3.DataError(f"more than {limits.max_rows} rows")
    return rows
