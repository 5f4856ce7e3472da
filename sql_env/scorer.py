"""The one path from completions to scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import TypeAlias

from sql_env.backends import load_executor
from sql_env.comparison import Comparison, Gold, Order, comparison, gold
from sql_env.engines.file import signature
from sql_env.gold_cache import GoldCache, GoldKey
from sql_env.limits import Limits
from sql_env.parser import parse
from sql_env.rubric import Rubric, RubricSpec, rubric
from sql_env.types import Action, ExecutionResult, Query, Rollout, Score, Task, Turn

Histories: TypeAlias = Sequence[tuple[Turn, ...] | None]
"""For each completion the turns before it, maybe none; None where the model could not explore."""


class Scorer:
    """Parse, execute, compare, reward.

    `SQLEnv.step`, the trainers, the benchmarks and the command line all score here, so a number
    is the same number wherever it is met. A score depends on the completion, the task and the
    rubric alone: not on the batch, its order, the number of workers, or the load of the machine.

    Safe to call from several threads.

    Args:
        spec: The rubric, or what `sql_env.rubric.rubric` makes one from.
        limits: What each query may cost.
        workers: How many processes run queries.
        comparison: Semantics that replace the rubric's and each task's own.
        gold_cache: How many gold results are kept between batches.
        backend: What runs queries: ``local``, ``ray`` or ``auto``; see `sql_env.backends`.

    Example:
        >>> from benchmarks.demo import demo
        >>> task = demo(split="test").tasks[0]
        >>> with Scorer("sql-r1") as scorer:
        ...     scorer.score(["no idea"], [task])[0].components["format"]
        -1.0
    """

    def __init__(
        self,
        spec: RubricSpec | Rubric = "sql-r1",
        *,
        limits: Limits | None = None,
        workers: int = 1,
        comparison: str | None = None,
        gold_cache: int = 4096,
        backend: str = "local",
    ) -> None:
        self.rubric = spec if isinstance(spec, Rubric) else rubric(spec)
        self.executor = load_executor(backend, limits or Limits(), workers)
        self._comparison = comparison or self.rubric.comparison
        self._golds = GoldCache(gold_cache)

    def score(
        self, completions: Sequence[str], tasks: Sequence[Task], histories: Histories | None = None
    ) -> list[Score]:
        """Score completions, each against the task at the same place.

        Args:
            completions: The model's texts, ``n`` of them.
            tasks: ``n`` tasks; a task occurs as often as it has completions.
            histories: ``n`` histories, where the completions end an `sql_env.episode.Episode`.

        Returns:
            ``n`` scores, in the same order.

        Raises:
            ValueError: They differ in length.
            RewardError: A reward is broken. What a completion says never raises.
        """
        return [self.rubric(rollout) for rollout in self.rollouts(completions, tasks, histories)]

    def rollouts(
        self, completions: Sequence[str], tasks: Sequence[Task], histories: Histories | None = None
    ) -> list[Rollout]:
        """What `score` judges: each completion parsed, run and compared with its gold."""
        if len(completions) != len(tasks):
            raise ValueError(f"{len(completions)} completions for {len(tasks)} tasks: give one task for each")
        past = [None] * len(tasks) if histories is None else histories
        actions = [
            parse(completion, self.rubric.form, tools=turns is not None)
            for completion, turns in zip(completions, past, strict=True)
        ]
        asked = [self._asked(action, task) for action, task in zip(actions, tasks, strict=True)]
        golds, results = self._run(tasks, asked)
        return [
            self._rollout(task, completion, action, results[query] if query else None, gold, turns or ())
            for task, completion, action, query, gold, turns in zip(
                tasks, completions, actions, asked, golds, past, strict=True
            )
        ]

    def golds(self, tasks: Sequence[Task]) -> list[ExecutionResult]:
        """What each task's gold query returns. One that fails masks its task."""
        return [known.result for known in self._run(tasks, [])[0]]

    def close(self) -> None:
        """Stop the workers. Scoring afterwards raises `sql_env.errors.ClosedError`."""
        self.executor.close()

    def __enter__(self) -> Scorer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _semantics(self, task: Task) -> Comparison:
        return comparison(self._comparison or task.comparison)

    def _asked(self, action: Action, task: Task) -> Query | None:
        if action.sql is None:
            return None
        return Query(task.database, self._semantics(task).prepare(action.sql), task.dialect)

    def _run(
        self, tasks: Sequence[Task], asked: Sequence[Query | None]
    ) -> tuple[list[Gold], dict[Query, ExecutionResult]]:
        """Run each distinct query once: predictions, and golds not known yet with their probes."""
        files = {database: signature(database) for database in {task.database for task in tasks}}
        keys = [self._gold_key(task, files[task.database]) for task in tasks]
        golds = self._golds.recall(dict.fromkeys(keys))
        orders = {key: _order(key) for key in dict.fromkeys(keys) if key not in golds}
        probes = {key: _probe(key, order) for key, order in orders.items()}
        wanted = [*asked, *(key.query for key in orders), *probes.values()]
        distinct = [query for query in dict.fromkeys(wanted) if query is not None]
        results = dict(zip(distinct, self.executor.run_many(distinct), strict=True))
        for key, order in orders.items():
            probe = probes[key]
            golds[key] = gold(results[key.query], order, results[probe] if probe else None)
        self._golds.remember({key: golds[key] for key in orders})
        return [golds[key] for key in keys], results

    def _gold_key(self, task: Task, file: tuple[int, int, int]) -> GoldKey:
        semantics = self._semantics(task)
        query = Query(task.database, semantics.prepare_gold(task.gold_sql), task.dialect)
        return GoldKey(query, semantics.name, file)

    def _rollout(
        self,
        task: Task,
        completion: str,
        action: Action,
        result: ExecutionResult | None,
        known: Gold,
        turns: tuple[Turn, ...],
    ) -> Rollout:
        blank = Rollout(task, completion, action, result, known.result, None, turns)
        if blank.masked:
            return blank
        right = result is not None and result.ok and self._semantics(task).equal(result, known)
        return replace(blank, correct=right)


def _order(key: GoldKey) -> Order | None:
    return comparison(key.comparison).order(key.query.sql, key.query.dialect)


def _probe(key: GoldKey, order: Order | None) -> Query | None:
    return replace(key.query, sql=order.probe) if order is not None and order.probe else None
