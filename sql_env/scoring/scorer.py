"""The path from completions to scores. All scores are computed here."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import repeat
from time import perf_counter
from types import TracebackType
from typing import TypeAlias

from sql_env.caching.gold_store import GoldStore
from sql_env.comparison import Gold, get_comparison
from sql_env.execution.backends import load_executor
from sql_env.execution.rows import ROWS_NOT_FETCHED
from sql_env.limits import Limits
from sql_env.parser import parse
from sql_env.scoring.batch import QueryBatch, QueryOutcome
from sql_env.scoring.coalescer import Coalescer
from sql_env.scoring.gold_results import GoldResults
from sql_env.scoring.rubric import Rubric, RubricSpec, load_rubric
from sql_env.scoring.stats import Counters, ScorerStats
from sql_env.types import Action, ExecutionResult, Rollout, Score, Status, Task, Turn

Histories: TypeAlias = Sequence[tuple[Turn, ...] | None]
"""The turns before each completion; None for a completion of an episode with one turn."""

Item: TypeAlias = tuple[str, Task, tuple[Turn, ...] | None]
"""A completion, its task and the turns before it."""


class Scorer:
    """Parse completions, run their SQL, compare the results and compute the rewards.

    `SQLEnv.step`, the trainers, the benchmarks and the command line all score here, so they report the
    same numbers. A score depends only on the completion, the task and the rubric. It does not depend on the
    batch, its order, the number of workers, or the load of the machine.

    Thread-safe. Equal queries that several threads make at the same time run once.

    Args:
        spec: A rubric, or the argument of `sql_env.rubric`: names, functions and numbers.
        limits: The limits of each query.
        workers: The number of processes that run queries.
        comparison: A comparison to use instead of those of the rubric and the tasks.
        rows: True if `Rollout.result` needs rows, False if not. None: only if a reward reads them; see
            `sql_env.without_rows`. Gold results always have rows.
        gold_cache: The number of gold results in memory.
        gold_store: Gold results on disk, which other processes and later runs share. True uses the
            folder of `sql_env.caching.folder.cache_root`.
        backend: The executor: ``local``, ``ray`` or ``auto``; see `sql_env.execution.backends`.

    Raises:
        PluginError: A reward of the rubric is unknown or broken.
        ComparisonError: The comparison is unknown.

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
        rows: bool | None = None,
        gold_cache: int = 4096,
        gold_store: GoldStore | bool = False,
        backend: str = "local",
    ) -> None:
        self.rubric = spec if isinstance(spec, Rubric) else load_rubric(spec)
        comparison = comparison and get_comparison(comparison).name
        self.executor = load_executor(backend, limits or Limits(), workers)
        self._rows = self.rubric.reads_rows if rows is None else rows
        self._counters = Counters()
        # A bound method would keep the scorer alive after its last user. A weak reference does not.
        self._with_rows = Coalescer(partial(_score_batch_of, weakref.ref(self), True), workers + 1)
        self._without_rows = Coalescer(partial(_score_batch_of, weakref.ref(self), False), workers + 1)
        store = GoldStore() if gold_store is True else gold_store or None
        self._golds = GoldResults(
            self.executor, self._counters, comparison or self.rubric.comparison, gold_cache, store
        )

    @property
    def stats(self) -> ScorerStats:
        """Counts and times since the scorer was made. Subtract two of them to measure the time in between."""
        return self._counters.stats(self.executor.stats, self.executor.workers)

    def score(
        self,
        completions: Sequence[str],
        tasks: Sequence[Task],
        histories: Histories | None = None,
        *,
        rows: bool | None = None,
    ) -> list[Score]:
        """Score completions.

        Args:
            completions: ``n`` texts of a model.
            tasks: The ``n`` tasks that they answer. A task with several completions is repeated.
            histories: The ``n`` histories of completions that end an `sql_env.Episode`.
            rows: Replaces the scorer's ``rows`` for this call.

        Returns:
            ``n`` scores in the same order.

        Raises:
            ValueError: The lengths differ.
            RewardError: A reward is broken. No completion can cause an error.
        """
        rollouts = self.rollouts(completions, tasks, histories, rows=rows)
        began = perf_counter()
        scores = self.rubric.score(rollouts)
        self._counters.add(rewarding=perf_counter() - began)
        return scores

    def rollouts(
        self,
        completions: Sequence[str],
        tasks: Sequence[Task],
        histories: Histories | None = None,
        *,
        rows: bool | None = None,
    ) -> list[Rollout]:
        """Parse, run and compare completions, as `score` does, without rewards."""
        if len(completions) != len(tasks):
            raise ValueError(f"{len(completions)} completions for {len(tasks)} tasks: give one task for each")
        past = repeat(None) if histories is None else histories
        items = list(zip(completions, tasks, past, strict=histories is not None))
        return (self._with_rows if (self._rows if rows is None else rows) else self._without_rows)(items)

    def golds(self, tasks: Sequence[Task]) -> list[ExecutionResult]:
        """Return the result of each task's gold query. If a gold query fails, its task is masked."""
        targets = self._golds.targets(tasks)
        return [targets[id(task)].gold.result for task in tasks]

    def with_rows(self, scores: Sequence[Score]) -> list[Score]:
        """Return the same scores with the rows of their results. Queries whose rows are missing run again."""
        queries = {
            place: self._golds.prepared(score.rollout.task, score.rollout.action.sql or "")
            for place, score in enumerate(scores)
            if score.rollout.result is not None and score.rollout.result.rows is ROWS_NOT_FETCHED
        }
        distinct = list(dict.fromkeys(queries.values()))
        results = dict(zip(distinct, self.executor.run_many(distinct), strict=True))
        complete = list(scores)
        for place, query in queries.items():
            rollout = replace(complete[place].rollout, result=results[query])
            complete[place] = replace(complete[place], rollout=rollout)
        return complete

    def close(self) -> None:
        """Stop the workers. Later calls raise `sql_env.errors.ClosedError`."""
        self.executor.close()

    def __enter__(self) -> Scorer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _score_batch(self, items: Sequence[Item], rows: bool) -> list[Rollout]:
        """Parse, run and compare one batch. Equal queries run once."""
        began, form = perf_counter(), self.rubric.form
        actions = [parse(completion, form, tools=turns is not None) for completion, _, turns in items]
        parsed = perf_counter()
        targets = self._golds.targets([task for _, task, _ in items])
        loaded = perf_counter()
        batch = QueryBatch(rows)
        outcomes = [
            batch.add(action.sql, targets[id(task)])
            for action, (_, task, _) in zip(actions, items, strict=True)
        ]
        requests = batch.requests()
        sent = perf_counter()
        judgements = self.executor.judge(requests, rows=rows) if requests else []
        received = perf_counter()
        batch.set_results(judgements)
        rollouts = [
            _make_rollout(item, action, outcome, targets[id(item[1])].gold)
            for item, action, outcome in zip(items, actions, outcomes, strict=True)
        ]
        self._counters.add(
            scores=len(items), distinct=len(requests), known=batch.known, without_sql=batch.blank,
            parsing=parsed - began, gathering=sent - loaded + perf_counter() - received,
        )  # fmt: skip
        return rollouts


def _score_batch_of(scorer: weakref.ref[Scorer], rows: bool, items: Sequence[Item]) -> list[Rollout]:
    alive = scorer()
    assert alive is not None  # its caller waits
    return alive._score_batch(items, rows)


def _make_rollout(item: Item, action: Action, outcome: QueryOutcome | None, gold: Gold) -> Rollout:
    completion, task, history = item
    turns = history or ()
    result = outcome.result if outcome else None
    masked = not gold.result.ok or _unavailable(result) or any(_unavailable(turn.result) for turn in turns)
    correct = None if masked else outcome is not None and outcome.equal
    return Rollout(task, completion, action, result, gold.result, correct, turns)


def _unavailable(result: ExecutionResult | None) -> bool:
    return result is not None and result.status is Status.UNAVAILABLE
