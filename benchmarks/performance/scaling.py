"""Measure scoring with more tasks and more workers: ``python -m benchmarks.performance.scaling --help``."""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import cache
from itertools import pairwise, product
from random import Random
from statistics import median
from typing import Annotated, Any, Literal

import typer
from rich.table import Table

from benchmarks.diagnostics.checks.checker import check_tasks
from benchmarks.diagnostics.terminal import progress_bar
from benchmarks.evaluation.judging import SQL
from benchmarks.performance.batches import Batch, score_one_by_one, small_batch, spider_batch
from benchmarks.performance.generated import part_databases, part_samples, part_tasks
from benchmarks.performance.harness import (
    DataDir,
    JsonFile,
    Repeats,
    Seed,
    Settings,
    clocked,
    describe_machine,
    exit_on_error,
    own_memory,
    write_json,
)
from sql_env import Scorer
from sql_env.display.terminal import make_console
from sql_env.errors import DataError
from sql_env.scoring.stream import score_stream

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="Measure scoring with more tasks and more workers.",
)

THREADS = min(32, (os.cpu_count() or 1) + 4)
"""Threads of a reward worker: those of asyncio's default executor, which verl uses."""

READINGS = 50
"""Readings of the driver's memory in a long run."""

Workers = Annotated[list[int], typer.Option(min=1, help="Number of processes. Repeat it for several.")]
BatchSize = Annotated[list[int], typer.Option(min=1, help="Completions of a step. Repeat it for several.")]
Job = Literal["check", "score"]
"""The jobs of a long run: check each gold query, or score one completion for each task."""


def long_run(
    job: Job,
    tasks: int,
    databases: int,
    workers: int,
    backend: str,
    seed: int,
    progress: Callable[[int], None],
) -> dict[str, Any]:
    """Do a job for generated tasks, and return its cost as JSON.

    Databases are made, and a cluster is joined, before the clock starts. ``cpu`` is the CPU time of this
    process and of all that it started; other nodes of a cluster do not count. ``memory`` are MB of this
    process (USS), read after equal numbers of tasks. ``outcome`` counts verdicts or findings; it does not
    depend on the backend or the workers.

    Args:
        job: The job.
        tasks: Number of tasks.
        databases: Number of databases.
        workers: Number of processes that run queries.
        backend: Where queries run; see `sql_env.execution.backends`.
        seed: Random seed of the tasks.
        progress: Called with the number of further tasks that are done.
    """
    paths, memory, done = part_databases(databases, seed), list[float](), 0
    Scorer(SQL, workers=workers, backend=backend).close()

    def advance(more: int) -> None:
        nonlocal done
        before, done = done, done + more
        if before * READINGS // tasks < done * READINGS // tasks:
            memory.append(own_memory() / 1e6)
        progress(more)

    def check() -> Mapping[str, int]:
        drawn = list(part_tasks(paths, tasks, seed))
        return check_tasks(drawn, workers=workers, backend=backend, progress=advance).counts

    def score() -> Mapping[str, int]:
        verdicts = Counter[str]()
        with Scorer(SQL, workers=workers, backend=backend) as scorer:
            for found in score_stream(scorer, part_samples(paths, tasks, seed), batch=1024 * workers):
                verdicts["masked" if found.masked else "right" if found.rollout.correct else "wrong"] += 1
                advance(1)
        return verdicts

    outcome, figures = clocked(check if job == "check" else score)
    return {
        "job": job,
        "backend": backend,
        "workers": workers,
        "tasks": tasks,
        "wall": figures["wall_s"],
        "cpu": figures["cpu_s"],
        "rate": tasks / figures["wall_s"],
        "memory": memory,
        "growth": memory_growth(memory),
        "outcome": dict(outcome),
    }


def memory_growth(memory: Sequence[float]) -> float:
    """Return the median of the last fifth of the readings less the median of their second fifth."""
    fifth = max(1, len(memory) // 5)
    return median(memory[-fifth:]) - median(memory[fifth : 2 * fifth] or memory)


def reward_seconds(batch: Batch, workers: int) -> tuple[float, int]:
    """Return the seconds in which reward workers score a batch, and the number of masked completions.

    verl cuts a batch into one part for each reward worker. A reward worker is a process with its own scorer;
    it scores sample by sample from a pool of threads (verl 0.9.1, ``verl/experimental/reward_loop``). The
    workers have started and scored one completion before the clock starts.
    """
    context = multiprocessing.get_context("spawn")
    cuts = [len(batch.tasks) * n // workers for n in range(workers + 1)]
    parts = [Batch(batch.completions[a:b], batch.tasks[a:b]) for a, b in pairwise(cuts)]
    with ExitStack() as stack:
        pools = [stack.enter_context(ProcessPoolExecutor(1, context)) for _ in range(workers)]

        def score(parts: Sequence[Batch]) -> int:
            calls = [pool.submit(_count_masked, part) for pool, part in zip(pools, parts, strict=True)]
            return sum(call.result() for call in calls)

        score([Batch(batch.completions[:1], batch.tasks[:1])] * workers)
        masked, figures = clocked(lambda: score(parts))
    return figures["wall_s"], masked


def draw_batch(batch: Batch, completions: int, random: Random) -> Batch:
    """Return successive completions of a batch from a random place on. After the last comes the first."""
    start, size = random.randrange(len(batch.tasks)), len(batch.tasks)
    places = [place % size for place in range(start, start + completions)]
    return Batch([batch.completions[place] for place in places], [batch.tasks[place] for place in places])


_scorer = cache(Scorer)
"""Return the scorer of this reward worker. The first completion, scored alone, makes it."""


def _count_masked(batch: Batch) -> int:
    """Score a batch in this reward worker, and return the number of masked completions."""
    return sum(score.masked for score in score_one_by_one(_scorer(), batch, THREADS))


@app.command("long-run")
def measure_long_run(
    job: Annotated[Job, typer.Option(help="The job to do for each task.")] = "check",
    tasks: Annotated[int, typer.Option(min=1, help="Number of tasks.")] = 100_000,
    databases: Annotated[int, typer.Option(min=1, help="Number of generated databases.")] = 1_000,
    workers: Workers = [1, 2],  # noqa: B006 - typer copies it
    backend: Annotated[str, typer.Option(help="Where queries run: local, ray or auto.")] = "ray",
    seed: Seed = 0,
    json_file: JsonFile = None,
) -> None:
    """Check or score many generated tasks: the rate, and the memory of the driver process."""
    with exit_on_error("psutil"):
        runs = []
        for count in workers:
            with progress_bar(f"{job}, {count} workers", tasks) as advance:
                runs.append(long_run(job, tasks, databases, count, backend, seed, advance))
        write_json(json_file, {"machine": describe_machine(), "runs": runs})
    table = Table("job", "backend", "workers", "tasks", "s", "tasks/s", "CPU-ms", "MB", "+MB")
    for run in runs:
        table.add_row(
            job,
            backend,
            str(run["workers"]),
            f"{tasks:,}",
            f"{run['wall']:.1f}",
            f"{run['rate']:,.0f}",
            f"{1000 * run['cpu'] / tasks:.2f}",
            f"{max(run['memory']):.0f}",
            f"{run['growth']:+.1f}",
        )
    make_console(highlight=False).print(table)


@app.command("reward")
def measure_reward(
    batch: BatchSize = [512, 4096],  # noqa: B006
    workers: Workers = [1, 2, 4],  # noqa: B006
    repeats: Repeats = 3,
    seed: Seed = 0,
    data_dir: DataDir = None,
    json_file: JsonFile = None,
) -> None:
    """Measure the time in which reward workers score a batch, by their number.

    The data is Spider dev with real models' predictions, or else the demo benchmark.
    """
    settings = Settings(repeats, seed, data_dir)
    with exit_on_error("psutil"):
        try:
            name, data = "spider", spider_batch(settings)
        except DataError:
            name, data = "demo", small_batch(settings, 6000)
        table = Table("completions", "reward workers", "seconds, median", "least", "most", title=name)
        waits = []
        for size, count in product(batch, workers):
            random = settings.random(f"{size} completions")
            found = [reward_seconds(draw_batch(data, size, random), count) for _ in range(repeats)]
            seconds, masked = zip(*found, strict=True)
            waits.append({"batch": size, "workers": count, "seconds": seconds, "masked": sum(masked)})
            table.add_row(
                str(size),
                str(count),
                f"{median(seconds):.2f}",
                f"{min(seconds):.2f}",
                f"{max(seconds):.2f}",
            )
        write_json(json_file, {"machine": describe_machine(), "data": name, "waits": waits})
    make_console(highlight=False).print(table)


if __name__ == "__main__":
    app()
