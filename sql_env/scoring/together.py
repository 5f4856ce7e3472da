"""Calls of several threads at the same time, run as one batch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Generic, TypeVar

from sql_env.execution.fork import forget_in_forks

T = TypeVar("T")
R = TypeVar("R")

PATIENCE = 0.0005
"""Seconds that the first that waits gives others to join it, where more than it are usual."""

_FADES = 0.9  # how much of the usual number of callers is remembered from one batch to the next


class _Call(Generic[T, R]):
    """One thread's items. Its gate opens when they are done, or when it should look again.

    Attributes:
        batch: What it runs for all, itself among them; empty unless it leads.
    """

    __slots__ = ("batch", "error", "gate", "items", "results")

    def __init__(self, items: Sequence[T]) -> None:
        self.items = items
        self.batch: list[_Call[T, R]] = []
        self.results: list[R] | None = None
        self.error: Exception | None = None
        self.gate = threading.Lock()
        self.gate.acquire()

    @property
    def done(self) -> bool:
        return self.results is not None or self.error is not None


class Together(Generic[T, R]):
    """Runs batches, each of all calls that wait when it begins.

    What a batch costs is so shared by as many as ask at the same time. There is no thread of its own: one of
    the callers runs the batch for all. A caller that is alone is its own batch at once; where many are usual,
    a batch begins when half of them wait, so that the others can prepare the next one meanwhile, or when
    no more have come for `PATIENCE`. Where a batch raises, its calls run one by one, so that each caller
    gets its own error and no other's. Where one is interrupted, wherever that is, the others are served.

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
        self._calls: set[_Call[T, R]] = set()
        self._leading: set[_Call[T, R]] = set()
        self._usual = 0.0

    def __call__(self, items: Sequence[T]) -> list[R]:
        """The results of these items.

        Raises:
            Exception: What the batch raises for these items alone.
        """
        call: _Call[T, R] = _Call(items)
        try:
            self._join(call)
            while not call.done:
                if call.batch:
                    self._fill(call.batch)
                elif not call.gate.acquire(timeout=self._patience(call)):
                    self._begin(call)
            self._leave(call)
        except BaseException:  # wherever it struck, in `_leave` maybe
            self._leave(call)
            raise
        if call.error is not None:
            raise call.error
        return call.results or []

    def _join(self, call: _Call[T, R]) -> None:
        """Wait with the others, or lead the batch if it should begin now."""
        with self._lock:
            self._calls.add(call)
            self._waiting.append(call)
            self._usual = max(self._usual, len(self._calls))
            if 2 * len(self._waiting) >= self._usual:
                self._take(call)

    def _patience(self, call: _Call[T, R]) -> float:
        """How long to wait for others. Whoever cannot begin is woken when it can, and looks no sooner."""
        return PATIENCE if len(self._leading) < self._most and self._waiting[:1] == [call] else -1

    def _begin(self, call: _Call[T, R]) -> None:
        """Lead, after having waited long enough, unless another does by now."""
        with self._lock:
            if call in self._waiting:
                self._take(call)

    def _take(self, call: _Call[T, R]) -> None:
        if len(self._leading) < self._most:
            self._leading.add(call)
            call.batch, self._waiting = self._waiting, []
            self._usual *= _FADES

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

    def _leave(self, call: _Call[T, R]) -> None:
        """Wake those whose results are there. Where something has interrupted this call, they wait on.

        To do it again, where it was itself interrupted, does no harm.
        """
        with self._lock:
            self._calls.discard(call)
            self._leading.discard(call)
            if call in self._waiting:
                self._waiting.remove(call)
            others = [each for each in call.batch if each is not call]
            self._waiting += [each for each in others if not each.done and each not in self._waiting]
            if call.batch or not call.done:  # a batch less, or another is the first that waits
                others += self._waiting[:1]
            for each in others:
                if each.gate.locked():
                    each.gate.release()
