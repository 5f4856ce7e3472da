"""What published reward code does, in a few lines: the yardstick.

A regular expression finds the SQL. Prediction and gold each run on a connection of their own, opened anew
for each sample and query, under a thread that interrupts what takes too long; all rows are fetched and
compared as sets. The gold runs again for every sample. So do, in their own words, the rewards of SQL-R1 and
SkyRL-SQL and the evaluator of BIRD.

It is kinder than some of them: files are opened for reading only, a query that is interrupted does stop,
and steps, rows and sizes of values are limited as the library limits them.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from threading import Timer
from typing import Any
from urllib.parse import quote

from benchmarks.performance.throughput.clock import clocked
from benchmarks.performance.throughput.items import Items
from benchmarks.performance.throughput.measurement import Contender
from sql_env.limits import Limits
from sql_env.types import Task

_ANSWER = re.compile(r"<answer>.*?```sql\s(.*?)```.*?</answer>", re.DOTALL)


def plain(items: Items) -> Contender:
    """Row ``plain``: one sample after another."""

    def run() -> dict[str, dict[str, float]]:
        _, reading = clocked(lambda: rewards(items.completions, items.tasks, items.limits))
        return {"plain": reading.figures()}

    return run


def rewards(completions: Sequence[str], tasks: Sequence[Task], limits: Limits) -> list[float]:
    """For each completion -1 where the format is wrong, 1 where the result is right, else 0."""
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
    """All rows of a query.

    A prediction may take as many steps as the library allows it where its gold is cheap, so that a runaway
    costs both the same.

    Raises:
        sqlite3.Error: It fails, or is stopped by a limit.
    """
    connection = sqlite3.connect(f"file:{quote(database)}?mode=ro", uri=True, check_same_thread=False)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, min(int(limits.max_bytes), 2**31 - 1))
    connection.set_progress_handler(lambda: 1, int(steps))
    clock = Timer(limits.wall_seconds, connection.interrupt)
    clock.start()
    try:
        rows = connection.execute(sql).fetchmany(int(limits.max_rows) + 1)
    finally:
        clock.cancel()
        clock.join()
        connection.close()
    if len(rows) > limits.max_rows:
        raise sqlite3.DataError(f"more than {limits.max_rows} rows")
    return rows
