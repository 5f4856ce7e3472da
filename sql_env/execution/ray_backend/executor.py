"""Run SQL on a Ray cluster."""

from __future__ import annotations

import os
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from threading import RLock
from time import perf_counter
from types import TracebackType
from typing import Any, TypeAlias

import ray
from ray.exceptions import RayError

from sql_env.errors import ClosedError, SQLEnvError
from sql_env.execution.engines import check_dialect
from sql_env.execution.executor import Executor
from sql_env.execution.messages import Judgement, JudgeRequest
from sql_env.execution.ray_backend.connection import connect
from sql_env.execution.ray_backend.tasks import map_tasks
from sql_env.execution.stats import ExecutorStats
from sql_env.limits import Limits
from sql_env.schema.model import Schema
from sql_env.types import Cost, ExecutionResult, Query

MAX_CHUNK = 128
"""The most queries in one Ray task."""

RETRIES = 5
"""The number of times that a lost task runs again before the cluster counts as broken."""

Item: TypeAlias = Query | JudgeRequest


class RayExecutor:
    """An `sql_env.Executor` whose worker processes run on a Ray cluster.

    Queries run as Ray tasks. Each task asks for one CPU. The process that runs it keeps its worker warm for
    the next task. Ray runs a lost task again on another node. This changes no result, because a result
    depends only on the query, the database and the limits.

    Every node needs this library, and each database under the same path: on a shared file system, or in
    the ``working_dir`` of the job's runtime environment, with a relative path. If a node lacks a database,
    the result is ``unavailable`` and its error names the file.

    If Ray is not initialised, the executor does it: with the cluster of ``RAY_ADDRESS``, with a cluster that
    runs on this machine, or on this machine alone. Ray ends with this process, and with it all workers.

    Thread-safe; usable as a context manager.

    Args:
        limits: The limits of each query.
        workers: The most tasks that one call runs at a time, on all nodes together.

    Raises:
        LimitError: ``workers`` is not a positive integer.
        SQLEnvError: There is no cluster at the address.
    """

    def __init__(self, limits: Limits = Limits(), workers: int = 1) -> None:  # noqa: B008 - frozen
        self._local = Executor(limits, workers)  # reads schemas, with a worker of this machine
        self.limits = limits
        self.workers = workers
        self._stats, self._lock = ExecutorStats(), RLock()
        self._running: set[Any] = set()
        connect(workers)
        self._finalizer = weakref.finalize(self, _cancel, self._running)

    @property
    def stats(self) -> ExecutorStats:
        """Counts and times of all finished tasks. A copy."""
        return self._stats.copy()

    def run(self, query: Query) -> ExecutionResult:
        """Run one query; see `run_many`."""
        return self.run_many([query])[0]

    def run_many(self, queries: Sequence[Query]) -> list[ExecutionResult]:
        """Run queries and return their results in the same order; see `sql_env.Executor.run_many`.

        Raises:
            DatabaseError: A query's dialect has no engine.
            ClosedError: The executor is closed, or was closed during the call.
            SQLEnvError: The cluster does not run the queries.
        """
        return self._map("run_many", queries)

    def judge(
        self, requests: Sequence[JudgeRequest], rows: bool = False, steps: bool = False
    ) -> list[Judgement]:
        """Run queries and compare their results on the cluster; see `sql_env.Executor.judge`.

        Raises:
            DatabaseError: A query's dialect has no engine.
            ClosedError: The executor is closed, or was closed during the call.
            SQLEnvError: The cluster does not run the queries.
        """
        return self._map("judge", requests, rows=rows, steps=steps)

    def measure(self, queries: Sequence[Query]) -> list[Cost]:
        """Run queries and return the cost of each; see `sql_env.Executor.measure`.

        Raises:
            DatabaseError: A query's dialect has no engine.
            ClosedError: The executor is closed, or was closed during the call.
            SQLEnvError: The cluster does not run the queries.
        """
        return self._map("measure", queries)

    def schema(self, database: str, dialect: str = "sqlite") -> Schema:
        """Read the tables of a database in a worker of this machine; see `sql_env.Executor.schema`."""
        return self._local.schema(database, dialect)

    def close(self) -> None:
        """Cancel all tasks. A second call does nothing."""
        self._local.close()
        self._finalizer()

    def __enter__(self) -> RayExecutor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _map(self, method: str, items: Sequence[Item], **options: Any) -> list[Any]:
        """Call a method of `sql_env.Executor` on the cluster: ``n`` items in, ``n`` results out, in order."""
        if not self._finalizer.alive:
            raise ClosedError("the executor is closed")
        for dialect in {_query(item).dialect for item in items}:
            check_dialect(dialect)
        items = _with_absolute_paths(items)
        chunks = _chunks([_query(item).database for item in items], self.workers)
        call = partial(_call, self.limits, method, options)
        jobs = [[items[place] for place in chunk] for chunk in chunks]
        results: list[Any] = [None] * len(items)
        began = perf_counter()
        try:
            answers = map_tasks(call, jobs, self.workers, RETRIES, self._running)
            for chunk, (some, stats) in zip(chunks, answers, strict=True):
                self._count(stats)
                for place, result in zip(chunk, some, strict=True):
                    results[place] = result
        except RayError as error:
            if not self._finalizer.alive:
                raise ClosedError("the executor was closed while it ran queries") from None
            raise SQLEnvError(f"the Ray cluster does not run the queries: {error}") from error
        finally:
            self._count(ExecutorStats(waiting=perf_counter() - began))
        return results

    def _count(self, more: ExecutorStats) -> None:
        with self._lock:
            self._stats += more


def _chunks(databases: Sequence[str], workers: int) -> list[list[int]]:
    """Split places into chunks for tasks. Places of one database are neighbours: it is opened once."""
    places = sorted(range(len(databases)), key=databases.__getitem__)
    size = max(1, min(MAX_CHUNK, len(databases) // (4 * workers)))
    return [places[start : start + size] for start in range(0, len(places), size)]


@lru_cache(maxsize=4)
def _executor(limits: Limits) -> Executor:
    """The executor of a Ray process, with one worker, which stays warm between tasks."""
    return Executor(limits)


def _call(
    limits: Limits, method: str, options: Mapping[str, Any], items: Sequence[Item]
) -> tuple[list[Any], ExecutorStats]:
    """Call a method of the executor in a Ray process. Return its results and what it counted."""
    executor = _executor(limits)
    before = executor.stats
    results: list[Any] = getattr(executor, method)(items, **options)
    return results, replace(executor.stats - before, waiting=0.0)  # the driver counts the waiting time


def _cancel(running: set[Any]) -> None:
    if ray.is_initialized():  # otherwise the tasks have ended with Ray
        for ref in list(running):
            ray.cancel(ref, force=True)


def _with_absolute_paths(items: Sequence[Item]) -> Sequence[Item]:
    """Make paths absolute: a node may lack the driver's folder, and have the database under the same path.

    Under a ``working_dir`` each node has a copy of that folder, so there relative paths stay.
    """
    if ray.get_runtime_context().runtime_env.get("working_dir"):
        return items
    located: list[Item] = []
    for item in items:
        query = replace(_query(item), database=os.path.abspath(_query(item).database))
        located.append(query if isinstance(item, Query) else replace(item, query=query))
    return located


def _query(item: Item) -> Query:
    return item if isinstance(item, Query) else item.query
