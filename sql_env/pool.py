"""The pool of worker processes, which lends them to threads for one chunk of queries at a time."""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque

from sql_env.errors import ClosedError
from sql_env.limits import Limits
from sql_env.process import Worker


class Pool:
    """Up to ``size`` workers, started when they are first needed. Thread-safe.

    Who waits is served in order of arrival, so a long batch in one thread does not starve another.
    A fork of this process does not share its workers: it starts its own.
    """

    def __init__(self, limits: Limits, size: int) -> None:
        self.limits = limits
        self.size = size
        self.closed = False
        self._forget()
        _pools.add(self)

    def _forget(self) -> None:
        self._changed = threading.Condition()
        self._line: deque[object] = deque()
        self._idle: list[Worker] = []
        self._workers: set[Worker] = set()
        self._starting: set[object] = set()

    def acquire(self, borrowed: set[Worker], patient: bool) -> Worker | None:
        """Borrow a worker; None where none is free and the caller is not patient, or others wait.

        Args:
            borrowed: The caller's workers, to which it is added. Whatever interrupts the caller, it
                can give back all that is in there.
            patient: Whether to wait for one.

        Raises:
            ClosedError: The pool was closed.
        """
        ticket = object()
        try:
            with self._changed:
                self._line.append(ticket)
                while not (free := self._free() and self._line[0] is ticket) and patient and not self.closed:
                    self._changed.wait()
                if self.closed:
                    raise ClosedError("the executor is closed")
                if not free:
                    return None
                if self._idle:
                    borrowed.add(self._idle[-1])
                    return self._idle.pop()
                self._line.remove(ticket)  # the next in line need not wait until it has started
                self._starting.add(ticket)
                self._changed.notify_all()
            return self._start(borrowed)
        finally:
            self._leave(ticket)

    def release(self, worker: Worker, borrowed: set[Worker], retire: bool = False) -> None:
        """Give a worker back, to be replaced where it should ``retire`` or the pool is closed."""
        with self._changed:
            if not (retire or self.closed):
                self._idle.append(worker)
                borrowed.discard(worker)
                self._changed.notify_all()
                return
        self.discard(worker, borrowed)

    def discard(self, worker: Worker, borrowed: set[Worker]) -> None:
        """Give back a worker that is dead or must die."""
        worker.bury()
        with self._changed:
            self._workers.discard(worker)
            borrowed.discard(worker)
            if worker in self._idle:
                self._idle.remove(worker)
            self._changed.notify_all()

    def close(self) -> None:
        """Kill all workers. A thread that is using one gets a `ClosedError`."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()
            idle, busy = self._idle, self._workers.difference(self._idle)
            self._idle = []
        for worker in busy:
            worker.kill()
        for worker in idle:
            self.discard(worker, set())

    def abandon(self) -> None:
        """In a fork of the process that made the workers: let go of them without harm."""
        for worker in self._workers:
            worker.abandon()
        self._forget()

    def _free(self) -> bool:
        return bool(self._idle) or len(self._workers) + len(self._starting) < self.size

    def _leave(self, ticket: object) -> None:
        with self._changed:
            if ticket in self._line:
                self._line.remove(ticket)
            self._starting.discard(ticket)
            self._changed.notify_all()

    def _start(self, borrowed: set[Worker]) -> Worker:
        worker = Worker(self.limits)
        with self._changed:
            self._workers.add(worker)
            borrowed.add(worker)
        return worker


_pools: weakref.WeakSet[Pool] = weakref.WeakSet()


def _after_fork() -> None:
    for pool in list(_pools):
        pool.abandon()


os.register_at_fork(after_in_child=_after_fork)
