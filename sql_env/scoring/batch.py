"""The distinct queries of one batch of completions, each with all golds that it is compared with."""

from __future__ import annotations

from collections.abc import Sequence

from sql_env.comparison import Comparison, Gold
from sql_env.execution.messages import Judgement, JudgeRequest, Reference
from sql_env.execution.rows import ROWS_NOT_FETCHED
from sql_env.limits import Limits
from sql_env.types import ExecutionResult, Query


class GoldTarget:
    """What the completions of a task are judged by.

    Attributes:
        query: The gold query, as it is run.
        semantics: How results are compared with its own.
        gold: What it returned.
        steps: What a completion's query may take.
    """

    __slots__ = (
        "database", "dialect", "gold", "prepare", "query", "references", "semantics", "sql", "steps",
    )  # fmt: skip

    def __init__(self, query: Query, semantics: Comparison, gold: Gold, limits: Limits) -> None:
        self.query, self.semantics, self.gold = query, semantics, gold
        self.steps = limits.step_limit(gold.steps)
        self.database, self.sql, self.dialect = query.database, query.sql, query.dialect
        self.prepare = semantics.prepare
        self.references = (Reference(semantics.name, gold),) if gold.result.ok else ()


class QueryOutcome:
    """What came of a query for one target. Completions that say the same share it."""

    __slots__ = ("equal", "result")

    result: ExecutionResult

    def __init__(self) -> None:
        self.equal = False


class QueryBatch:
    """Collects what completions ask for, and hands out what comes of it.

    A query that is the gold query of some task in the batch is not run: its result is known.

    Attributes:
        known: How many distinct queries were known.
        blank: How many completions asked for nothing.
    """

    def __init__(self, rows: bool) -> None:
        self.known = self.blank = 0
        self._rows = rows
        self._outcomes: dict[tuple[str, GoldTarget], QueryOutcome] = {}
        self._cases: dict[tuple[str, str, str, int], list[tuple[GoldTarget, QueryOutcome]]] = {}

    def of(self, sql: str | None, target: GoldTarget) -> QueryOutcome | None:
        """Where what comes of this query will be, for this target; None where there is no query."""
        if sql is None:
            self.blank += 1
            return None
        prepared = target.prepare(sql)
        outcome = self._outcomes.get((prepared, target))
        if outcome is None:
            outcome = self._outcomes[prepared, target] = QueryOutcome()
            if prepared == target.sql:
                self._know(outcome, target)
            else:
                key = (target.database, prepared, target.dialect, target.steps)
                self._cases.setdefault(key, []).append((target, outcome))
        return outcome

    def cases(self) -> list[JudgeRequest]:
        """What has to be run, each distinct query once."""
        return [
            JudgeRequest(
                Query(database, sql, dialect),
                tuple([reference for target, _ in wanted for reference in target.references]),
                steps,
            )
            for (database, sql, dialect, steps), wanted in self._cases.items()
        ]

    def settle(self, judgements: Sequence[Judgement]) -> None:
        """Hand out what came of `cases`."""
        for judgement, wanted in zip(judgements, self._cases.values(), strict=True):
            equal = iter(judgement.equal)
            for target, outcome in wanted:
                outcome.result = judgement.result
                outcome.equal = bool(target.references) and next(equal, False)

    def _know(self, outcome: QueryOutcome, target: GoldTarget) -> None:
        self.known += 1
        result = target.gold.result
        outcome.equal = result.ok
        if result.ok and not self._rows:
            result = ExecutionResult(result.status, result.columns, ROWS_NOT_FETCHED)
        outcome.result = result
