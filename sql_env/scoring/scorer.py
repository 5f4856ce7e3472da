"""The one path from completions to scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from itertools import repeat
from time import perf_counter
from types import TracebackType
from typing import TypeAlias

from sql_env.caching.gold_cache import GoldCache, GoldKey
from sql_env.caching.gold_store import GoldStore
from sql_env.comparison import Gold, Order, get_comparison, make_gold
from sql_env.execution.backends import load_executor
from sql_env.execution.engines.files import read_signature
from sql_env.execution.messages import Judgement, JudgeRequest
from sql_env.execution.rows import ROWS_NOT_FETCHED
from sql_env.limits import Limits
from sql_env.parser import parse
from sql_env.scoring.batch import GoldTarget, QueryBatch, QueryOutcome
from sql_env.scoring.rubric import Rubric, RubricSpec, load_rubric
from sql_env.scoring.stats import Counters, ScorerStats
from sql_env.scoring.together import Together
from sql_env.types import Action, ExecutionResult, Query, Rollout, Score, Status, Task, Turn

Histories: TypeAlias = Sequence[tuple[Turn, ...] | None]
"""For each completion the turns before it, maybe none; None where the model could not explore."""


Item: TypeAlias = tuple[str, Task, tuple[Turn, ...] | None]
"""A completion, its task and its history."""


class Scorer:
    """Parse, execute, compare, reward.

    `SQLEnv.step`, the trainers, the benchmarks and the command line all score here, so a number
    is the same number wherever it is met. A score depends on the completion, the task and the
    rubric alone: not on the batch, its order, the number of workers, or the load of the machine.

    Safe to call from several threads; what they ask at the same time is one batch.

    Args:
        spec: The rubric, or what `sql_env.scoring.rubric.load_rubric` makes one from.
        limits: What each query may cost.
        workers: How many processes run queries.
        comparison: Semantics that replace the rubric's and each task's own.
        rows: Whether `Rollout.result` is to have its rows. Where None, it has them if some reward of the
            rubric may read them; see `sql_env.without_rows`. Gold results always have theirs.
        gold_cache: How many gold results are kept between batches.
        gold_store: Golds on disk, which other processes and later runs share; True for the one in
            `sql_env.caching.folder.cache_root`.
        backend: What runs queries: ``local``, ``ray`` or ``auto``; see `sql_env.execution.backends`.

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
        self.executor = load_executor(backend, limits or Limits(), workers)
        self._comparison = comparison or self.rubric.comparison
        self._rows = self.rubric.reads_rows if rows is None else rows
        self._golds = GoldCache(gold_cache)
        self._store = GoldStore() if gold_store is True else gold_store or None
        self._tally = Counters()
        batches = workers + 1  # one more than can run, so that the next is ready
        self._with_rows = Together(partial(self._batch, rows=True), batches)
        self._without_rows = Together(partial(self._batch, rows=False), batches)

    @property
    def stats(self) -> ScorerStats:
        """What it has done so far, and where the time went. Two of them can be subtracted."""
        return self._tally.stats(self.executor.stats, self.executor.workers)

    def score(
        self,
        completions: Sequence[str],
        tasks: Sequence[Task],
        histories: Histories | None = None,
        *,
        rows: bool | None = None,
    ) -> list[Score]:
        """Score completions, each against the task at the same place.

        Args:
            completions: The model's texts, ``n`` of them.
            tasks: ``n`` tasks; a task occurs as often as it has completions.
            histories: ``n`` histories, where the completions end an `sql_env.envs.episode.Episode`.
            rows: What the scorer was made with, for this call.

        Returns:
            ``n`` scores, in the same order.

        Raises:
            ValueError: They differ in length.
            RewardError: A reward is broken. What a completion says never raises.
        """
        rollouts = self.rollouts(completions, tasks, histories, rows=rows)
        began = perf_counter()
        scores = [self.rubric(rollout) for rollout in rollouts]
        self._tally.add(rewarding=perf_counter() - began)
        return scores

    def rollouts(
        self,
        completions: Sequence[str],
        tasks: Sequence[Task],
        histories: Histories | None = None,
        *,
        rows: bool | None = None,
    ) -> list[Rollout]:
        """What `score` judges: each completion parsed, run and compared with its gold."""
        if len(completions) != len(tasks):
            raise ValueError(f"{len(completions)} completions for {len(tasks)} tasks: give one task for each")
        past = repeat(None) if histories is None else histories
        together = self._with_rows if (self._rows if rows is None else rows) else self._without_rows
        return together(list(zip(completions, tasks, past, strict=histories is not None)))

    def golds(self, tasks: Sequence[Task]) -> list[ExecutionResult]:
        """What each task's gold query returns. One that fails masks its task."""
        targets = self._targets(tasks)
        return [targets[id(task)].gold.result for task in tasks]

    def with_rows(self, scores: Sequence[Score]) -> list[Score]:
        """The same scores with the rows of their results: queries whose rows are not here run again."""
        asked = {
            place: self._query(score.rollout.task, score.rollout.action.sql)
            for place, score in enumerate(scores)
            if score.rollout.result is not None and score.rollout.result.rows is ROWS_NOT_FETCHED
        }
        distinct = list(dict.fromkeys(asked.values()))
        results = dict(zip(distinct, self.executor.run_many(distinct), strict=True))
        shown = list(scores)
        for place, query in asked.items():
            shown[place] = replace(shown[place], rollout=replace(shown[place].rollout, result=results[query]))
        return shown

    def close(self) -> None:
        """Stop the workers. Scoring afterwards raises `sql_env.errors.ClosedError`."""
        self.executor.close()

    def __enter__(self) -> Scorer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _batch(self, items: Sequence[Item], rows: bool) -> list[Rollout]:
        """What comes of completions, whoever has asked."""
        began, form = perf_counter(), self.rubric.form
        actions = [parse(completion, form, tools=turns is not None) for completion, _, turns in items]
        parsed = perf_counter()
        targets = self._targets([task for _, task, _ in items])
        known = perf_counter()
        asked = QueryBatch(rows)
        outcomes = [
            asked.of(action.sql, targets[id(task)])
            for action, (_, task, _) in zip(actions, items, strict=True)
        ]
        cases = asked.cases()
        sent = perf_counter()
        judgements = self.executor.judge(cases, rows=rows) if cases else []
        back = perf_counter()
        asked.settle(judgements)
        rollouts = [
            _rollout(item, action, outcome, targets[id(item[1])].gold)
            for item, action, outcome in zip(items, actions, outcomes, strict=True)
        ]
        self._tally.add(
            scores=len(items), distinct=len(cases), known=asked.known, without_sql=asked.blank,
            parsing=parsed - began, gathering=sent - known + perf_counter() - back,
        )  # fmt: skip
        return rollouts

    def _targets(self, tasks: Sequence[Task]) -> dict[int, GoldTarget]:
        """What each task's completions are judged by, under the task's `id`."""
        began = perf_counter()
        distinct = {id(task): task for task in tasks}
        files = {
            database: read_signature(database) for database in {task.database for task in distinct.values()}
        }
        keys = {place: self._gold_key(task, files[task.database]) for place, task in distinct.items()}
        golds = self._golds.recall(dict.fromkeys(keys.values()))
        unknown = [key for key in dict.fromkeys(keys.values()) if key not in golds]
        if unknown:
            golds |= self._learn(unknown)
        hits, seconds = len(golds) - len(unknown), perf_counter() - began
        self._tally.add(gold_hits=hits, gold_misses=len(unknown), gathering=seconds)
        targets = {
            key: GoldTarget(key.query, get_comparison(key.comparison), gold, self.executor.limits)
            for key, gold in golds.items()
        }
        return {place: targets[key] for place, key in keys.items()}

    def _learn(self, keys: Sequence[GoldKey]) -> dict[GoldKey, Gold]:
        """Find golds on disk, or run them."""
        if self._store is None:
            golds = self._run(keys)
        else:
            wanted = self._store.keys([(key.query, key.comparison) for key in keys], self.executor.limits)
            stored = self._store.recall([key for key in wanted if key is not None])
            pairs = list(zip(keys, wanted, strict=True))
            golds = {key: stored[place] for key, place in pairs if place in stored}
            self._tally.add(gold_stored=len(golds))
            fresh = self._run([key for key in keys if key not in golds])
            self._store.remember({place: fresh[key] for key, place in pairs if place and key in fresh})
            golds |= fresh
        self._golds.remember(golds)
        return golds

    def _run(self, keys: Sequence[GoldKey]) -> dict[GoldKey, Gold]:
        """Run gold queries, with their probes."""
        known = self._gather([key.query for key in keys])
        orders = {key: _order(key, known[key.query].result) for key in keys}
        probes = {
            k: replace(k.query, sql=order.probe) for k, order in orders.items() if order and order.probe
        }
        probed = self._gather(probes.values()) if probes else {}
        golds = {}
        for key, order in orders.items():
            of, probe = known[key.query], probes.get(key)
            golds[key] = make_gold(of.result, order, probed[probe].result if probe else None, of.steps)
        return golds

    def _gather(self, queries: Iterable[Query]) -> dict[Query, Judgement]:
        """Run queries that are compared with nothing, each of them once."""
        distinct = list(dict.fromkeys(queries))
        began = perf_counter()
        judged = self.executor.judge([JudgeRequest(query) for query in distinct], steps=True)
        self._tally.add(gathering=began - perf_counter())  # to wait is not to gather
        return dict(zip(distinct, judged, strict=True))

    def _query(self, task: Task, sql: str | None) -> Query:
        semantics = get_comparison(self._comparison or task.comparison)
        return Query(task.database, semantics.prepare(sql or ""), task.dialect)

    def _gold_key(self, task: Task, file: tuple[int, int, int]) -> GoldKey:
        semantics = get_comparison(self._comparison or task.comparison)
        query = Query(task.database, semantics.prepare_gold(task.gold_sql), task.dialect)
        return GoldKey(query, semantics.name, file)


def _order(key: GoldKey, result: ExecutionResult) -> Order | None:
    """How a gold's rows are ordered; not looked into where there is but one row, as that takes a parser."""
    if not result.ok or len(result.rows) < 2:
        return None
    return get_comparison(key.comparison).find_order(key.query.sql, key.query.dialect)


def _rollout(item: Item, action: Action, outcome: QueryOutcome | None, known: Gold) -> Rollout:
    completion, task, history = item
    turns = history or ()
    result = outcome.result if outcome else None
    lost = not known.result.ok or _unavailable(result) or any(_unavailable(turn.result) for turn in turns)
    right = None if lost else outcome is not None and outcome.equal
    return Rollout(task, completion, action, result, known.result, right, turns)


def _unavailable(result: ExecutionResult | None) -> bool:
    return result is not None and result.status is Status.UNAVAILABLE
