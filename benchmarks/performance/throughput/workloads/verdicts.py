"""Whether a verdict depends on the number of workers or on what else the machine does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from itertools import cycle, islice

from benchmarks.performance.throughput.clock import clocked
from benchmarks.performance.throughput.items import Items
from benchmarks.performance.throughput.measurement import Contender
from benchmarks.performance.throughput.scorers import started
from benchmarks.performance.throughput.settings import Settings
from benchmarks.performance.throughput.workload import Finding, Workload
from benchmarks.performance.throughput.workloads.hostile import hostile_items
from benchmarks.performance.throughput.workloads.spider import spider_items
from sql_env.types import Score

SCORES, HOSTILE_TASKS, WORKERS = 10_000, 278, (1, 2, 4)


def verdicts(settings: Settings) -> Workload:
    """Real Spider completions and the hostile mix, scored again and again, and compared item by item."""
    batch = _items(settings)
    with started(batch, 1) as scorer:
        reference = _told(scorer.score(batch.completions, batch.tasks))
    contenders = {
        name: _contender(name, batch, workers, loaded, reference)
        for workers in WORKERS
        for name, loaded in ((f"workers {workers}, idle", False), (f"workers {workers}, full load", True))
    }
    return Workload(
        "verdicts",
        "real Spider completions and the hostile mix; one process on each core keeps it busy under full load",
        contenders,
        [
            Finding(
                "verdicts that differ, with 1, 2 and 4 workers, idle and under full load",
                lambda seen: sum(max(seen.values(name, "differing")) for name in contenders),
                most=0.0,
            )
        ],
        batch.facts(),
        repeats=1,
    )


def _items(settings: Settings) -> Items:
    """As many as are asked for, from both workloads, over again where there are too few."""
    real, hostile = spider_items(settings), hostile_items(settings, HOSTILE_TASKS)
    pairs = zip((*hostile.completions, *real.completions), (*hostile.tasks, *real.tasks), strict=True)
    completions, tasks = zip(*islice(cycle(pairs), settings.scaled(SCORES)), strict=True)
    return replace(real, completions=completions, tasks=tasks)


def _told(scores: Sequence[Score]) -> list[tuple[object, ...]]:
    """What must not differ: statuses, correctness, totals and their components."""
    return [
        (
            score.rollout.result and score.rollout.result.status,
            score.rollout.gold.status,
            score.rollout.correct,
            score.total,
            tuple(score.components.items()),
        )
        for score in scores
    ]


def _contender(
    name: str, batch: Items, workers: int, loaded: bool, reference: Sequence[tuple[object, ...]]
) -> Contender:
    def run() -> dict[str, dict[str, float]]:
        with started(batch, workers) as scorer, busy() if loaded else nullcontext():
            scores, reading = clocked(lambda: scorer.score(batch.completions, batch.tasks))
        differing = sum(a != b for a, b in zip(_told(scores), reference, strict=True))
        return {name: {"differing": float(differing), "wall_s": reading.wall}}

    return run


@contextmanager
def busy() -> Iterator[None]:
    """Keep every core busy meanwhile."""
    burners = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)
    ]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()
