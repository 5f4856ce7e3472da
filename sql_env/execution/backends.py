"""What runs queries, by name: worker processes of this machine, or those of a Ray cluster."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.util import find_spec
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
"""Where the executor of each backend is: ``module:class``."""

AUTO = "auto"
"""Ray in the driver of a Ray job, else this machine."""

Job = TypeVar("Job")
Done = TypeVar("Done")

_JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"
"""What Ray sets in the environment of a driver that it starts itself (``ray job submit``)."""


class Backend(Protocol):
    """What a `sql_env.Scorer` needs of an executor; `sql_env.Executor` says what each method does.

    A result depends on the query, its database and the limits alone, so every backend gives the same.

    Attributes:
        limits: What one query may cost.
        workers: How many processes run queries at once.
    """

    limits: Limits
    workers: int

    @property
    def stats(self) -> ExecutorStats:
        """What it has done so far."""
        ...

    def run(self, query: Query) -> ExecutionResult:
        """Run one query."""
        ...

    def run_many(self, queries: Sequence[Query]) -> list[ExecutionResult]:
        """Run queries, and return their results in the same order."""
        ...

    def judge(
        self, cases: Sequence[JudgeRequest], rows: bool = False, steps: bool = False
    ) -> list[Judgement]:
        """Run queries, and compare what they return where they run."""
        ...

    def measure(self, queries: Sequence[Query]) -> list[Cost]:
        """Run queries, and return what each of them took."""
        ...

    def schema(self, database: str, dialect: str = "sqlite") -> Schema:
        """The tables of a database, read in this process."""
        ...

    def close(self) -> None:
        """End all workers."""
        ...


def load_executor(backend: str = "local", limits: Limits = Limits(), workers: int = 1) -> Backend:  # noqa: B008
    """A new executor of a backend.

    Args:
        backend: ``local``, ``ray``, or ``auto``: Ray in the driver of a Ray job, else local.
        limits: What one query may cost.
        workers: How many processes run queries at once, over all machines.

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
    """Call a function on each of many jobs, and yield what it returns, in the jobs' order.

    Under ``local`` it is called here, on one job after another. Under ``ray`` it is called on as many at
    a time as there are workers, on any node, and again where a node is lost in the middle of it.
    Jobs are taken, and results held, a bounded number at a time.

    Args:
        function: A function of a module, which every node has installed. Its result must not depend on
            where or how often it is called.
        jobs: What it is called on, one by one; any picklable objects.
        backend: ``local``, ``ray`` or ``auto``; see `load_executor`.
        workers: How many processes are at work, over all machines.

    Raises:
        PluginError: There is no such backend, or it is not installed.

    Example:
        >>> list(spread(len, ["a", "bc"]))
        [1, 2]
    """
    if resolve_backend(backend) == "ray":
        everywhere: Any = plugins.load_object("sql_env.execution.ray_backend.tasks:spread")
        yield from everywhere(function, jobs, workers)
    else:
        yield from map(function, jobs)


def resolve_backend(backend: str) -> str:
    """The name of the backend that ``backend`` stands for here.

    Raises:
        PluginError: There is no such backend, or it is not installed.
    """
    name = ("ray" if _drives_ray() else "local") if backend == AUTO else backend
    if name not in BACKENDS:
        raise PluginError(f"no backend is called {name!r}.{plugins.suggest(name, [*BACKENDS, AUTO])}")
    if name == "ray" and find_spec("ray") is None:
        raise PluginError("the backend 'ray' needs Ray: pip install 'sql-env[ray]'")
    return name


def _drives_ray() -> bool:
    """Whether this process is the driver of a Ray job. Ray is not imported to find out.

    A task or an actor is none: what it starts would need resources that it holds itself.
    """
    ray: Any = sys.modules.get("ray")
    if ray is None or not ray.is_initialized():
        return _JOB in os.environ
    return bool(ray.get_runtime_context().worker.mode == ray.SCRIPT_MODE)
