"""One call's jobs, and its place in the line."""

from __future__ import annotations

import threading
from collections import deque
from zlib import crc32

from sql_env.execution.messages import Job


class Ticket:
    """What one call waits for. The lock of its `sql_env.execution.pool.WorkerPool` guards it.

    Jobs that no worker has yet are kept by the worker at which their database is at home, those on one
    database together, so that a database is open and warm where it is asked.

    Attributes:
        jobs: All jobs of the call, in its order; one that occurs twice is one job.
        left: How many of them are not done.
        waiting: How many of them no worker has yet.
        wake: Set when all are done, and when it is this call's turn to lead.
        error: What ends the call in the place of results.
    """

    def __init__(self, workers: int) -> None:
        self.jobs: list[Job] = []
        self.wake = threading.Event()
        self.error: Exception | None = None
        self._workers = workers
        self.clear()

    def clear(self) -> None:
        """Forget which jobs are left, and which of them wait."""
        self.left = 0
        self.waiting = 0
        self._homes: list[dict[str, deque[Job]]] = [{} for _ in range(self._workers)]

    def queue(self, job: Job) -> None:
        """Let a job wait here."""
        database = job.case.query.database
        home = self._homes[crc32(database.encode("utf-8", "surrogatepass")) % len(self._homes)]
        group = home.get(database)
        if group is None:
            group = home[database] = deque()
        group.append(job)
        self.waiting += 1

    def take(self, slot: int, most: int) -> list[Job]:
        """Jobs for the worker at ``slot``: of databases that are at home there, or else at another's."""
        taken: list[Job] = []
        while self.waiting and len(taken) < most:
            home = self._homes[slot] or max(self._homes, key=len)
            database, group = next(iter(home.items()))
            count = min(most - len(taken), len(group))
            taken += [group.popleft() for _ in range(count)]
            self.waiting -= count
            if not group:
                del home[database]
        return taken
