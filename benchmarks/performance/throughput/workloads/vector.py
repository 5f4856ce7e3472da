"""A vector environment, whose step is one batch, against the scorer's own batch."""

from __future__ import annotations

from typing import Any

import gymnasium

from benchmarks.performance.throughput.clock import clocked
from benchmarks.performance.throughput.items import Items, items
from benchmarks.performance.throughput.measurement import Contender
from benchmarks.performance.throughput.samples import sample
from benchmarks.performance.throughput.scorers import started
from benchmarks.performance.throughput.settings import Settings
from benchmarks.performance.throughput.workload import Finding, Workload
from sql_env.benchmark import load_benchmark
from sql_env.envs.registration import get_environment_id
from sql_env.errors import DataError

ENVIRONMENTS, WORKERS = 1024, 2


def vector(settings: Settings) -> Workload:
    """One step of many environments, and one batch of the same completions; golds are known to both."""
    name = get_environment_id("demo")
    if gymnasium.spec(name).vector_entry_point is None:
        raise DataError(f"{name} has no vector_entry_point in this version")
    count = settings.scaled(ENVIRONMENTS)
    batch = _answers(settings, count)
    return Workload(
        "vector",
        f"one step of {count} environments, and one batch of the same completions, golds cached",
        {
            "batch": _scored(batch),
            "step": _stepped(settings, batch, "Disabled"),
            "step and reset": _stepped(settings, batch, "SameStep"),
        },
        [
            Finding(
                "rate of a vector environment's step over that of one batch",
                lambda seen: seen.ratio("batch", "step", "wall_s"),
                least=0.7,
            ),
            Finding(
                "rate of a vector environment's step that begins the next episodes over that of one batch",
                lambda seen: seen.ratio("batch", "step and reset", "wall_s"),
            ),
        ],
        batch.facts(),
    )


def _made(settings: Settings, count: int, autoreset: str) -> tuple[Any, list[str]]:
    """The environments, and the ids of the tasks that they begin with."""
    environments = gymnasium.make_vec(
        get_environment_id("demo"),
        num_envs=count,
        vectorization_mode="vector_entry_point",
        split="train",
        workers=WORKERS,
        autoreset_mode=autoreset,
    )
    _, info = environments.reset(seed=settings.seed)
    return environments, list(info["task_id"])


def _answers(settings: Settings, count: int) -> Items:
    """A completion for the first task of each environment."""
    environments, ids = _made(settings, count, "Disabled")
    environments.close()
    tasks = {task.id: task for task in load_benchmark("demo", "train").tasks}
    golds: dict[str, list[str]] = {}
    for task in tasks.values():
        golds.setdefault(task.database, []).append(task.gold_sql)
    draw = settings.draw("vector")
    return items([(tasks[i], [sample(tasks[i].gold_sql, golds[tasks[i].database], draw)]) for i in ids])


def _scored(batch: Items) -> Contender:
    def run() -> dict[str, dict[str, float]]:
        with started(batch, WORKERS) as scorer:
            scorer.golds(batch.tasks)
            _, reading = clocked(lambda: scorer.score(batch.completions, batch.tasks))
        return {"batch": reading.figures()}

    return run


def _stepped(settings: Settings, batch: Items, autoreset: str) -> Contender:
    name = "step" if autoreset == "Disabled" else "step and reset"

    def run() -> dict[str, dict[str, float]]:
        environments, _ = _made(settings, len(batch), autoreset)
        _, reading = clocked(lambda: environments.step(tuple(batch.completions)))
        environments.close()
        return {name: reading.figures()}

    return run
