"""Run each gold query and its variants under the same limits as any query."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import groupby

from benchmarks.diagnostics.checks.gold_case import GoldCase, Variant
from benchmarks.diagnostics.checks.rewrites.copies import MAX_COPIED_BYTES, make_shuffled_copies
from benchmarks.diagnostics.checks.rewrites.variants import NULL_ORDER, STORED, VariantTexts, make_variants
from sql_env.comparison import Comparison, Gold, get_comparison, make_gold
from sql_env.errors import DatabaseError
from sql_env.limits import Limits
from sql_env.scoring.scorer import Scorer
from sql_env.types import ExecutionResult, Query, Rollout, Task

RUBRIC = {"rewards": ["result"], "response_format": "sql"}

TASKS_PER_BATCH = 32
"""Tasks whose variants run in one batch."""


def run_gold_cases(
    tasks: Sequence[Task],
    *,
    limits: Limits | None = None,
    workers: int = 1,
    comparison: str | None = None,
    largest: int = MAX_COPIED_BYTES,
    progress: Callable[[int], None] | None = None,
) -> Iterator[GoldCase]:
    """Run the gold query of each task and its variants.

    Args:
        tasks: The tasks.
        limits: The limits of each query; variants have the same limits.
        workers: The number of processes that run queries.
        comparison: The name of a comparison that replaces the tasks' own.
        largest: The size in bytes of the largest database to copy.
        progress: Called with the number of tasks done since the last call.

    Returns:
        A gold case for each task, grouped by database.
    """
    with Scorer(RUBRIC, limits=limits, workers=workers, comparison=comparison) as scorer:
        for database, group in groupby(sorted(tasks, key=get_database_key), key=get_database_key):
            same = list(group)
            with ExitStack() as stack:
                copies, reason = _copy_database(stack, database, largest)
                for start in range(0, len(same), TASKS_PER_BATCH):
                    batch = same[start : start + TASKS_PER_BATCH]
                    yield from _Batch(scorer, batch, comparison, copies, reason).run()
                    if progress is not None:
                        progress(len(batch))


def get_database_key(task: Task) -> tuple[str, str]:
    """Return what all tasks on one database have in common."""
    return task.dialect, task.database


def _copy_database(stack: ExitStack, database: tuple[str, str], largest: int) -> tuple[list[str], str]:
    """Return shuffled copies, or the reason why there are none."""
    dialect, path = database
    if dialect != "sqlite":
        return [], f"databases of {dialect} are not copied"
    try:
        return stack.enter_context(make_shuffled_copies(path, largest)), ""
    except DatabaseError as error:
        return [], str(error)


class _Batch:
    """Some tasks on one database, and the results of their queries."""

    def __init__(
        self, scorer: Scorer, tasks: list[Task], comparison: str | None, copies: list[str], reason: str
    ) -> None:
        self._scorer, self._executor = scorer, scorer.executor
        self._tasks, self._copies, self._reason = tasks, copies, reason
        self._comparisons = [get_comparison(comparison or task.comparison) for task in tasks]
        self._results: dict[Query, ExecutionResult] = {}

    def run(self) -> list[GoldCase]:
        """Score the gold queries, then run all their variants in one batch."""
        rollouts = self._scorer.rollouts([task.gold_sql for task in self._tasks], self._tasks)
        queries = [
            Query(task.database, comparison.prepare_gold(task.gold_sql), task.dialect)
            for task, comparison in zip(self._tasks, self._comparisons, strict=True)
        ]
        texts = {
            query: _make_variants(query, rollout, comparison)
            for query, rollout, comparison in zip(queries, rollouts, self._comparisons, strict=True)
            if rollout.gold.ok
        }
        distinct = list(dict.fromkeys(each for query in texts for each in self._queries(query, texts[query])))
        self._results = dict(zip(distinct, self._executor.run_many(distinct), strict=True))
        steps = dict(zip(texts, (cost.steps for cost in self._executor.measure(list(texts))), strict=True))
        max_steps = self._executor.limits.max_steps
        cases = []
        for rollout, query, comparison in zip(rollouts, queries, self._comparisons, strict=True):
            case = GoldCase(rollout, query.sql, steps.get(query), max_steps)
            found = texts.get(query)
            cases.append(self._add_variants(case, query, comparison, found) if found is not None else case)
        return cases

    def _queries(self, query: Query, found: VariantTexts) -> Iterator[Query]:
        texts = [query.sql, found.without_ties, found.reprinted, found.nulls]
        for several in (*found.token_edits.values(), *found.tree_edits.values()):
            texts.extend(several)
        for text in filter(None, texts):
            yield replace(query, sql=text)
        for copy in self._copies:
            yield Query(copy, found.without_ties, query.dialect)
            yield Query(copy, query.sql, query.dialect)

    def _add_variants(
        self, case: GoldCase, query: Query, comparison: Comparison, found: VariantTexts
    ) -> GoldCase:
        gold = self._make_gold(query, comparison)
        # the parser misread the query if the query as the parser writes it has another result
        misread = (
            bool(found.reprinted)
            and self._results[replace(query, sql=found.reprinted)].rows != gold.result.rows
        )
        without_ties, base = replace(query, sql=query.sql if misread else found.without_ties), gold
        if without_ties.sql != query.sql:
            base = self._make_gold(without_ties, comparison)
        variants = {
            name: tuple(self._make_variant(replace(query, sql=text), gold, comparison) for text in texts)
            for name, texts in {**found.token_edits, **({} if misread else found.tree_edits)}.items()
        }
        if found.nulls and not misread:
            variants[NULL_ORDER] = (self._make_variant(replace(query, sql=found.nulls), base, comparison),)
        stored = tuple(
            self._make_variant(replace(without_ties, database=copy), base, comparison)
            for copy in self._copies
        )
        undecided = found.undecided or self._explain_undecided(misread, stored)
        return replace(case, variants={**variants, STORED: stored}, undecided=undecided)

    def _explain_undecided(self, misread: bool, stored: Sequence[Variant]) -> str:
        if misread:
            return "the query has another result in the form that the parser writes"
        if stored and all(variant.changed is None for variant in stored):
            reason = stored[0].result.error or "its ties cannot be broken"
            return f"it does not run on a copy of the database: {reason}"
        return self._reason

    def _make_gold(self, query: Query, comparison: Comparison) -> Gold:
        """Return the result of a query, with the rows that the comparison allows to tie."""
        order = comparison.find_order(query.sql, query.dialect)
        probe = order.probe if order is not None else None
        probed = self._executor.run(replace(query, sql=probe)) if probe else None
        return make_gold(self._results[query], order, probed)

    def _make_variant(self, query: Query, before: Gold, comparison: Comparison) -> Variant:
        result = self._results[query]
        changed = not comparison.is_equal(result, before) if result.ok and before.result.ok else None
        return Variant(query.sql, result, before.result, changed)


def _make_variants(query: Query, rollout: Rollout, comparison: Comparison) -> VariantTexts:
    ordered = comparison.find_order(query.sql, query.dialect) is not None
    return make_variants(query.sql, query.dialect, len(rollout.gold.columns), ordered)
