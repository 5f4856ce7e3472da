"""The memory of a whole process tree that scores the hostile mix."""

from __future__ import annotations

import sys

from benchmarks.performance.throughput.measurement import Contender
from benchmarks.performance.throughput.memory import peak
from benchmarks.performance.throughput.settings import Settings
from benchmarks.performance.throughput.workload import Finding, Workload
from benchmarks.performance.throughput.workloads.hostile import TASKS, hostile_items
from sql_env.scoring.scorer import Scorer

WORKERS = 2
_CHILD = f"import sys; from {__name__} import score; score(*map(float, sys.argv[1:]))"


def memory(settings: Settings) -> Workload:
    """A fresh interpreter makes the batch of the workload ``hostile`` and scores it in one call."""
    row = f"scorer-{WORKERS}"
    return Workload(
        "memory",
        "the hostile mix as one batch in a fresh interpreter; PSS of the whole process tree",
        {row: _contender(row, settings)},
        [
            Finding(
                "peak memory of the whole tree, hostile mix, 2 workers, GB",
                lambda seen: max(seen.values(row, "peak_gb")),
                most=1.5,
            )
        ],
        {"completions": len(hostile_items(settings, TASKS))},
    )


def score(seed: float, scale: float) -> None:
    """What the fresh interpreter does."""
    batch = hostile_items(Settings(seed=int(seed), scale=scale), TASKS)
    with Scorer(batch.reward, limits=batch.limits, workers=WORKERS) as scorer:
        scorer.score(batch.completions, batch.tasks)


def _contender(row: str, settings: Settings) -> Contender:
    command = [sys.executable, "-c", _CHILD, str(settings.seed), str(settings.scale)]
    return lambda: {row: {"peak_gb": peak(command) / 1e9}}
