"""Workloads of the whole library: other calls than one batch, memory, start, and verdicts under load."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from itertools import cycle, islice, product
from pathlib import Path
from statistics import median, quantiles

import gymnasium

from benchmarks.performance.batches import Batch, hostile_batch, make_batch, spider_batch
from benchmarks.performance.resources import clocked, peak_memory
from benchmarks.performance.samples import sample_groups
from benchmarks.performance.settings import Settings
from benchmarks.performance.throughput.contenders import SQLiteBaseline, clock_scores, scorers, start_scorer
from benchmarks.performance.throughput.measurement import Contender, Finding, Workload
from sql_env import Limits, Query, Score, Scorer, SQLEnv, load_benchmark, respond

THREADS, WORKERS, HOSTILE_TASKS = 64, 2, 512
WARM_UP, TRIES, STARTS = 20, 5, 3
"""Steps before the first measured step, runs of a query and starts of an interpreter. The fastest counts."""


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
            return {row: clock_scores(batch, score_one_by_one)}

    return Workload(
        f"real Spider completions, one by one from {THREADS} threads and as one batch, golds cold",
        {**scorers(batch, "cold", workers=[WORKERS]), row: run},
        lambda seen: [
            Finding(
                f"rate of {THREADS} threads sample by sample over that of one batch",
                seen.ratio(row, f"scorer-{WORKERS} cold", "scores_per_s"),
                0.6,
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
                150.0,
                "<=",
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
        figures = clock_scores(batch, lambda: environments.step(tuple(batch.completions)))
        environments.close()
        return {"vector step": figures}

    return Workload(
        f"one step of {count} environments, and one batch of the same completions, golds cached",
        {**scorers(batch, "cold", "cached", workers=[WORKERS]), "vector step": run},
        lambda seen: [
            Finding(
                "rate of a vector environment's step over that of one batch",
                seen.ratio("vector step", f"scorer-{WORKERS} cached", "scores_per_s"),
                0.7,
            )
        ],
        batch.facts(),
    )


def memory(settings: Settings) -> Workload:
    """Return the batch of the workload ``hostile``, made and scored by a fresh interpreter."""
    code = f"from {__name__} import score_hostile; score_hostile({settings.seed}, {settings.scale})"
    row = f"scorer-{WORKERS}"
    return Workload(
        "the hostile mix as one batch in a fresh interpreter; PSS of the whole process tree",
        {row: lambda: {row: {"peak_gb": peak_memory([sys.executable, "-c", code]) / 1e9}}},
        lambda seen: [
            Finding(
                f"peak memory of the whole tree, hostile mix, {WORKERS} workers, GB",
                max(seen.values(row, "peak_gb")),
                1.5,
                "<=",
            )
        ],
        {"completions": len(hostile_batch(settings, HOSTILE_TASKS).tasks)},
    )


def score_hostile(seed: int, scale: float) -> None:
    """Score the hostile batch once."""
    batch = hostile_batch(Settings(seed=seed, scale=scale), HOSTILE_TASKS)
    with Scorer(limits=batch.limits, workers=WORKERS) as scorer:
        scorer.score(batch.completions, batch.tasks)


def imports(settings: Settings) -> Workload:
    """Return fresh interpreters: one imports gymnasium, one this library, and one prints the help."""
    commands = {
        "import gymnasium": [sys.executable, "-c", "import gymnasium"],
        "import sql_env": [sys.executable, "-c", "import sql_env"],
        "sql-env --help": [str(Path(sys.executable).with_name("sql-env")), "--help"],
    }

    return Workload(
        "fresh interpreters, files in the system's cache",
        {row: partial(_start, row, command) for row, command in commands.items()},
        lambda seen: [
            Finding(
                "import sql_env over import gymnasium, s",
                median(
                    ours - theirs
                    for ours, theirs in zip(
                        seen.values("import sql_env", "wall_s"),
                        seen.values("import gymnasium", "wall_s"),
                        strict=True,
                    )
                ),
                0.25,
                "<=",
            ),
            Finding("sql-env --help, s", seen.median("sql-env --help", "wall_s"), 0.5, "<="),
        ],
    )


def _start(row: str, command: Sequence[str]) -> dict[str, dict[str, float]]:
    """Run a command a few times, and return the figures of the fastest run."""
    run = partial(subprocess.run, command, check=True, stdout=subprocess.DEVNULL)
    starts = [clocked(run)[1] for _ in range(STARTS)]
    return {row: min(starts, key=lambda figures: figures["wall_s"])}


def verdicts(settings: Settings) -> Workload:
    """Return real and hostile completions, scored with more workers and under load, and compared."""
    batches = (hostile_batch(settings, 278), spider_batch(settings))
    pairs = cycle(
        (text, task) for batch in batches for text, task in zip(batch.completions, batch.tasks, strict=True)
    )
    completions, tasks = zip(*islice(pairs, settings.scaled(10_000)), strict=True)
    batch = Batch(completions, tasks)
    with start_scorer(batch, 1) as scorer:
        expected = _verdicts(scorer.score(completions, tasks))

    loads = {"idle": 0, "full load": os.cpu_count() or 1}
    contenders: dict[str, Contender] = {}
    for workers, load in product((1, 2, 4), loads):
        row = f"workers {workers}, {load}"
        contenders[row] = partial(_compare, row, batch, expected, workers, loads[load])
    return Workload(
        "real Spider completions and the hostile mix; full load is one busy process on each core",
        contenders,
        lambda seen: [
            Finding(
                "verdicts that differ, with 1, 2 and 4 workers, idle and under full load",
                sum(max(seen.values(row, "differing")) for row in contenders),
                0.0,
                "<=",
            )
        ],
        batch.facts(),
        repeats=1,
    )


def _compare(
    row: str, batch: Batch, expected: Sequence[object], workers: int, busy: int
) -> dict[str, dict[str, float]]:
    """Score a batch beside some busy processes, and count the verdicts that are not as expected."""
    with start_scorer(batch, workers) as scorer, ExitStack() as stack:
        for _ in range(busy):
            process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            stack.callback(process.wait)
            stack.callback(process.kill)
        scores, figures = clocked(lambda: scorer.score(batch.completions, batch.tasks))
    differing = sum(a != b for a, b in zip(_verdicts(scores), expected, strict=True))
    return {row: {"differing": float(differing), **figures}}


def _verdicts(scores: Sequence[Score]) -> list[tuple[object, ...]]:
    """Return what must not differ: statuses, correctness, totals and components."""
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


def _microseconds(call: Callable[[], object]) -> float:
    began = time.perf_counter_ns()
    call()
    return (time.perf_counter_ns() - began) / 1000
