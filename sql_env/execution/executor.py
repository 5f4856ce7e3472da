"""Running SQL under limits, in worker processes that can be killed."""

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
    """Runs queries in a pool of worker processes. Thread-safe; usable as a context manager.

    Workers start with the first query and go when the executor is closed or collected, or when this
    process ends in whatever way.

    Args:
        limits: What one query may cost.
        workers: How many processes run queries at once.

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
        self._dispatcher = WorkerPool(limits, workers)
        self._finalizer = weakref.finalize(self, self._dispatcher.close)

    @property
    def stats(self) -> ExecutorStats:
        """What it has done so far. A copy."""
        return self._dispatcher.stats.copy()

    def run(self, query: Query) -> ExecutionResult:
        """Run one query; see `run_many`."""
        return self.run_many([query])[0]

    def run_many(self, queries: Sequence[Query]) -> list[ExecutionResult]:
        """Run queries and return their results in the same order.

        What a query does is its result's status; nothing that it holds raises.

        Raises:
            DatabaseError: A query's dialect has no engine.
            ClosedError: The executor is closed, or was closed meanwhile.
            SQLEnvError: Worker processes cannot be started.
        """
        cases = [JudgeRequest(query) for query in queries]
        return [judgement.result for judgement in self._run(cases, ResultMode.ROWS)]

    def judge(
        self, cases: Sequence[JudgeRequest], rows: bool = False, steps: bool = False
    ) -> list[Judgement]:
        """Run queries and compare what they return where they run.

        Args:
            cases: Each a query with what its result is compared with.
            rows: Whether to bring the rows here, too.
            steps: Whether to bring the rows and count the steps, as is done for golds.

        Returns:
            What came of each case, in the same order. Where a comparison could not be finished, the
            result is ``unavailable``.

        Raises:
            DatabaseError: A query's dialect has no engine.
            ClosedError: The executor is closed, or was closed meanwhile.
            SQLEnvError: Worker processes cannot be started.
        """
        return self._run(cases, ResultMode.GOLD if steps else ResultMode.ROWS if rows else ResultMode.VERDICT)

    def measure(self, queries: Sequence[Query]) -> list[Cost]:
        """Run queries and return, in the same order, what each of them took in place of its result.

        They run under the same limits. Where there is one worker, it runs those on one database in the
        order in which they are given, so that two that take turns are measured under the same load.

        Raises:
            DatabaseError: A query's dialect has no engine.
            ClosedError: The executor is closed, or was closed meanwhile.
            SQLEnvError: Worker processes cannot be started.

        Example:
            >>> with Executor() as executor:
            ...     [cost] = executor.measure([Query("missing.sqlite", "SELECT 1")])
            >>> cost.status, cost.steps
            (<Status.UNAVAILABLE: 'unavailable'>, None)
        """
        cases = [JudgeRequest(query) for query in queries]
        return [_cost(judgement.result) for judgement in self._run(cases, ResultMode.COST)]

    def _run(self, cases: Sequence[JudgeRequest], ask: ResultMode) -> list[Judgement]:
        self._check_open()
        for dialect in {case.query.dialect for case in cases}:
            check_dialect(dialect)
        paths = {path: _absolute(path) for path in {case.query.database for case in cases}}
        if any(path != absolute for path, absolute in paths.items()):
            cases = [_moved(case, paths[case.query.database]) for case in cases]
        return self._dispatcher.run(cases, ask)

    def schema(self, database: str, dialect: str = "sqlite") -> Schema:
        """The tables of a database with sample values and descriptions, read in this process.

        Its text (``str``) is DDL. What has been read is kept until the database file changes.

        Raises:
            DatabaseError: The database is missing or is none, or the dialect has no engine.
            ClosedError: The executor is closed.
        """
        self._check_open()
        return _schema(_absolute(database), dialect, self.limits, read_signature(database))

    def close(self) -> None:
        """End all workers. Closing twice is no mistake."""
        self._finalizer()

    def __enter__(self) -> Executor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._dispatcher.closed:
            raise ClosedError("the executor is closed")


@lru_cache(maxsize=1024)
def _schema(database: str, dialect: str, limits: Limits, _state: object) -> Schema:
    return add_descriptions(load_engine(dialect, limits).read_schema(database), database)


def _cost(measured: ExecutionResult) -> Cost:
    """What a worker says of a query that it has measured; see `sql_env.execution.worker`."""
    steps, seconds = measured.rows[0] if measured.ok else (None, None)
    assert isinstance(steps, int | None)
    assert isinstance(seconds, float | None)
    return Cost(measured.status, steps, seconds, measured.error)


def _moved(case: JudgeRequest, database: str) -> JudgeRequest:
    return replace(case, query=replace(case.query, database=database))


def _absolute(path: str) -> str:
    """Workers may have started in another working directory than this one."""
    return os.path.abspath(path)
