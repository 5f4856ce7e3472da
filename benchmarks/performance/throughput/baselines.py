"""The two baselines: SQLite's own time for the queries of a batch, and the reward code that papers publish.

`sqlite_baseline` runs each distinct query once, through the same binding and the same SQLite release as the
library's engine, on open connections that have read their schema. There is no authorizer, no parsing, no
comparison and no second process. Rows become tuples in C (``fetchall``). A query that the library stops is
stopped here after as many steps. A query that the library denies does not run.

`naive_baseline` finds the SQL with a regular expression. Prediction and gold query run for each sample, each
on a new connection, and a thread interrupts a slow query. All rows are fetched and compared as sets. The
rewards of SQL-R1 and SkyRL-SQL and the evaluator of BIRD work like this. It is safer than some of them:
files are read-only, and an interrupted query does stop. It has the library's limits of steps, rows and value
sizes, so a runaway costs both sides the same.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from threading import Timer
from typing import Any
from urllib.parse import quote

import apsw

from benchmarks.performance.batches import Batch, gold_query
from benchmarks.performance.resources import clocked
from benchmarks.performance.throughput.measurement import Contender
from sql_env import Limits, Query, Status, Task
from sql_env.execution.engines import load_engine
from sql_env.types import Row

_ANSWER = re.compile(r"<answer>.*?```sql\s(.*?)```.*?</answer>", re.DOTALL)


class SQLiteBaseline:
    """Open connections to some databases.

    Args:
        databases: Paths of SQLite files.
        limits: SQLite enforces the limit of a value's size.
    """

    def __init__(self, databases: Iterable[str], limits: Limits) -> None:
        self._connections = {path: _connect(path, limits) for path in sorted(set(databases))}

    def rows(self, query: Query, steps: int | None = None) -> list[Row] | None:
        """Run one query and return its rows, or None if it fails or is stopped after ``steps``."""
        connection = self._connections[query.database]
        try:
            if steps is None:
                return connection.execute(query.sql, can_cache=False).fetchall()
            connection.set_progress_handler(lambda: True, max(1, steps))
            deque(connection.execute(query.sql, can_cache=False), maxlen=0)
        except (apsw.Error, UnicodeError, MemoryError):
            return None
        finally:
            if steps is not None:
                connection.set_progress_handler(None)
        return None

    def close(self) -> None:
        """Close all connections."""
        for connection in self._connections.values():
            connection.close(True)


def sqlite_baseline(batch: Batch, *golds: str) -> Contender:
    """Return a contender with a row ``sqlite_baseline <golds>`` for each of ``cold`` and ``cached``."""
    runs = plan_query_runs(batch)
    asked = set(batch.predictions())
    plans = {"cold": runs, "cached": {query: steps for query, steps in runs.items() if query in asked}}

    def clock(plan: Mapping[Query, int | None]) -> dict[str, float]:
        baseline = SQLiteBaseline((query.database for query in plan), batch.limits)
        _, figures = clocked(lambda: deque(map(baseline.rows, plan, plan.values()), maxlen=0))
        baseline.close()
        return figures

    return lambda: {f"sqlite_baseline {state}": clock(plans[state]) for state in golds}


def plan_query_runs(batch: Batch) -> dict[Query, int | None]:
    """Return the distinct queries that scoring runs, those on one database together.

    Each has the steps after which it is stopped, or None if it ends by itself.
    """
    predictions, golds = batch.predictions(), list(map(gold_query, batch.tasks))
    queries = {*golds, *(query for query in predictions if query is not None)}
    engine, measured = load_engine("sqlite", batch.limits), {}
    for query in sorted(queries, key=lambda query: (query.database, query.sql)):
        result, steps = engine.measure(query.database, query.sql)
        measured[query] = result.status, steps or 0
    engine.close()
    allowed: dict[Query | None, int] = dict.fromkeys(golds, int(batch.limits.max_steps))
    for prediction, gold in zip(predictions, golds, strict=True):
        allowed[prediction] = max(allowed.get(prediction, 0), batch.limits.budget(measured[gold][1]))
    runs: dict[Query, int | None] = {}
    for query, (status, steps) in measured.items():
        if status not in (Status.DENIED, Status.UNAVAILABLE):
            stopped = steps > allowed[query] or status in (Status.TIMEOUT, Status.TOO_LARGE)
            runs[query] = min(steps, allowed[query]) if stopped else None
    return runs


def _connect(path: str, limits: Limits) -> apsw.Connection:
    """Open a file as the engine does: immutable and mapped into memory, with its schema read."""
    uri = f"file://{quote(os.path.realpath(path))}?mode=ro&immutable=1"
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    connection = apsw.Connection(uri, flags, statementcachesize=0)
    connection.config(apsw.SQLITE_DBCONFIG_DQS_DML, 1)
    connection.limit(apsw.SQLITE_LIMIT_LENGTH, min(int(limits.max_bytes), 2**31 - 1))
    connection.execute(f"PRAGMA temp_store=MEMORY; PRAGMA mmap_size={2**40}").fetchall()
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    return connection


def naive_baseline(batch: Batch) -> Contender:
    """Return a contender with the row ``naive_baseline``: one sample after another."""

    def run() -> dict[str, dict[str, float]]:
        _, figures = clocked(lambda: naive_rewards(batch.completions, batch.tasks, batch.limits))
        return {"naive_baseline": figures}

    return run


def naive_rewards(completions: Sequence[str], tasks: Sequence[Task], limits: Limits) -> list[float]:
    """Return -1 for a malformed completion, 1 for a correct result, and 0 otherwise."""
    return [_reward(completion, task, limits) for completion, task in zip(completions, tasks, strict=True)]


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
    """Return all rows of a query.

    Raises:
        sqlite3.Error: It fails, or a limit stops it.
    """
    connection = sqlite3.connect(f"file:{quote(database)}?mode=ro", uri=True, check_same_thread=False)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, min(int(limits.max_bytes), 2**31 - 1))
    connection.set_progress_handler(lambda: 1, int(steps))
    timer = Timer(limits.wall_seconds, connection.interrupt)
    timer.start()
    try:
        rows = connection.execute(sql).fetchmany(int(limits.max_rows) + 1)
    finally:
        timer.cancel()
        timer.join()
        connection.close()
    if len(rows) > limits.max_rows:
        raise sqlite3.DataError(f"more than {limits.max_rows} rows")
    return rows
