"""The full path as a contender: `sql_env.Scorer` with its worker processes."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.performance.batches import Batch
from benchmarks.performance.resources import clocked
from benchmarks.performance.throughput.measurement import Contender
from sql_env import Scorer, Task, respond
from sql_env.errors import SQLEnvError

WORKERS = (1, 2)
"""Numbers of workers to measure. Bars are for the last."""

_ROUNDS = 50


def scorers(batch: Batch, *golds: str, workers: Sequence[int] = WORKERS) -> dict[str, Contender]:
    """Return a contender for each number of workers.

    Each has a row ``scorer-<workers> cold``, the first batch of a new scorer. With ``cached`` among the
    ``golds`` it also has a row ``scorer-<workers> cached``: the same batch again, with known gold results.
    """

    def contender(count: int) -> Contender:
        def run() -> dict[str, dict[str, float]]:
            with start_scorer(batch, count) as scorer:
                return {
                    f"scorer-{count} {state}": clocked(lambda: scorer.score(batch.completions, batch.tasks))[
                        1
                    ]
                    for state in golds
                }

        return run

    return {f"scorer-{count}": contender(count) for count in workers}


def start_scorer(batch: Batch, workers: int) -> Scorer:
    """Return a new scorer whose workers have started.

    It has scored trivial tasks under the comparisons of the batch. It has opened no database of the batch
    and knows none of its gold results.

    Raises:
        SQLEnvError: Fewer workers have started after many rounds.
    """
    scorer = Scorer(limits=batch.limits, workers=workers)
    comparisons = sorted({task.comparison for task in batch.tasks})
    for _ in range(_ROUNDS):
        with TemporaryDirectory() as folder:  # new databases, so that the pool prefers no worker
            paths = [Path(folder, f"{number}.sqlite") for number in range(8 * workers)]
            tasks = [_trivial_task(path, comparison) for path in paths for comparison in comparisons]
            scorer.score([respond(task.gold_sql) for task in tasks], tasks)
        if scorer.stats.executor.started >= workers:
            return scorer
    scorer.close()
    raise SQLEnvError(f"fewer than {workers} workers have started after {_ROUNDS} batches")


def _trivial_task(path: Path, comparison: str) -> Task:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE IF NOT EXISTS t (n)")
    sql = "SELECT count(*) AS n FROM t ORDER BY n"
    return Task(path.stem, "How many?", sql, str(path), path.stem, comparison=comparison)
