"""What each answer took to run, beside what its gold query took."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path

from benchmarks.evaluation.scoring import evaluate
from benchmarks.loading.predictions import read_predictions
from sql_env.comparison import get_comparison
from sql_env.execution.executor import Executor
from sql_env.limits import Limits
from sql_env.types import Benchmark, Cost, Query, Status, Task

CEILING = Limits(max_steps=2**31 - 1, cpu_seconds=120.0, wall_seconds=600.0)
"""Limits under which next to nothing runs out of steps: SQLite's own bound."""

CHUNK = 64
"""Queries that are measured at a time."""


@dataclass(frozen=True, slots=True)
class Spent:
    """One query, run to its end where it has one.

    Attributes:
        task_id: The task that it answers.
        gold_steps: What the gold query took; infinite beyond `CEILING`, None where it fails.
        steps: What it took itself: as ``gold_steps``.
        cpu_seconds: CPU time of that.
        correct: Whether it is right, as a gold query is that runs; None where the gold query fails.
        file: The name of the file of predictions; empty for a gold query.
    """

    task_id: str
    gold_steps: float | None
    steps: float | None
    cpu_seconds: float
    correct: bool | None
    file: str = ""


def spent(
    benchmark: Benchmark,
    files: Sequence[Path],
    *,
    limits: Limits = CEILING,
    progress: Callable[[int], None] | None = None,
) -> tuple[list[Spent], list[Spent]]:
    """Run a benchmark's gold queries, and files of predictions, and score the latter.

    Each distinct query is measured once, as it is run: after the comparison has rewritten it.

    Args:
        benchmark: What the predictions answer.
        files: Files that `benchmarks.loading.predictions.read_predictions` reads.
        limits: What each query may cost.
        progress: Told how many more answers are done, golds included.

    Returns:
        The gold queries, and all predictions.

    Raises:
        DataError: A file cannot be read or lined up.
    """
    tasks = benchmark.tasks
    texts = {file: read_predictions(file, benchmark) for file in files}
    golds = [_gold(task) for task in tasks]
    costs = _costs({*golds, *_asked(tasks, texts)}, limits)
    if progress is not None:
        progress(len(tasks))
    answers: list[Spent] = []
    for file, predictions in texts.items():
        scores = evaluate(benchmark, predictions, limits=limits, workers=1, progress=progress)
        answers += [
            _spent(task, costs, golds[place], _prediction(task, text), score.rollout.correct, file.name)
            for place, (task, text, score) in enumerate(zip(tasks, predictions, scores, strict=True))
        ]
    itself = [
        _spent(task, costs, gold, gold, _steps(costs[gold]) is not None or None)
        for task, gold in zip(tasks, golds, strict=True)
    ]
    return itself, answers


def _gold(task: Task) -> Query:
    return Query(task.database, get_comparison(task.comparison).prepare_gold(task.gold_sql), task.dialect)


def _prediction(task: Task, sql: str) -> Query:
    return Query(task.database, get_comparison(task.comparison).prepare(sql), task.dialect)


def _asked(tasks: Sequence[Task], texts: Mapping[Path, Sequence[str]]) -> set[Query]:
    return {
        _prediction(task, text)
        for predictions in texts.values()
        for task, text in zip(tasks, predictions, strict=True)
    }


def _costs(queries: set[Query], limits: Limits) -> dict[Query, Cost]:
    ordered = sorted(queries, key=lambda query: (query.database, query.sql))
    found: dict[Query, Cost] = {}
    with Executor(limits) as executor:
        for start in range(0, len(ordered), CHUNK):
            some = ordered[start : start + CHUNK]
            found |= zip(some, executor.measure(some), strict=True)
    return found


def _spent(
    task: Task, costs: Mapping[Query, Cost], gold: Query, query: Query, correct: bool | None, file: str = ""
) -> Spent:
    cost = costs[query]
    return Spent(task.id, _steps(costs[gold]), _steps(cost), cost.cpu_seconds or 0.0, correct, file)


def _steps(cost: Cost) -> float | None:
    return inf if cost.status is Status.TIMEOUT else cost.steps
