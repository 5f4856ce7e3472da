"""Decide if a query or the machine is to blame for a failure.

A sample is masked if the machine is to blame. So a model must not be able to choose such a failure. If the
cause is not known, the query runs again in a new worker, after a control query. It is to blame if it fails
each time although the control works each time.
"""

from __future__ import annotations

from dataclasses import replace

from sql_env.execution.death import Death, Fault
from sql_env.execution.messages import ResultMode
from sql_env.execution.pending import PendingQuery
from sql_env.types import ExecutionResult, Status

MAX_CRASHES = 5
"""The number of workers that must die or make no progress while they run a query, so that it is to blame. If
somebody kills workers at random, a right answer must not reach this number by chance."""

MAX_REPEATS = 3
"""The same for an unknown error of the engine."""

MAX_INTERRUPTIONS = 20
"""Deaths of workers of which a query cannot be the cause, before it is ``unavailable``."""


def find_result(culprit: PendingQuery, death: Death) -> ExecutionResult | None:
    """Return the result of a query whose worker has died; None if it must run again.

    Args:
        culprit: The query that the worker ran, or the control of that query.
        death: The end of the worker.
    """
    failed = ExecutionResult(Status.UNAVAILABLE, error=f"its worker died: {death.reason}")
    crashed = death.result.status is not Status.TIMEOUT
    if culprit.subject is not None or death.fault is Fault.MACHINE:
        query = culprit.subject or culprit
        query.interruptions += 1
        return None if crashed and query.interruptions <= MAX_INTERRUPTIONS else failed
    if death.fault is Fault.QUERY:
        return death.result
    if death.fault is Fault.MEMORY:
        # Only in a new worker memory cannot be short because of earlier queries.
        return death.result if death.first or culprit.control is not None else None
    return _count_failure(culprit, death.result, MAX_CRASHES)


def explain(query: PendingQuery, result: ExecutionResult) -> ExecutionResult | None:
    """Return the result of a query after an unknown error; None if it must run again."""
    return _count_failure(query, replace(result, status=Status.ERROR), MAX_REPEATS)


def _count_failure(query: PendingQuery, result: ExecutionResult, most: int) -> ExecutionResult | None:
    """Count a failure. ``result`` is the result if the query is to blame, which ``most`` failures prove."""
    query.failures += 1
    if query.control is not None and not query.control.works:
        error = f"a query that is known to work fails on this database, too: {result.error}"
        return ExecutionResult(Status.UNAVAILABLE, error=error)
    if query.failures < most:
        return None
    # A gold query has no control that is known to need the same parts of the database.
    return replace(result, status=Status.UNAVAILABLE) if query.mode is ResultMode.GOLD else result
