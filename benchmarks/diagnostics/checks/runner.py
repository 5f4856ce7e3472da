"""Runs each gold query, and its variants, under the limits of any query."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import groupby

from benchmarks.diagnostics.checks.gold_case import Trial, Variant
from benchmarks.diagnostics.checks.rewrites.copies import LARGEST, shuffled
from benchmarks.diagnostics.checks.rewrites.variants import NULL_ORDER, STORED, Variants, variants
from sql_env.comparison import Comparison, Gold, Order, get_comparison, make_gold
from sql_env.errors import DatabaseError
from sql_env.limits import Limits
from sql_env.scoring.scorer import Scorer
from sql_env.types import ExecutionResult, Query, Rollout, Task

RUBRIC = {"rewards": ["result"], "response_format": "sql"}

CHUNK = 32
"""Tasks whose variants are run at once."""


def trials(
    tasks: Sequence[Task],
    *,
    limits: Limits | None = None,
    workers: int = 1,
    comparison: str | None = None,
    largest: int = LARGEST,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Trial]:
    """Try each task's gold query.

    Args:
        tasks: The tasks.
        limits: What each query may cost; the variants may cost as much.
        workers: How many processes run queries.
        comparison: Semantics that replace the tasks' own.
        largest: Bytes of the largest database that is copied.
        progress: Called with the number of further tasks that are done.

    Returns:
        A trial for each task, those on one database together.
    """
    with Scorer(RUBRIC, limits=limits, workers=workers, comparison=comparison) as scorer:
        for database, group in groupby(sorted(tasks, key=by_database), key=by_database):
            same = list(group)
            with ExitStack() as stack:
                copies, excuse = _copies(stack, database, largest)
                for start in range(0, len(same), CHUNK):
                    chunk = same[start : start + CHUNK]
                    yield from _Chunk(scorer, chunk, comparison, copies, excuse).trials()
                    if progress is not None:
                        progress(len(chunk))


def by_database(task: Task) -> tuple[str, str]:
    """What tasks on one database share."""
    return task.dialect, task.database


def _copies(stack: ExitStack, database: tuple[str, str], largest: int) -> tuple[list[str], str]:
    """Shuffled copies, or why there are none."""
    dialect, path = database
    if dialect != "sqlite":
        return [], f"databases of {dialect} are not copied"
    try:
        return stack.enter_context(shuffled(path, largest)), ""
    except DatabaseError as error:
        return [], str(error)


class _Chunk:
    """Some tasks on one database, and what their queries have returned so far."""

    def __init__(
        self, scorer: Scorer, tasks: list[Task], semantics: str | None, copies: list[str], excuse: str
    ) -> None:
        self._scorer, self._executor = scorer, scorer.executor
        self._tasks, self._copies, self._excuse = tasks, copies, excuse
        self._semantics = [get_comparison(semantics or task.comparison) for task in tasks]
        self._results: dict[Query, ExecutionResult] = {}

    def trials(self) -> list[Trial]:
        """Score the golds, and then run in one batch what the comparison of each needs."""
        rollouts = self._scorer.rollouts([task.gold_sql for task in self._tasks], self._tasks)
        asked = [
            Query(task.database, semantics.prepare_gold(task.gold_sql), task.dialect)
            for task, semantics in zip(self._tasks, self._semantics, strict=True)
        ]
        sound = {
            query: _variants(query, rollout, semantics)
            for query, rollout, semantics in zip(asked, rollouts, self._semantics, strict=True)
            if rollout.gold.ok
        }
        self._run([query for query, found in sound.items() for query in self._queries(query, found)])
        steps = dict(zip(sound, (cost.steps for cost in self._executor.measure(list(sound))), strict=True))
        budget = self._executor.limits.max_steps
        return [
            self._trial(
                Trial(rollout, query.sql, steps.get(query), budget), query, semantics, sound.get(query)
            )
            for rollout, query, semantics in zip(rollouts, asked, self._semantics, strict=True)
        ]

    def _queries(self, query: Query, found: Variants) -> Iterator[Query]:
        texts = [query.sql, found.settled, found.plain, found.nulls]
        for several in (*found.retold.values(), *found.edited.values()):
            texts.extend(several)
        for text in filter(None, texts):
            yield replace(query, sql=text)
        for copy in self._copies:
            yield Query(copy, found.settled, query.dialect)
            yield Query(copy, query.sql, query.dialect)

    def _run(self, queries: list[Query]) -> None:
        distinct = list(dict.fromkeys(queries))
        self._results = dict(zip(distinct, self._executor.run_many(distinct), strict=True))

    def _trial(self, trial: Trial, query: Query, semantics: Comparison, found: Variants | None) -> Trial:
        if found is None:
            return trial
        known = self._known(query, semantics)
        void = bool(found.plain) and self._results[replace(query, sql=found.plain)].rows != known.result.rows
        settled, base = replace(query, sql=query.sql if void else found.settled), known
        if settled.sql != query.sql:
            base = self._known(settled, semantics)
        several = {**found.retold, **({} if void else found.edited)}
        made = {
            name: tuple(self._variant(replace(query, sql=text), known, semantics) for text in texts)
            for name, texts in several.items()
        }
        if found.nulls and not void:
            made[NULL_ORDER] = (self._variant(replace(query, sql=found.nulls), base, semantics),)
        made[STORED] = tuple(
            self._variant(replace(settled, database=copy), base, semantics) for copy in self._copies
        )
        return replace(trial, variants=made, undecided=found.undecided or self._undecided(void, made[STORED]))

    def _undecided(self, void: bool, stored: Sequence[Variant]) -> str:
        if void:
            return "as the parser writes it, it returns something else"
        if stored and all(variant.changed is None for variant in stored):
            said = stored[0].result.error or "its ties cannot be broken"
            return f"it does not run on a copy of the database: {said}"
        return self._excuse

    def _known(self, query: Query, semantics: Comparison) -> Gold:
        """What the query returned, with the rows that tie as far as the comparison lets them."""
        order = semantics.find_order(query.sql, query.dialect)
        probe = order.probe if order is not None else None
        probed = self._executor.run(replace(query, sql=probe)) if probe else None
        return make_gold(self._results[query], order, probed)

    def _variant(self, query: Query, before: Gold, semantics: Comparison) -> Variant:
        result = self._results[query]
        told = result.ok and before.result.ok
        changed = not semantics.is_equal(result, before) if told else None
        return Variant(query.sql, result, before.result, changed)


def _variants(query: Query, rollout: Rollout, semantics: Comparison) -> Variants:
    order: Order | None = semantics.find_order(query.sql, query.dialect)
    return variants(query.sql, query.dialect, len(rollout.gold.columns), order is not None)
