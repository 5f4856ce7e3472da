"""Running SQL on a Ray cluster."""

from __future__ import annotations

import os
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import replace
from threading import Lock
from time import perf_counter
from types import TracebackType
from typing import Any

import ray
from ray.exceptions import RayError

from sql_env.errors import ClosedError, SQLEnvError
from sql_env.execution.engines import check_dialect
from sql_env.execution.executor import Executor
from sql_env.execution.messages import Judgement, JudgeRequest
from sql_env.execution.ray_backend.call import DEPTH, Call, Seat
from sql_env.execution.ray_backend.connection import connect
from sql_env.execution.stats import ExecutorStats
from sql_env.limits import Limits
from sql_env.schema.model import Schema
from sql_env.types import Cost, ExecutionResult, Query


class RayExecutor:
    """An `sql_env.Executor` whose worker processes are spread over a Ray cluster.

    Each worker is an actor that asks for one CPU and keeps one warm process, which runs the queries.
    Queries on one database go to the same actor as long as it has room; one that has nothing left to do
    takes from others. An actor, or a node, that dies is replaced by Ray; what it was running is run again
    by another, which changes no result, because a result depends on query, database and limits alone.

    Every node must have this library, and each database under the same path: on a shared file system,
    or in the ``working_dir`` of the job's runtime environment and named relative to that. Where a node
    lacks one, the result is ``unavailable`` and its error names the file.

    Where Ray is not initialised, it is: on the cluster that ``RAY_ADDRESS`` names or that runs here, or else
    on this machine alone. It is never shut down; that happens when the process ends.

    Thread-safe; usable as a context manager. The actors go when it is closed or collected, or when this
    process ends in whatever way.

    Args:
        limits: What one query may cost.
        workers: How many processes run queries at once, on all nodes together.

    Raises:
        LimitError: ``workers`` is not a positive integer.
        SQLEnvError: There is no cluster at the address.
    """

    def __init__(self, limits: Limits = Limits(), workers: int = 1) -> None:  # noqa: B008 - frozen
        self._here = Executor(limits, workers)  # reads schemas, for which it needs no process
        self.limits = limits
        self.workers = workers
        self._stats, self._lock = ExecutorStats(), Lock()
        connect(workers)
        actor: Any = ray.remote(_Worker).options(
            num_cpus=1, max_restarts=-1, max_concurrency=DEPTH + 1, scheduling_strategy="SPREAD"
        )
        self._seats = [Seat(actor.remote(limits)) for _ in range(workers)]
        self._finalizer = weakref.finalize(self, _end, [seat.actor for seat in self._seats])

    @property
    def stats(self) -> ExecutorStats:
        """What its workers have done so far, as far as they have told. A copy."""
        return self._stats.copy()

    def run(self, query: Query) -> ExecutionResult:
        """Run one query; see `run_many`."""
        return self.run_many([query])[0]

    def run_many(self, queries: Sequence[Query]) -> list[ExecutionResult]:
        """Run queries, and return their results in the same order; see `sql_env.Executor.run_many`.

        Raises:
            DatabaseError: A query's dialect has no engine.
            ClosedError: The executor is closed, or was closed meanwhile.
            SQLEnvError: The cluster loses one worker after another, or its workers cannot start.
        """
        return self._spread("run_many", queries)

    def judge(
        self, cases: Sequence[JudgeRequest], rows: bool = False, steps: bool = False
    ) -> list[Judgement]:
        """Run queries and compare what they return where they run; see `sql_env.Executor.judge`.

        Raises:
            DatabaseError: A query's dialect has no engine.
            ClosedError: The executor is closed, or was closed meanwhile.
            SQLEnvError: The cluster loses one worker after another, or its workers cannot start.
        """
        return self._spread("judge", cases, rows=rows, steps=steps)

    def measure(self, queries: Sequence[Query]) -> list[Cost]:
        """Run queries, and return what each of them took; see `sql_env.Executor.measure`.

        Raises:
            DatabaseError: A query's dialect has no engine.
            ClosedError: The executor is closed, or was closed meanwhile.
            SQLEnvError: The cluster loses one worker after another, or its workers cannot start.
        """
        return self._spread("measure", queries)

    def schema(self, database: str, dialect: str = "sqlite") -> Schema:
        """The tables of a database, read in this process; see `sql_env.Executor.schema`."""
        return self._here.schema(database, dialect)

    def close(self) -> None:
        """End all actors and their workers. Closing twice is no mistake."""
        self._here.close()
        self._finalizer()

    def __enter__(self) -> RayExecutor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _spread(
        self, method: str, items: Sequence[Query] | Sequence[JudgeRequest], **options: Any
    ) -> list[Any]:
        """Have a method of `sql_env.Executor` called on items: ``n`` of them in, ``n`` out, in order."""
        self._check_open()
        for dialect in {_query(item).dialect for item in items}:
            check_dialect(dialect)
        located = _located(items)
        databases = [_query(item).database for item in located]
        began = perf_counter()
        try:
            return Call(self._seats, method, located, databases, options, self._count).run()
        except (RayError, SQLEnvError) as error:
            if not self._finalizer.alive:
                raise ClosedError("the executor was closed while it ran queries") from None
            if isinstance(error, SQLEnvError):
                raise
            raise SQLEnvError(f"the Ray cluster does not run the queries: {error}") from error
        finally:
            self._count(ExecutorStats(waiting=perf_counter() - began))

    def _count(self, more: ExecutorStats) -> None:
        with self._lock:
            self._stats += more

    def _check_open(self) -> None:
        if not self._finalizer.alive:
            raise ClosedError("the executor is closed")


class _Worker:
    """What an actor holds."""

    def __init__(self, limits: Limits) -> None:
        self._executor = Executor(limits)
        self._told, self._lock = ExecutorStats(), Lock()

    @ray.method(max_task_retries=-1)
    def ready(self) -> None:
        """Return once the actor runs, though it be after a restart."""

    def call(
        self, method: str, items: Sequence[Any], options: Mapping[str, Any]
    ) -> tuple[list[Any], ExecutorStats]:
        """Call a method of the executor: what it returns, and what the executor has done since last told."""
        found: list[Any] = getattr(self._executor, method)(items, **options)
        with self._lock:
            now, before = self._executor.stats.copy(), self._told
            self._told = now
        return found, replace(now - before, waiting=0.0)  # who calls this waits longer


def _end(actors: Sequence[Any]) -> None:
    if ray.is_initialized():  # or they are gone with Ray
        for actor in actors:
            ray.kill(actor)


def _query(item: Query | JudgeRequest) -> Query:
    return item if isinstance(item, Query) else item.query


def _located(items: Sequence[Query] | Sequence[JudgeRequest]) -> Sequence[Query] | Sequence[JudgeRequest]:
    """Items whose databases a process in another working directory finds.

    Under a ``working_dir`` each node has a copy of that, in which relative paths lead to the same files.
    """
    paths = {path: os.path.abspath(path) for path in {_query(item).database for item in items}}
    moved = any(path != absolute for path, absolute in paths.items())
    if not moved or ray.get_runtime_context().runtime_env.get("working_dir"):
        return items
    return [_moved(item, paths[_query(item).database]) for item in items]


def _moved(item: Any, database: str) -> Any:
    if isinstance(item, Query):
        return replace(item, database=database)
    return replace(item, query=replace(item.query, database=database))
