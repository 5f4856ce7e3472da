"""Run SQL under limits, in worker processes that can be killed."""

from __future__ import annotations

import os
import weakref
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from types import TracebackType

from sql_env.errors import ClosedError, LimitError
from sql_env.execution.engines import check_dialect, load_engine
from sql_env.execution.engines.files import read_signature
from sql_env.execution.messages import Judgement, JudgeRequest, ResultMode
from sql_env.execution.pool import WorkerPool
from sql_env.execution.stats import ExecutorStats
from sql_env.limits import Limits
from sql_env.schema.descriptions import add_descriptions
from sql_env.schema.model import Schema
from sql_env.types import Cost, ExecutionResult, Query


class Executor:
    """Run queries in a pool of worker processes. Thread-safe; usable as a context manager.

    Workers start with the first query. They end when the executor is closed or garbage-collected, and when
    this process ends, even if it is killed.

    Args:
        limits: The limits of each query.
        workers: The number of processes that run queries.

    Raises:
        LimitError: ``workers`` is not a positive integer.

    Example:
        >>> with Executor() as executor:
        ...     executor.run(Query("missing.sqlite", "SELECT 1")).status
        <Status.UNAVAILABLE: 'unavailable'>
    """

    def __init__(self, limits: Limits = Limits(), workers: int = 1) -> None:  # noqa: B008 - frozen
        if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
            raise LimitError(f"workers must be a positive integer, not {workers!r}")
        self.limits = limits
        self.workers = workers
        self._pool = WorkerPool(limits, workers)
        self._finalizer = weakref.finalize(self, self._pool.close)

    @property
    def stats(self) -> ExecutorStats:
        """Counts and times since the executor was made. A copy."""
        return self._pool.stats.copy()

    def run(self, query: Query) -> ExecutionResult:
        """Run one query; see `run_many`."""
        return self.run_many([query])[0]

    def run_many(self, queries: Sequence[Query]) -> list[ExecutionResult]:
        """Run queries and return their results in the same order.

        A query never raises: its failure is the status of its result.

        Raises:
            DatabaseError: A query's dialect has no engine.
            ClosedError: The executor is closed, or was closed during the call.
            SQLEnvError: Worker processes cannot be started.
        """
        requests = [JudgeRequest(query) for query in queries]
        return [judgement.result for judgement in self._run(requests, ResultMode.ROWS)]

    def judge(
        self, requests: Sequence[JudgeRequest], rows: bool = False, steps: bool = False
    ) -> list[Judgement]:
        """Run queries, and compare their results in the workers.

        Args:
            requests: The queries, each with the gold results to compare with.
            rows: True to fetch the rows of the results.
            steps: True to fetch the rows and the number of steps, as for a gold query.

        Returns:
            The judgements in the same order. If a comparison needs more CPU time or memory than the limits
            allow, the result is ``timeout`` or ``too_large``.

        Raises:
            DatabaseError: A query's dialect has no engine.
            ClosedError: The executor is closed, or was closed during the call.
            SQLEnvError: Worker processes cannot be started.
        """
        mode = ResultMode.ROWS if rows else ResultMode.VERDICT
        return self._run(requests, ResultMode.GOLD if steps else mode)

    def measure(self, queries: Sequence[Query]) -> list[Cost]:
        """Run queries under the same limits, and return the cost of each in the same order.

        One worker runs the queries on one database in the given order. So two queries that alternate are
        measured under the same load.

        Raises:
            DatabaseError: A query's dialect has no engine.
            ClosedError: The executor is closed, or was closed during the call.
            SQLEnvError: Worker processes cannot be started.

        Example:
            >>> with Executor() as executor:
            ...     [cost] = executor.measure([Query("missing.sqlite", "SELECT 1")])
            >>> cost.status, cost.steps
            (<Status.UNAVAILABLE: 'unavailable'>, None)
        """
        requests = [JudgeRequest(query) for query in queries]
        return [_cost(judgement.result) for judgement in self._run(requests, ResultMode.COST)]

    def _run(self, requests: Sequence[JudgeRequest], mode: ResultMode) -> list[Judgement]:
        self._check_open()
        for dialect in {request.query.dialect for request in requests}:
            check_dialect(dialect)
        # A worker may have another working directory than this process.
        paths = {path: os.path.abspath(path) for path in {request.query.database for request in requests}}
        if any(path != absolute for path, absolute in paths.items()):
            requests = [_with_path(request, paths[request.query.database]) for request in requests]
        return self._pool.run(requests, mode)

    def schema(self, database: str, dialect: str = "sqlite") -> Schema:
        """Read the tables of a database with sample values and descriptions, in this process.

        `sql_env.prompts.ddl.schema_to_ddl` writes a schema as SQL. A schema is kept until the file changes.

        Raises:
            DatabaseError: The file is missing or is not a database, or the dialect has no engine.
            ClosedError: The executor is closed.
        """
        self._check_open()
        return _read_schema(os.path.abspath(database), dialect, self.limits, read_signature(database))

    def close(self) -> None:
        """End all workers. A second call does nothing."""
        self._finalizer()

    def __enter__(self) -> Executor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._pool.closed:
            raise ClosedError("the executor is closed")


@lru_cache(maxsize=1024)
def _read_schema(database: str, dialect: str, limits: Limits, _state: object) -> Schema:
    return add_descriptions(load_engine(dialect, limits).read_schema(database), database)


def _cost(measured: ExecutionResult) -> Cost:
    """Read the only row of a measured query; see `sql_env.execution.worker`."""
    steps, seconds = measured.rows[0] if measured.ok else (None, None)
    assert isinstance(steps, int | None)
    assert isinstance(seconds, float | None)
    return Cost(measured.status, steps, seconds, measured.error)


def _with_path(request: JudgeRequest, database: str) -> JudgeRequest:
    return replace(request, query=replace(request.query, database=database))
