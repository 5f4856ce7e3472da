"""How long after the wall limit the verdict comes, where nothing but SIGKILL stops a query."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random
from statistics import median

from benchmarks.performance.throughput.items import Items, items
from benchmarks.performance.throughput.measurement import Contender
from benchmarks.performance.throughput.scorers import started
from benchmarks.performance.throughput.settings import Settings
from benchmarks.performance.throughput.workload import Finding, Workload
from sql_env.benchmark import load_benchmark
from sql_env.limits import Limits
from sql_env.parser import respond
from sql_env.scoring.scorer import Scorer
from sql_env.types import Status

QUERIES, WORKERS = 1000, 2
LIMITS = Limits(wall_seconds=0.25, cpu_seconds=60.0)
"""The wall limit comes first: that of CPU, which the kernel enforces, is far off."""


def overrun(settings: Settings) -> Workload:
    """Queries that stay for minutes inside a single virtual-machine instruction."""
    draw, count = settings.draw("overrun"), settings.scaled(QUERIES, least=4)
    task = load_benchmark("demo", "test").tasks[0]
    batch = items([(task, [stuck(draw) for _ in range(count)])], LIMITS)
    row = f"{WORKERS} scorers of one worker"
    return Workload(
        "overrun",
        f"queries that never return, each under a wall limit of {LIMITS.wall_seconds} s",
        {row: _contender(row, batch)},
        [
            Finding(
                "overrun past the wall limit, 99th percentile, ms",
                lambda seen: max(seen.values(row, "overrun_p99_ms")),
                most=100.0,
            ),
            Finding("verdicts lost among them", lambda seen: sum(seen.values(row, "lost")), most=0.0),
        ],
        {"queries": count},
        repeats=1,
    )


def stuck(draw: Random) -> str:
    """SQL that does not come back by itself for minutes, and whose steps no counter sees: it takes few."""
    size, n = draw.randint(4_800_000, 5_000_000), draw.randint(1, 9)
    return draw.choice(
        (
            f"SELECT instr(hex(zeroblob({size})), hex(zeroblob({size // 2})) || '{n}')",
            f"SELECT count(*) + {n} FROM sqlite_schema "
            f"WHERE instr(hex(zeroblob({size})), hex(zeroblob({size // 2})) || name)",
            f"SELECT length(replace(hex(zeroblob({size})), hex(zeroblob({size // 2})) || '{n}', ''))",
        )
    )


def _contender(row: str, batch: Items) -> Contender:
    """Each scorer has a thread that asks one thing at a time, so that no query waits for another."""

    def run() -> dict[str, dict[str, float]]:
        shares = [range(start, len(batch), WORKERS) for start in range(WORKERS)]
        scorers = [started(batch, 1) for _ in shares]
        try:
            with ThreadPoolExecutor(WORKERS) as pool:
                found = list(pool.map(lambda scorer, share: _overruns(scorer, batch, share), scorers, shares))
        finally:
            for scorer in scorers:
                scorer.close()
        times = sorted(time for share in found for time in share)
        return {
            row: {
                "overrun_median_ms": median(times),
                "overrun_p99_ms": times[min(len(times) - 1, round(0.99 * len(times)))],
                "overrun_max_ms": times[-1],
                "lost": float(len(batch) - len(times)),
            }
        }

    return run


def _overruns(scorer: Scorer, batch: Items, share: Sequence[int]) -> list[float]:
    """Milliseconds past the limit of each query whose verdict came.

    The query before it, which nobody knows the result of, finds a worker started, so that a start is not
    counted as overrun; and it runs only if the scorer has recovered.
    """
    found = []
    for place in share:
        completion, task = batch.completions[place], batch.tasks[place]
        [before] = scorer.rollouts([respond(f"SELECT {place}", "", batch.reward.form)], [task])
        began = time.perf_counter()
        [rollout] = scorer.rollouts([completion], [task])
        late = time.perf_counter() - began - batch.limits.wall_seconds
        recovered = before.result is not None and before.result.ok
        if recovered and rollout.result is not None and rollout.result.status is Status.UNAVAILABLE:
            found.append(1000 * late)
    return found
