"""The full path: `sql_env.Scorer`, with its worker processes."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from benchmarks.performance.throughput.clock import clocked, descendants
from benchmarks.performance.throughput.items import Items
from benchmarks.performance.throughput.measurement import Contender
from sql_env.errors import SQLEnvError
from sql_env.parser import respond
from sql_env.scoring.scorer import Scorer
from sql_env.types import Task

_ROUNDS = 50


def scorer(items: Items, workers: int, cached: bool = True) -> Contender:
    """Rows ``scorer-<workers> cold`` and ``scorer-<workers> cached``: a batch on a new scorer, and once more.

    The second batch, which can be left out, finds the golds' results, and runs the predictions again.
    """

    def run() -> dict[str, dict[str, float]]:
        with started(items, workers) as made:
            batch = partial(made.score, items.completions, items.tasks)
            readings = {golds: clocked(batch)[1] for golds in ("cold", "cached")[: 1 + cached]}
        return {f"scorer-{workers} {golds}": reading.figures() for golds, reading in readings.items()}

    return run


def started(items: Items, workers: int) -> Scorer:
    """A new scorer whose workers have started: each has scored something trivial.

    They have neither opened a database of ``items`` nor seen a gold of it.

    Raises:
        SQLEnvError: Fewer workers start than were asked for.
    """
    made = Scorer(items.reward, limits=items.limits, workers=workers)
    before = {process.pid for process in descendants()}
    for _ in range(_ROUNDS):
        with trivial(items, 8 * workers) as (completions, tasks):
            made.score(completions, tasks)
        if len({process.pid for process in descendants()} - before) >= workers:
            return made
    made.close()
    raise SQLEnvError(f"fewer than {workers} workers have started after {_ROUNDS} batches")


@contextmanager
def trivial(items: Items, count: int) -> Iterator[tuple[list[str], list[Task]]]:
    """A little batch under the semantics of ``items``, which brings in all code that scoring it needs.

    There are ``count`` tasks for each semantics, each over a database of its own, so that no worker is
    preferred for being warm.
    """
    semantics = sorted({task.comparison for task in items.tasks})
    with tempfile.TemporaryDirectory() as folder:
        tasks = [_trivial(Path(folder, f"{n}.sqlite"), name) for n in range(count) for name in semantics]
        yield [respond(task.gold_sql, "", items.reward.form) for task in tasks], tasks


def _trivial(path: Path, comparison: str) -> Task:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE IF NOT EXISTS t (n)")
    sql = "SELECT count(*) AS n FROM t ORDER BY n"
    return Task(path.stem, "How many?", sql, str(path), path.stem, comparison=comparison)
