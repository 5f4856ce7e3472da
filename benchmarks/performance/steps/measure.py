"""Measure the steps of answers and gold queries, and the time of a batch with hostile queries."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, cycle, islice
from math import ceil, inf
from operator import attrgetter
from pathlib import Path
from random import Random

from benchmarks.evaluation.judging import evaluate
from benchmarks.performance.batches import add_hostile_queries, gold_query, prediction_query
from sql_env import Benchmark, Executor, Limits, Query, Status, Task
from sql_env.execution.engines import load_engine

CEILING = Limits(max_steps=2**31 - 1, cpu_seconds=120.0, wall_seconds=600.0)
"""Limits that almost no query reaches. The step limit is SQLite's own maximum."""


PROBE = 10_000_000
"""Steps after which a query of the mix counts as a runaway. Its time per step is extrapolated."""


@dataclass(frozen=True, slots=True)
class MeasuredQuery:
    """The steps of one query without a limit.

    Attributes:
        task_id: The id of its task.
        gold_steps: Steps of the gold query; infinite beyond `CEILING`, None if it fails.
        steps: Its own steps, likewise.
        correct: True for a correct answer and for a gold query that runs; None if the gold query fails.
        file: The name of the file of predictions; empty for a gold query.
    """

    task_id: str
    gold_steps: float | None
    steps: float | None
    correct: bool | None
    file: str = ""


@dataclass(frozen=True, slots=True)
class MixQuery:
    """One distinct query of the hostile mix.

    Attributes:
        gold_steps: Steps of its task's gold query, if known.
        steps: Its own steps without a limit; infinite for a runaway.
        seconds_per_step: CPU time of a step.
    """

    gold_steps: float | None
    steps: float
    seconds_per_step: float


def measure_answers(
    benchmark: Benchmark,
    predictions: Mapping[Path, Sequence[str]],
    *,
    progress: Callable[[int], None],
    limits: Limits = CEILING,
) -> list[MeasuredQuery]:
    """Run a benchmark's gold queries and the predictions of some files, and score the predictions.

    Each distinct query is measured once, after its comparison has rewritten it. No answer is scored under a
    limit that depends on its gold query: what such a limit loses is what the study looks for.

    Args:
        benchmark: The tasks.
        predictions: A prediction for each task, by file.
        progress: Called with the number of further answers that are done, gold queries included.
        limits: The limits of each query.

    Returns:
        The gold queries, and then all predictions.
    """
    tasks = benchmark.tasks
    golds = list(map(gold_query, tasks))
    limits = replace(limits, min_steps=limits.max_steps)
    answers = {
        file: [prediction_query(task, text) for task, text in zip(tasks, texts, strict=True)]
        for file, texts in predictions.items()
    }
    distinct = sorted({*golds, *chain.from_iterable(answers.values())}, key=attrgetter("database", "sql"))
    with Executor(limits) as executor:
        costs = zip(distinct, executor.measure(distinct), strict=True)
    steps = {query: inf if cost.status is Status.TIMEOUT else cost.steps for query, cost in costs}
    progress(len(tasks))
    columns: list[tuple[str, list[Query], list[bool | None]]] = [
        ("", golds, [steps[gold] is not None or None for gold in golds])
    ]
    for file, queries in answers.items():
        scores = evaluate(benchmark, predictions[file], limits=limits, workers=1, progress=progress)
        columns.append((file.name, queries, [score.rollout.correct for score in scores]))
    return [
        MeasuredQuery(task.id, steps[gold], steps[query], right, name)
        for name, queries, verdicts in columns
        for task, gold, query, right in zip(tasks, golds, queries, verdicts, strict=True)
    ]


def measure_mix(
    groups: Sequence[tuple[Task, Sequence[str]]],
    gold_steps: Mapping[str, float | None],
    *,
    size: int,
    seed: int = 0,
    progress: Callable[[int], None],
    probe: int = PROBE,
) -> list[MixQuery]:
    """Draw groups of answers, add hostile queries, and run each distinct query once in this process.

    Args:
        groups: Tasks, each with its answers.
        gold_steps: Steps of each task's gold query, by the task's id.
        size: The approximate number of answers.
        seed: Random seed of the groups and the hostile queries.
        progress: Called with the number of further queries that are done.
        probe: Steps after which a query counts as a runaway.
    """
    random, count = Random(seed), sum(len(answers) for _, answers in groups)
    shuffled = random.sample(groups, len(groups))
    chosen = list(islice(cycle(shuffled), ceil(size * len(groups) / max(1, count))))
    queries = {
        prediction_query(task, sql): task
        for task, answers in add_hostile_queries(chosen, random)
        for sql in answers
    }
    engine, found = load_engine("sqlite", replace(Limits(), max_steps=probe)), []
    for query, task in queries.items():
        began = time.thread_time()
        result, steps = engine.measure(query.database, query.sql)
        seconds = (time.thread_time() - began) / max(1, steps or 0)
        unlimited = inf if result.status is Status.TIMEOUT else steps or 0
        found.append(MixQuery(gold_steps[task.id], unlimited, seconds))
        progress(1)
    engine.close()
    return found
