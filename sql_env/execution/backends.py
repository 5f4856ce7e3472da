"""Executors by name: worker processes on this machine, or on a Ray cluster."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from sql_env import plugins
from sql_env.errors import PluginError
from sql_env.execution.messages import Judgement, JudgeRequest
from sql_env.execution.stats import ExecutorStats
from sql_env.limits import Limits
from sql_env.schema.model import Schema
from sql_env.types import Cost, ExecutionResult, Query

BACKENDS = {
    "local": "sql_env.execution.executor:Executor",
    "ray": "sql_env.execution.ray_backend.executor:RayExecutor",
}
"""The executor of each backend: ``module:class``."""

AUTO = "auto"
"""The name that means Ray in the driver of a Ray job, and this machine elsewhere."""

Job = TypeVar("Job")
Done = TypeVar("Done")

_JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"
"""The environment variable of a driver that Ray itself started (``ray job submit``)."""


class Backend(Protocol):
    """The methods of an executor that a `sql_env.Scorer` calls; `sql_env.Executor` documents them.

    A result depends only on the query, its database and the limits. So all backends give the same results.

    Attributes:
        limits: The limits of each query.
        workers: The number of processes that run queries.
    """

    limits: Limits
    workers: int

    @property
    def stats(self) -> ExecutorStats:
        """Counts and times."""
        ...

    def run(self, query: Query) -> ExecutionResult:
        """Run one query."""
        ...

    def run_many(self, queries: Sequence[Query]) -> list[ExecutionResult]:
        """Run queries and return their results in the same order."""
        ...

    def judge(
        self, requests: Sequence[JudgeRequest], rows: bool = False, steps: bool = False
    ) -> list[Judgement]:
        """Run queries, and compare their results in the workers."""
        ...

    def measure(self, queries: Sequence[Query]) -> list[Cost]:
        """Run queries and return the cost of each."""
        ...

    def schema(self, database: str, dialect: str = "sqlite") -> Schema:
        """Read the tables of a database in a worker of this machine."""
        ...

    def close(self) -> None:
        """End all workers."""
        ...


def load_executor(backend: str = "local", limits: Limits = Limits(), workers: int = 1) -> Backend:  # noqa: B008
    """Make an executor.

    Args:
        backend: ``local``, ``ray``, or ``auto``: ray in the driver of a Ray job, else local.
        limits: The limits of each query.
        workers: The number of processes that run queries, on all machines together.

    Raises:
        PluginError: There is no such backend, or it is not installed.
        LimitError: ``workers`` is not a positive integer.

    Example:
        >>> load_executor("local", workers=2).workers
        2
    """
    factory: Any = plugins.load_object(BACKENDS[resolve_backend(backend)])
    executor: Backend = factory(limits, workers)
    return executor


def map_distributed(
    function: Callable[[Job], Done], jobs: Iterable[Job], backend: str = "local", workers: int = 1
) -> Iterator[Done]:
    """Call a function on each of many jobs, and yield its results in the order of the jobs.

    ``local`` calls it here, on one job after another. ``ray`` calls it on any node, on as many jobs at a time
    as there are workers, and again if a node is lost. Only a bounded number of jobs and results is in memory.

    Args:
        function: A function of a module that every node has. Its result must not depend on the node or
            on the number of calls.
        jobs: Its arguments, one by one; any picklable objects.
        backend: ``local``, ``ray`` or ``auto``; see `load_executor`.
        workers: The number of processes, on all machines together.

    Raises:
        PluginError: There is no such backend, or it is not installed.

    Example:
        >>> list(map_distributed(len, ["a", "bc"]))
        [1, 2]
    """
    if resolve_backend(backend) == "ray":
        map_tasks: Any = plugins.load_object("sql_env.execution.ray_backend.tasks:map_tasks")
        yield from map_tasks(function, jobs, workers)
    else:
        yield from map(function, jobs)


def resolve_backend(backend: str) -> str:
    """Return the backend's name, with ``auto`` replaced by ``ray`` or ``local``.

    Raises:
        PluginError: There is no such backend, or it is not installed.
    """
    name = ("ray" if _drives_ray() else "local") if backend == AUTO else backend
    if name not in BACKENDS:
        raise PluginError(f"no backend is called {name!r}.{plugins.suggest(name, [*BACKENDS, AUTO])}")
    if name == "ray":
        plugins.require("ray", "ray", purpose="the backend 'ray'")
    return name


def _drives_ray() -> bool:
    """Return True if this process is the driver of a Ray job. This does not import Ray.

    A task or an actor is no driver: tasks that it starts would wait for the CPU that it has itself.
    """
    ray: Any = sys.modules.get("ray")
    if ray is None or not ray.is_initialized():
        return _JOB in os.environ
    return bool(ray.get_runtime_context().worker.mode == ray.SCRIPT_MODE)
