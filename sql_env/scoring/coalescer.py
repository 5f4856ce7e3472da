"""Join the calls that several threads make at the same time into batches.

If many threads score one completion each, as verl's reward workers do, most of the cost is Python and the
switches between threads. Batches halve it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from sql_env.execution.fork import register_for_fork

T = TypeVar("T")
R = TypeVar("R")


class _Call(Generic[T, R]):
    """The items of one caller. The lock ``done`` is released when its results or its error are set."""

    __slots__ = ("done", "error", "items", "results")

    def __init__(self, items: Sequence[T]) -> None:
        self.items = items
        self.results: list[R] = []
        self.error: Exception | None = None
        self.done = threading.Lock()
        self.done.acquire()


class Coalescer(Generic[T, R]):
    """Run the calls of several threads as batches.

    A caller that is alone runs its call itself. The others put their calls into a queue and wait. Short-lived
    threads take all calls that wait and run them as one batch. A caller changes no other shared state, so a
    signal that interrupts it does no harm.

    The main thread never waits for others: it may be in a signal handler, which has interrupted this thread
    while it held a lock that the other threads need.

    Args:
        run: Computes one result for each item. Several threads call it.
        threads: The most batches that run at a time, besides the caller that is alone.
    """

    def __init__(self, run: Callable[[Sequence[T]], list[R]], threads: int) -> None:
        self._run = run
        self._max_threads = threads
        self.reset_after_fork()
        register_for_fork(self)

    def reset_after_fork(self) -> None:
        """Make the state new: the threads of the parent do not exist in the child."""
        self._queue: SimpleQueue[_Call[T, R]] = SimpleQueue()
        self._alone = threading.Lock()
        self._lock = threading.Lock()  # guards the next field; only the short-lived threads take it
        self._threads = 0

    def __call__(self, items: Sequence[T]) -> list[R]:
        """Return the results of the items.

        Raises:
            Exception: The exception that ``run`` raises for these items alone.
        """
        if self._alone.acquire(blocking=False):
            # A signal that strikes right here leaves the lock held: then all later calls use the threads.
            try:
                return self._run(items)
            finally:
                self._alone.release()
        if threading.current_thread() is threading.main_thread():
            return self._run(items)
        call: _Call[T, R] = _Call(items)
        self._queue.put(call)
        if self._threads < self._max_threads:
            try:
                threading.Thread(target=self._serve, daemon=True, name="sql-env-batch").start()
            except RuntimeError:  # the system allows no more threads
                if not self._threads:
                    return self._run(items)  # nobody waits for the call in the queue
        call.done.acquire()
        if call.error is not None:
            raise call.error
        return call.results

    def _serve(self) -> None:
        """Run batches until no call waits."""
        while not self._queue.empty():
            with self._lock:
                if self._threads >= self._max_threads:
                    return
                self._threads += 1
            try:
                while calls := list(self._take_calls()):
                    self._run_batch(calls)
            finally:
                with self._lock:
                    self._threads -= 1
            # A caller that saw this thread counted started none: so look once more.

    def _take_calls(self) -> Iterator[_Call[T, R]]:
        while True:
            try:
                yield self._queue.get_nowait()
            except Empty:
                return

    def _run_batch(self, calls: Sequence[_Call[T, R]]) -> None:
        """Run calls as one batch. If it raises, run each alone, so that each caller gets its own error."""
        try:
            results = iter(self._run(list(chain.from_iterable(call.items for call in calls))))
        except Exception as error:  # noqa: BLE001 - the caller raises it
            if len(calls) == 1:
                calls[0].error = error
                calls[0].done.release()
            else:
                for call in calls:
                    self._run_batch([call])
            return
        for call in calls:
            call.results = [next(results) for _ in call.items]
            call.done.release()
