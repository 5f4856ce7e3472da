"""Stop queries that have used up their CPU time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Watcher:
    """Interrupts a query when this process has used the CPU time of one query.

    One thread serves all queries, because near the memory limit of the process no thread can be started. It
    sleeps until the first deadline that it knows. Later queries have later deadlines, so a query wakes it
    only if no query ran when it went to sleep. One query runs at a time.

    Args:
        cpu_seconds: The CPU time of one query.
    """

    def __init__(self, cpu_seconds: float) -> None:
        self._cpu_seconds = cpu_seconds
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._asleep = True
        self._stopped = False
        self._deadline = 0.0
        self._interrupt: Callable[[], None] | None = None
        threading.Thread(target=self._watch, name="duckdb-watcher", daemon=True).start()

    def begin(self, interrupt: Callable[[], None]) -> None:
        """Start to watch a query. ``interrupt`` is called from another thread if it takes too long."""
        with self._lock:
            self._deadline = time.process_time() + self._cpu_seconds
            self._interrupt = interrupt
            if self._asleep:
                self._wake.set()

    def end(self) -> None:
        """End the watch. After this the query is not interrupted."""
        with self._lock:
            self._interrupt = None

    def stop(self) -> None:
        """End the thread."""
        self._stopped = True
        self._wake.set()

    def _watch(self) -> None:
        while not self._stopped:
            try:
                self._wake.wait(self._check())
            except MemoryError:  # the query is near the memory limit of the process: it still needs a watcher
                time.sleep(0.05)

    def _check(self) -> float | None:
        """Interrupt the query if its time is over. Return the time until the next check; None: no query."""
        with self._lock:
            self._wake.clear()
            if self._stopped:
                return 0.0
            self._asleep = self._interrupt is None
            if self._interrupt is None:
                return None
            # A query that has waited has used less CPU time than wall time: then wait again.
            left = self._deadline - time.process_time()
            if left <= 0:
                self._interrupt()
                return 0.05  # DuckDB forgets an interrupt that comes between two steps of a query
            return min(left, 60.0)  # Event.wait has a maximum
