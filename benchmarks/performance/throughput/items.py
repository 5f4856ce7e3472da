"""Completions with their tasks: what is scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain

from sql_env.comparison import get_comparison
from sql_env.limits import Limits
from sql_env.parser import parse, respond
from sql_env.scoring.rubric import Rubric, load_rubric
from sql_env.types import Action, Query, Task


@dataclass(frozen=True, slots=True)
class Items:
    """A batch to score.

    Attributes:
        completions: The model's texts.
        tasks: The task of each of them.
        reward: The rubric.
        limits: What each query may cost.
    """

    completions: Sequence[str]
    tasks: Sequence[Task]
    reward: Rubric
    limits: Limits = field(default_factory=Limits)

    def __len__(self) -> int:
        return len(self.tasks)

    def actions(self) -> list[Action]:
        """Each completion, taken apart."""
        return [parse(completion, self.reward.form) for completion in self.completions]

    def predictions(self, actions: Sequence[Action]) -> list[Query | None]:
        """The query that each action comes to, as its comparison prepares it; None without one."""
        return [
            Query(task.database, get_comparison(task.comparison).prepare(action.sql), task.dialect)
            if action.sql is not None
            else None
            for action, task in zip(actions, self.tasks, strict=True)
        ]

    def golds(self) -> list[Query]:
        """The gold query of each task, as its comparison prepares it."""
        return [
            Query(task.database, get_comparison(task.comparison).prepare_gold(task.gold_sql), task.dialect)
            for task in self.tasks
        ]

    def facts(self) -> dict[str, int]:
        """How many there are of what."""
        predictions = {query for query in self.predictions(self.actions()) if query is not None}
        golds = set(self.golds())
        return {
            "scores": len(self),
            "tasks": len(set(self.tasks)),
            "databases": len({task.database for task in self.tasks}),
            "distinct_predictions": len(predictions),
            "distinct_queries": len(predictions | golds),
        }


def items(groups: Sequence[tuple[Task, Sequence[str]]], limits: Limits | None = None) -> Items:
    """A batch as GRPO makes it: for each task a group of completions, one after another.

    Args:
        groups: Each task with the SQL of its samples. It is wrapped in the response format of SQL-R1,
            whose rubric scores it.
        limits: What each query may cost.
    """
    reward = load_rubric("sql-r1")
    samples = [(task, _completion(task, sql, reward)) for task, group in groups for sql in group]
    tasks, completions = tuple(task for task, _ in samples), tuple(text for _, text in samples)
    return Items(completions, tasks, reward, limits or Limits())


def _completion(task: Task, sql: str, reward: Rubric) -> str:
    reasoning = f"The question is: {task.question} It is about {task.db_id}; I select what it asks for."
    return respond(sql, reasoning, reward.form)


def by_database(queries: Sequence[Query]) -> list[Query]:
    """Distinct queries, those on one database together."""
    groups: dict[str, list[Query]] = {}
    for query in dict.fromkeys(queries):
        groups.setdefault(query.database, []).append(query)
    return list(chain.from_iterable(groups.values()))
