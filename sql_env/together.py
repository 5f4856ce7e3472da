"""Calls of several threads at the same time, run as one batch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Generic, TypeVar

from sql_env.fork import forget_in_forks

T = TypeVar("T")
R = TypeVar("R")

PATIENCE = 0.0005
"""Seconds that the first that waits gives others to join it, where more than it are usual."""

_FADES = 0.9  # how much of the usual number of callers is remembered from one batch to the next


class _Call(Generic[T, R]):
    """One thread's items. Its gate opens when they are done, or when it should look again."""

    __slots__ = ("error", "gate", "items", "leads", "results")

    def __init__(self, items: Sequence[T]) -> None:
        self.items = items
        self.results: list[R] | None = None
        self.error: Exception | None = None
        self.leads = False
        self.gate = threading.Lock()
        self.gate.acquire()


class Together(Generic[T, R]):
    """Runs batches, each of all calls that wait when it begins.

    What a batch costs is so shared by as many as ask at the same time. There is no thread of its own: one of
    the callers runs the batch for all. A caller that is alone is its own batch at once; where many are usual,
    a batch begins when half of them wait, so that the others can prepare the next one meanwhile, or when
    no more have come for `PATIENCE`. Where a batch raises, its calls run one by one, so that each caller
    gets its own error and no other's.

    Args:
        run: A batch's items to their results, in order. Called from several threads.
        most: How many batches run at the same time.
    """

    def __init__(self, run: Callable[[Sequence[T]], list[R]], most: int) -> None:
        self._run = run
        self._most = most
        self.forget()
        forget_in_forks(self)

    def forget(self) -> None:
        """Start anew."""
        self._lock = threading.Lock()
        self._waiting: list[_Call[T, R]] = []
        self._callers = 0
        self._usual = 0.0
        self._running = 0

    def __call__(self, items: Sequence[T]) -> list[R]:
        """The results of these items.

        Raises:
            Exception: What the batch raises for these items alone.
        """
        call: _Call[T, R] = _Call(items)
        batch: list[_Call[T, R]] = []
        try:
            batch = self._join(call)
            while not batch and call.results is None and call.error is None:
                first = self._waiting[:1] == [call]
                if not call.gate.acquire(timeout=PATIENCE if first else -1):
                    batch = self._begin(call)
            if batch:
                self._fill(batch)
        finally:
            self._leave(call, batch)
        if call.error is not None:
            raise call.error
        return call.results or []

    def _join(self, call: _Call[T, R]) -> list[_Call[T, R]]:
        """Wait with the others; or else the batch, if it should begin now."""
        with self._lock:
            self._waiting.append(call)
            self._callers += 1
            self._usual = max(self._usual, self._callers)
            enough = 2 * len(self._waiting) >= self._usual
            return self._take(call) if enough else []

    def _begin(self, call: _Call[T, R]) -> list[_Call[T, R]]:
        """The batch of a call that has waited long enough; empty where it may not yet, or no more."""
        with self._lock:
            return self._take(call) if call in self._waiting else []

    def _take(self, call: _Call[T, R]) -> list[_Call[T, R]]:
        if self._running >= self._most:
            return []
        batch, self._waiting = self._waiting, []
        self._running += 1
        self._usual *= _FADES
        call.leads = True
        return batch

    def _fill(self, batch: Sequence[_Call[T, R]]) -> None:
        try:
            results = iter(self._run(list(chain.from_iterable(each.items for each in batch))))
        except Exception as error:  # noqa: BLE001 - it is raised where it belongs
            if len(batch) == 1:
                batch[0].error = error
                return
            for each in batch:
                self._fill([each])
            return
        for each in batch:
            each.results = [next(results) for _ in each.items]

    def _leave(self, call: _Call[T, R], batch: Sequence[_Call[T, R]]) -> None:
        """Wake those whose results are there. Where something has interrupted this call, they wait on."""
        with self._lock:
            self._callers -= 1
            if call in self._waiting:
                self._waiting.remove(call)
            if call.leads:
                self._running -= 1
            for each in batch:
                if each is not call and each.results is None and each.error is None:
                    self._waiting.append(each)
            for each in (*batch, *self._waiting[:1]):
                if each is not call and each.gate.locked():
                    each.gate.release()
