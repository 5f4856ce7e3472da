"""Sample by sample from many threads, as verl's reward workers call, against one batch."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

from benchmarks.performance.throughput.clock import clocked
from benchmarks.performance.throughput.items import Items
from benchmarks.performance.throughput.measurement import Contender
from benchmarks.performance.throughput.scorers import started
from benchmarks.performance.throughput.settings import Settings
from benchmarks.performance.throughput.workload import Finding, Workload
from benchmarks.performance.throughput.workloads.spider import spider_items
from sql_env.scoring.scorer import Scorer
from sql_env.types import Score

Way: TypeAlias = Callable[[Scorer, Items], list[Score]]
"""How a batch is given to a scorer."""

THREADS, WORKERS = 64, 2
PATIENCE = 0.01  # seconds; only the last calls need it


def threads(settings: Settings) -> Workload:
    """The completions of the workload ``spider``, each scored by a call of its own."""
    batch = spider_items(settings)
    batched, single = f"one batch, {WORKERS} workers", f"{THREADS} threads, {WORKERS} workers"
    idle = f"{THREADS} threads that only meet"
    return Workload(
        "threads",
        f"real Spider completions, one by one from {THREADS} threads and as one batch, golds cold",
        {
            batched: _contender(batched, batch, together),
            single: _contender(single, batch, one_by_one),
            idle: _meeting(idle, len(batch)),
        },
        [
            Finding(
                f"rate of {THREADS} threads sample by sample over that of one batch",
                lambda seen: seen.ratio(batched, single, "wall_s"),
                least=0.6,
            )
        ],
        batch.facts(),
    )


def together(scorer: Scorer, batch: Items) -> list[Score]:
    """Score a batch by one call."""
    return scorer.score(batch.completions, batch.tasks)


def one_by_one(scorer: Scorer, batch: Items) -> list[Score]:
    """Score each completion by a call of its own."""
    with ThreadPoolExecutor(THREADS) as pool:
        calls = pool.map(lambda text, task: scorer.score([text], [task]), batch.completions, batch.tasks)
        return [score for [score] in calls]


class Meeting:
    """Lets a call wait until half of all threads do: what single calls are without work."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[threading.Lock] = []

    def __call__(self, _: int) -> None:
        gate = threading.Lock()
        gate.acquire()
        with self._lock:
            self._waiting.append(gate)
            if len(self._waiting) >= THREADS // 2:
                for each in self._waiting:
                    each.release()
                self._waiting = []
        gate.acquire(timeout=PATIENCE)


def _meeting(name: str, calls: int) -> Contender:
    """As many calls as there are completions, from as many threads, and nothing to score."""

    def run() -> dict[str, dict[str, float]]:
        meet = Meeting()
        with ThreadPoolExecutor(THREADS) as pool:
            _, reading = clocked(lambda: list(pool.map(meet, range(calls))))
        return {name: reading.figures()}

    return run


def _contender(name: str, batch: Items, way: Way) -> Contender:
    def run() -> dict[str, dict[str, float]]:
        with started(batch, WORKERS) as scorer:
            _, reading = clocked(lambda: way(scorer, batch))
        return {name: reading.figures()}

    return run
