"""Run a function on many jobs as tasks of a Ray cluster."""

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

MAX_AHEAD = 8
"""For each worker, the most jobs that run or are done before the oldest job is done."""

Job = TypeVar("Job")
Done = TypeVar("Done")


def map_tasks(
    function: Callable[[Job], Done],
    jobs: Iterable[Job],
    workers: int,
    retries: int = -1,
    running: set[Any] | None = None,
) -> Iterator[Done]:
    """Call a function on each job, anywhere on the cluster; see `backends.map_distributed`.

    Each call is a Ray task with one CPU. Ray runs a task again if its node is lost.

    Args:
        function: A function of a module that every node has.
        jobs: Its arguments.
        workers: The most tasks that run at a time.
        retries: The most times that a lost task runs again; -1 for no limit.
        running: A set that holds the references of running tasks, so that another thread can cancel them.

    Raises:
        RayError: A task was lost too often, or was cancelled.
    """
    connect(workers)
    located = ray.get_runtime_context().runtime_env.get("working_dir")
    folder = None if located else os.getcwd()
    task: Any = ray.remote(num_cpus=1, max_retries=retries, scheduling_strategy="SPREAD")(_apply)
    feed = iter(jobs)
    running = set() if running is None else running
    mine: set[Any] = set()  # the tasks of this call that run
    unread: deque[Any] = deque()  # tasks that run, and tasks that wait for an older one to be read
    try:
        while True:
            for job in islice(feed, min(workers - len(mine), MAX_AHEAD * workers - len(unread))):
                unread.append(task.remote(function, job, folder))
                mine.add(unread[-1])
                running.add(unread[-1])
            if not unread:
                return
            while unread and unread[0] not in mine:
                yield _fetch(unread.popleft())
            if mine:
                done, left = ray.wait(list(mine))
                mine = set(left)
                running.difference_update(done)
    finally:
        for ref in mine:
            ray.cancel(ref, force=True)
        running -= mine


def _apply(function: Callable[[Job], Done], job: Job, folder: str | None) -> Done:
    """Call the function in the driver's folder, so that relative paths name the same files.

    Under a ``working_dir`` each node runs in its own copy of that folder.
    """
    with ExitStack() as stack:
        if folder is not None and os.path.isdir(folder):  # without the folder, a relative path is not found
            stack.enter_context(chdir(folder))
        return function(job)


def _fetch(ref: Any) -> Any:
    try:
        return ray.get(ref)
    except RayTaskError as error:
        raise error.cause from None
