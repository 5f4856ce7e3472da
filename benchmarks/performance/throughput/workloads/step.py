"""What one ``env.step`` takes beyond SQLite's own time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from statistics import median, quantiles
from typing import NamedTuple

from benchmarks.performance.throughput.echo import Echo
from benchmarks.performance.throughput.floor import Floor
from benchmarks.performance.throughput.measurement import Contender
from benchmarks.performance.throughput.samples import groups
from benchmarks.performance.throughput.settings import Settings
from benchmarks.performance.throughput.stints import Stint
from benchmarks.performance.throughput.workload import Finding, Workload
from sql_env.benchmark import load_benchmark
from sql_env.envs.env import SQLEnv
from sql_env.limits import Limits
from sql_env.parser import respond
from sql_env.types import Query, Task

STEPS, WARM_UP, TRIES = 400, 20, 5


class _Answer(NamedTuple):
    """What is answered in an episode: as the model would say it, and as a bare connection would run it."""

    completion: str
    stint: Stint


def step(settings: Settings) -> Workload:
    """Steps of the demo environment, each timed by itself; `reset`, which runs the gold, is not counted."""
    draw = settings.draw("step")
    tasks = draw.sample(load_benchmark("demo", "test").tasks, settings.scaled(STEPS, least=10))
    answers = [(task, samples[1]) for task, samples in groups(tasks, 2, draw)]
    return Workload(
        "step",
        "env.step on small databases, and the same queries on a bare connection",
        {
            "env.step": _contender(answers),
            "round trip": _round_trip(answers),
            "bare connection": _once(answers),
        },
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
            Finding(
                "the query on a bare connection in the place of env.step, median, us",
                lambda seen: seen.median("bare connection", "step_median_us"),
            ),
            Finding(
                "a message to another process and back in the place of env.step, median, us",
                lambda seen: seen.median("round trip", "step_median_us"),
            ),
        ],
        {"steps": len(answers), "databases": len({task.database for task, _ in answers})},
    )


def _contender(answers: Sequence[tuple[Task, str]]) -> Contender:
    def run() -> dict[str, dict[str, float]]:
        with closing(SQLEnv("demo", split="test")) as env, closing(_bare(answers)) as bare:
            steps = _times(env, answers, lambda answer: env.step(answer.completion))
            alone = [_alone(bare, task, sql) for task, sql in answers]
        beyond = [whole - part for whole, part in zip(steps, alone, strict=True)]
        return {"env.step": _figures({"step": steps, "sqlite": alone, "beyond_sqlite": beyond})}

    return run


def _round_trip(answers: Sequence[tuple[Task, str]]) -> Contender:
    """The completion goes to a process that sends it back, where `env.step` would be."""

    def run() -> dict[str, dict[str, float]]:
        with closing(SQLEnv("demo", split="test")) as env, Echo() as echo:
            steps = _times(env, answers, lambda answer: echo.exchange(answer.completion.encode()))
        return {"round trip": _figures({"step": steps})}

    return run


def _once(answers: Sequence[tuple[Task, str]]) -> Contender:
    """The query runs once on a bare connection, where `env.step` would be."""

    def run() -> dict[str, dict[str, float]]:
        with closing(SQLEnv("demo", split="test")) as env, closing(_bare(answers)) as bare:
            steps = _times(env, answers, lambda answer: bare.rows(answer.stint))
        return {"bare connection": _figures({"step": steps})}

    return run


def _bare(answers: Sequence[tuple[Task, str]]) -> Floor:
    return Floor((task.database for task, _ in answers), Limits())


def _figures(named: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """The median and the 95th percentile of each."""
    return {f"{name}_median_us": median(values) for name, values in named.items()} | {
        f"{name}_p95_us": quantiles(values, n=20)[-1] for name, values in named.items()
    }


def _times(
    env: SQLEnv, answers: Sequence[tuple[Task, str]], step: Callable[[_Answer], object]
) -> list[float]:
    """Microseconds of each step, after some that nobody counts."""
    for task, sql in answers[:WARM_UP]:
        _time(env, task, sql, step)
    return [_time(env, task, sql, step) for task, sql in answers]


def _time(env: SQLEnv, task: Task, sql: str, step: Callable[[_Answer], object]) -> float:
    """Microseconds of one step of a new episode."""
    env.reset(options={"task_id": task.id})
    answer = _Answer(respond(sql, task.question, env.scorer.rubric.form), Stint(Query(task.database, sql)))
    began = time.perf_counter_ns()
    step(answer)
    return (time.perf_counter_ns() - began) / 1000


def _alone(bare: Floor, task: Task, sql: str) -> float:
    """Microseconds of one query at its fastest."""
    stint, found = Stint(Query(task.database, sql)), []
    for _ in range(TRIES):
        began = time.perf_counter_ns()
        bare.rows(stint)
        found.append((time.perf_counter_ns() - began) / 1000)
    return min(found)
