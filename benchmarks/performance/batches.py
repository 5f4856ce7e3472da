"""Batches to score: completions with their tasks, grouped as in GRPO."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.loading.predictions import read_predictions
from benchmarks.performance.samples import add_hostile_queries, sample_groups
from benchmarks.performance.settings import Settings
from sql_env import Limits, Query, Task, load_benchmark, parse, respond
from sql_env.comparison import get_comparison
from sql_env.errors import DataError

SAMPLES = 8
"""Samples of a task in generated batches."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch for the preset ``sql-r1``.

    Attributes:
        completions: Texts in the preset's response format.
        tasks: The task of each completion.
        limits: Limits of each query.
    """

    completions: Sequence[str]
    tasks: Sequence[Task]
    limits: Limits = field(default_factory=Limits)

    def predictions(self) -> list[Query | None]:
        """Return the query of each completion, or None for a completion without SQL."""
        actions = [parse(completion) for completion in self.completions]
        return [
            None if action.sql is None else prediction_query(task, action.sql)
            for action, task in zip(actions, self.tasks, strict=True)
        ]

    def facts(self) -> dict[str, int]:
        """Return the sizes of the batch."""
        predictions = {query for query in self.predictions() if query is not None}
        return {
            "scores": len(self.tasks),
            "tasks": len(set(self.tasks)),
            "databases": len({task.database for task in self.tasks}),
            "distinct_predictions": len(predictions),
            "distinct_queries": len(predictions.union(map(gold_query, self.tasks))),
        }


def prediction_query(task: Task, sql: str) -> Query:
    """Return a prediction as it runs: after its comparison has rewritten it."""
    return Query(task.database, get_comparison(task.comparison).prepare(sql), task.dialect)


def gold_query(task: Task) -> Query:
    """Return the gold query as it runs: after its comparison has rewritten it."""
    return Query(task.database, get_comparison(task.comparison).prepare_gold(task.gold_sql), task.dialect)


def make_batch(groups: Sequence[tuple[Task, Sequence[str]]], limits: Limits | None = None) -> Batch:
    """Return a batch of tasks with their SQL samples, each in the response format with some reasoning."""
    pairs = [(task, sql) for task, samples in groups for sql in samples]
    reasoning = "The question is: {} It is about {}; I select what it asks for."
    completions = [respond(sql, reasoning.format(task.question, task.db_id)) for task, sql in pairs]
    return Batch(completions, [task for task, _ in pairs], limits or Limits())


def spider_batch(settings: Settings) -> Batch:
    """Return Spider dev, or a sample of it: each task with real models' predictions and its gold query.

    Raises:
        DataError: The data does not exist.
    """
    benchmark = load_benchmark("spider", "dev", str(settings.data("spider")))
    files = sorted(settings.data("predictions", "spider_dev").glob("*.txt"))
    if not files:
        raise DataError("no file of predictions (*.txt) in predictions/spider_dev")
    columns = [*(read_predictions(file, benchmark) for file in files), [t.gold_sql for t in benchmark.tasks]]
    groups = list(zip(benchmark.tasks, zip(*columns, strict=True), strict=True))
    places = settings.random("spider").sample(range(len(groups)), settings.scaled(len(groups)))
    return make_batch([groups[place] for place in sorted(places)])


def small_batch(settings: Settings, tasks: int) -> Batch:
    """Return tasks of the demo benchmark with eight samples each."""
    random, demo = settings.random("small"), load_benchmark("demo", "train").tasks
    return make_batch(sample_groups(random.sample(demo, settings.scaled(tasks)), SAMPLES, random))


def hostile_batch(settings: Settings, tasks: int) -> Batch:
    """Return tasks of the demo benchmark with eight samples each, some of them hostile."""
    random, demo = settings.random("hostile"), load_benchmark("demo", "train").tasks
    groups = sample_groups(random.sample(demo, settings.scaled(tasks, least=13)), SAMPLES, random)
    return make_batch(add_hostile_queries(groups, random))
