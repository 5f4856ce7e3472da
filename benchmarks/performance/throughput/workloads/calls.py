"""Workloads of other calls than one batch: many threads, one step, and a vector environment."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from statistics import median, quantiles

import gymnasium

from benchmarks.performance.batches import make_batch, spider_batch
from benchmarks.performance.resources import clocked
from benchmarks.performance.samples import sample_groups
from benchmarks.performance.settings import Settings
from benchmarks.performance.throughput.baselines import SQLiteBaseline
from benchmarks.performance.throughput.measurement import Finding, Workload
from benchmarks.performance.throughput.scorers import scorers, start_scorer
from sql_env import Limits, Query, Score, SQLEnv, load_benchmark, respond

THREADS, WORKERS = 64, 2
WARM_UP, TRIES = 20, 5


def threads(settings: Settings) -> Workload:
    """Return single calls from many threads, as verl makes them, against one batch."""
    batch, row = spider_batch(settings), f"{THREADS} threads, {WORKERS} workers"

    def run() -> dict[str, dict[str, float]]:
        def score_one_by_one() -> list[list[Score]]:
            with ThreadPoolExecutor(THREADS) as pool:
                calls = pool.map(
                    lambda text, task: scorer.score([text], [task]), batch.completions, batch.tasks
                )
                return list(calls)

        with start_scorer(batch, WORKERS) as scorer:
            return {row: clocked(score_one_by_one)[1]}

    return Workload(
        f"real Spider completions, one by one from {THREADS} threads and as one batch, golds cold",
        {**scorers(batch, "cold", workers=[WORKERS]), row: run},
        lambda seen: [
            Finding(
                f"rate of {THREADS} threads sample by sample over that of one batch",
                seen.ratio(f"scorer-{WORKERS} cold", row, "wall_s"),
                least=0.6,
            )
        ],
        batch.facts(),
    )


def step(settings: Settings) -> Workload:
    """Return steps of the demo environment, less the fastest run of the same query in SQLite alone."""
    random = settings.random("step")
    tasks = random.sample(load_benchmark("demo", "test").tasks, settings.scaled(400, least=10))
    answers = [(task, samples[1]) for task, samples in sample_groups(tasks, 2, random)]

    def run() -> dict[str, dict[str, float]]:
        baseline = SQLiteBaseline((task.database for task in tasks), Limits())
        steps = []
        with closing(SQLEnv("demo", split="test")) as env, closing(baseline):
            for task, sql in (*answers[:WARM_UP], *answers):
                env.reset(options={"task_id": task.id})
                completion = respond(sql, task.question)
                steps.append(_microseconds(partial(env.step, completion)))
            queries = [partial(baseline.rows, Query(task.database, sql)) for task, sql in answers]
            fastest = [min(_microseconds(query) for _ in range(TRIES)) for query in queries]
        times = {"env.step": steps[-len(answers) :], "sqlite_baseline": fastest}
        times["beyond sqlite_baseline"] = [a - b for a, b in zip(*times.values(), strict=True)]
        return {
            row: {"median_us": median(values), "p95_us": quantiles(values, n=20)[-1]}
            for row, values in times.items()
        }

    return Workload(
        "env.step on small databases, and the same queries in SQLite alone",
        {"env.step": run},
        lambda seen: [
            Finding(
                "env.step beyond SQLite's time, median, us",
                seen.median("beyond sqlite_baseline", "median_us"),
                most=150.0,
            )
        ],
        {"steps": len(answers), "databases": len({task.database for task in tasks})},
    )


def vector(settings: Settings) -> Workload:
    """Return one step of many environments, against one batch with known gold results."""
    random, count = settings.random("vector"), settings.scaled(1024)
    tasks = random.sample(load_benchmark("demo", "train").tasks, count)
    batch = make_batch([(task, samples[1:]) for task, samples in sample_groups(tasks, 2, random)])

    def run() -> dict[str, dict[str, float]]:
        environments = gymnasium.make_vec(
            "SQLEnv-demo-v0",
            num_envs=count,
            vectorization_mode="vector_entry_point",
            split="train",
            workers=WORKERS,
            autoreset_mode="Disabled",
        )
        environments.reset(options={"task_id": [task.id for task in tasks]})
        _, figures = clocked(lambda: environments.step(tuple(batch.completions)))
        environments.close()
        return {"vector step": figures}

    return Workload(
        f"one step of {count} environments, and one batch of the same completions, golds cached",
        {**scorers(batch, "cold", "cached", workers=[WORKERS]), "vector step": run},
        lambda seen: [
            Finding(
                "rate of a vector environment's step over that of one batch",
                seen.ratio(f"scorer-{WORKERS} cached", "vector step", "wall_s"),
                least=0.7,
            )
        ],
        batch.facts(),
    )


def _microseconds(call: Callable[[], object]) -> float:
    began = time.perf_counter_ns()
    call()
    return (time.perf_counter_ns() - began) / 1000
