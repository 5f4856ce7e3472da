"""What one ``env.step`` takes beyond SQLite's own time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import median, quantiles

from benchmarks.throughput.floor import Floor
from benchmarks.throughput.measurement import Contender
from benchmarks.throughput.samples import groups
from benchmarks.throughput.settings import Settings
from benchmarks.throughput.stints import Stint
from benchmarks.throughput.workload import Finding, Workload
from sql_env.benchmark import load_benchmark
from sql_env.env import SQLEnv
from sql_env.limits import Limits
from sql_env.parser import respond
from sql_env.types import Query, Task

STEPS, WARM_UP, TRIES = 400, 20, 5


def step(settings: Settings) -> Workload:
    """Steps of the demo environment, each timed by itself; `reset`, which runs the gold, is not counted."""
    draw = settings.draw("step")
    tasks = draw.sample(load_benchmark("demo", "test").tasks, settings.scaled(STEPS, least=10))
    answers = [(task, samples[1]) for task, samples in groups(tasks, 2, draw)]
    return Workload(
        "step",
        "env.step on small databases, and the same queries on a bare connection",
        {"env.step": _contender(answers)},
        [
            Finding(
                "env.step beyond SQLite's time, median, us",
                lambda seen: seen.median("env.step", "beyond_sqlite_median_us"),
                most=150.0,
            ),
            Finding(
                "env.step beyond SQLite's time, 95th percentile, us",
                lambda seen: seen.median("env.step", "beyond_sqlite_p95_us"),
            ),
        ],
        {"steps": len(answers), "databases": len({task.database for task, _ in answers})},
    )


def _contender(answers: Sequence[tuple[Task, str]]) -> Contender:
    def run() -> dict[str, dict[str, float]]:
        env, bare = SQLEnv("demo", split="test"), Floor((task.database for task, _ in answers), Limits())
        try:
            for task, sql in answers[:WARM_UP]:
                _step(env, task, sql)
            steps = [_step(env, task, sql) for task, sql in answers]
            alone = [_alone(bare, task, sql) for task, sql in answers]
        finally:
            env.close()
            bare.close()
        beyond = [whole - part for whole, part in zip(steps, alone, strict=True)]
        named = {"step": steps, "sqlite": alone, "beyond_sqlite": beyond}
        return {
            "env.step": {f"{name}_median_us": median(values) for name, values in named.items()}
            | {f"{name}_p95_us": quantiles(values, n=20)[-1] for name, values in named.items()}
        }

    return run


def _step(env: SQLEnv, task: Task, sql: str) -> float:
    """Microseconds of one step."""
    env.reset(options={"task_id": task.id})
    completion = respond(sql, task.question, env.scorer.rubric.form)
    began = time.perf_counter_ns()
    env.step(completion)
    return (time.perf_counter_ns() - began) / 1000


def _alone(bare: Floor, task: Task, sql: str) -> float:
    """Microseconds of one query at its fastest."""
    stint, found = Stint(Query(task.database, sql)), []
    for _ in range(TRIES):
        began = time.perf_counter_ns()
        bare.rows(stint)
        found.append((time.perf_counter_ns() - began) / 1000)
    return min(found)
