"""Jobs on a Ray cluster, each a task of its own."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, chdir
from itertools import islice
from typing import Any, TypeVar

import ray
from ray.exceptions import RayTaskError

from sql_env.execution.ray_backend.connection import connect

AHEAD = 8
"""Jobs a worker that may be done, or run, before the first that is not."""

Job = TypeVar("Job")
Done = TypeVar("Done")


def spread(function: Callable[[Job], Done], jobs: Iterable[Job], workers: int) -> Iterator[Done]:
    """Call a function on each of many jobs, anywhere on the cluster; see `backends.map_distributed`.

    Each call is a task of Ray's with a CPU of its own. One that is lost with its node is done again.
    """
    connect(workers)
    located = ray.get_runtime_context().runtime_env.get("working_dir")
    folder = None if located else os.getcwd()
    task: Any = ray.remote(num_cpus=1, max_retries=-1, scheduling_strategy="SPREAD")(_apply)
    feed = iter(jobs)
    running: set[Any] = set()
    unread: deque[Any] = deque()  # those that run, and those that wait for an earlier one
    try:
        while True:
            for job in islice(feed, min(workers - len(running), AHEAD * workers - len(unread))):
                unread.append(task.remote(function, job, folder))
                running.add(unread[-1])
            if not unread:
                return
            while unread and unread[0] not in running:
                yield _fetched(unread.popleft())
            if running:
                running = set(ray.wait(list(running))[1])
    finally:
        for ref in running:
            ray.cancel(ref, force=True)


def _apply(function: Callable[[Job], Done], job: Job, folder: str | None) -> Done:
    """Call the function in the driver's folder, from which relative paths lead to the same files.

    Under a ``working_dir`` each node has a copy of that, and is in there.
    """
    with ExitStack() as stack:
        if folder is not None and os.path.isdir(folder):  # what is relative is missed where it is not there
            stack.enter_context(chdir(folder))
        return function(job)


def _fetched(ref: Any) -> Any:
    try:
        return ray.get(ref)
    except RayTaskError as error:
        raise error.cause from None
