"""The full path: `sql_env.Scorer`, with its worker processes."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path

from benchmarks.throughput.clock import clocked, descendants
from benchmarks.throughput.items import Items
from benchmarks.throughput.measurement import Contender
from sql_env.errors import SQLEnvError
from sql_env.parser import respond
from sql_env.scorer import Scorer
from sql_env.types import Task

_ROUNDS = 50


def scorer(items: Items, workers: int) -> Contender:
    """Rows ``scorer-<workers> cold`` and ``scorer-<workers> cached``: a batch on a new scorer, and once more.

    The second batch finds the golds' results, and runs the predictions again.
    """

    def run() -> dict[str, dict[str, float]]:
        with started(items, workers) as made:
            _, cold = clocked(lambda: made.score(items.completions, items.tasks))
            _, cached = clocked(lambda: made.score(items.completions, items.tasks))
        return {f"scorer-{workers} cold": cold.figures(), f"scorer-{workers} cached": cached.figures()}

    return run


def started(items: Items, workers: int) -> Scorer:
    """A new scorer whose workers have started: each has scored something trivial.

    They have neither opened a database of ``items`` nor seen a gold of it.

    Raises:
        SQLEnvError: Fewer workers start than were asked for.
    """
    made = Scorer(items.reward, limits=items.limits, workers=workers)
    before = {process.pid for process in descendants()}
    semantics = sorted({task.comparison for task in items.tasks})
    with tempfile.TemporaryDirectory() as folder:
        for number in range(_ROUNDS):
            tasks = [
                _trivial(Path(folder, f"{number}-{place}.sqlite"), name)
                for place in range(8 * workers)
                for name in semantics
            ]
            made.score([respond(task.gold_sql, "", items.reward.form) for task in tasks], tasks)
            if len({process.pid for process in descendants()} - before) >= workers:
                return made
    made.close()
    raise SQLEnvError(f"fewer than {workers} workers have started after {_ROUNDS} batches")


def _trivial(path: Path, comparison: str) -> Task:
    """A task over a database of its own, so that no worker is preferred for being warm."""
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (n)")
    connection.close()
    return Task(path.stem, "How many?", "SELECT count(*) AS n FROM t ORDER BY n", str(path), path.stem,
                comparison=comparison)  # fmt: skip
