"""The distinct queries of one batch of completions, each with all gold results that it is compared with."""

from __future__ import annotations

from collections.abc import Sequence

from sql_env.comparison import Comparison, Gold
from sql_env.execution.messages import CONTROL, Judgement, JudgeRequest, Reference
from sql_env.execution.rows import ROWS_NOT_FETCHED
from sql_env.limits import Limits
from sql_env.types import ExecutionResult, Query


class GoldTarget:
    """The gold result of a task, and the limits of its completions.

    Attributes:
        gold: The gold result.
        prepare: Turns the SQL of a completion into the SQL that runs.
        steps: The step limit of a completion's query.
        references: The gold result as a reference; empty if the gold query failed.
    """

    # The fields of the query are copied: attribute access is most of the cost of `QueryBatch.add`.
    __slots__ = ("database", "dialect", "gold", "prepare", "references", "sql", "steps")

    def __init__(self, query: Query, comparison: Comparison, gold: Gold, limits: Limits) -> None:
        self.database, self.sql, self.dialect = query.database, query.sql, query.dialect
        self.gold = gold
        self.prepare = comparison.prepare
        self.steps = limits.step_limit(gold.steps)
        self.references = (Reference(comparison.name, gold),) if gold.result.ok else ()


class QueryOutcome:
    """The result of a query for one target, shared by the completions that contain it."""

    __slots__ = ("equal", "result")

    result: ExecutionResult

    def __init__(self) -> None:
        self.equal = False


class QueryBatch:
    """The queries of a batch, and their outcomes after they ran.

    A query that equals the gold query of its task does not run: its result is known.

    Attributes:
        known: The number of distinct queries with a known result.
        blank: The number of completions without SQL.
    """

    def __init__(self, rows: bool) -> None:
        self.known = self.blank = 0
        self._rows = rows
        self._outcomes: dict[tuple[str, GoldTarget], QueryOutcome] = {}
        self._queries: dict[tuple[str, str, str, int], list[tuple[GoldTarget, QueryOutcome]]] = {}

    def add(self, sql: str | None, target: GoldTarget) -> QueryOutcome | None:
        """Add a query, and return its outcome, which `set_results` fills; None without SQL."""
        if sql is None:
            self.blank += 1
            return None
        prepared = target.prepare(sql)
        outcome = self._outcomes.get((prepared, target))
        if outcome is None:
            outcome = self._outcomes[prepared, target] = QueryOutcome()
            if prepared == target.sql:
                self._set_known(outcome, target)
            else:
                key = (target.database, prepared, target.dialect, target.steps)
                self._queries.setdefault(key, []).append((target, outcome))
        return outcome

    def requests(self) -> list[JudgeRequest]:
        """Return a request for each distinct query that must run."""
        return [
            JudgeRequest(
                Query(database, sql, dialect),
                tuple([reference for target, _ in wanted for reference in target.references]),
                steps,
                control=next((target.sql for target, _ in wanted if target.references), CONTROL),
            )
            for (database, sql, dialect, steps), wanted in self._queries.items()
        ]

    def set_results(self, judgements: Sequence[Judgement]) -> None:
        """Set the outcomes. The judgements are in the order of `requests`."""
        for judgement, wanted in zip(judgements, self._queries.values(), strict=True):
            equal = iter(judgement.equal)
            for target, outcome in wanted:
                outcome.result = judgement.result
                outcome.equal = bool(target.references) and next(equal, False)

    def _set_known(self, outcome: QueryOutcome, target: GoldTarget) -> None:
        self.known += 1
        result = target.gold.result
        outcome.equal = result.ok
        if result.ok and not self._rows:
            result = ExecutionResult(result.status, result.columns, ROWS_NOT_FETCHED)
        outcome.result = result
