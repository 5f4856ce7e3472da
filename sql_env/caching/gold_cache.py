"""Gold results in memory, kept between batches."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sql_env.comparison import Gold
from sql_env.errors import LimitError
from sql_env.execution.engines.files import FileState
from sql_env.execution.fork import register_for_fork
from sql_env.types import Query, Status


class GoldKey(NamedTuple):
    """The things that a gold result depends on."""

    query: Query
    comparison: str
    file: FileState


MAX_BYTES = 2**28
"""The largest size of all results in a cache, in the format in which they are sent to workers."""


class GoldCache:
    """The most recently used gold results. Thread-safe.

    A signal handler that has interrupted a use of the cache finds it empty, and stores nothing.

    Args:
        size: The largest number of results.
        max_bytes: Their largest size, in the format in which they are sent to workers.

    Raises:
        LimitError: ``size`` is negative.
    """

    def __init__(self, size: int, max_bytes: int = MAX_BYTES) -> None:
        if size < 0:
            raise LimitError(f"the gold cache must hold 0 results or more, not {size}")
        self._size = size
        self._max_bytes = max_bytes
        self.reset_after_fork()
        register_for_fork(self)

    def reset_after_fork(self) -> None:
        """Empty the cache. In a fork, another thread may have held the lock."""
        self._golds: OrderedDict[GoldKey, Gold] = OrderedDict()
        self._bytes = 0
        self._lock = threading.RLock()
        self._used = False  # by the thread that holds the lock

    def get_many(self, keys: Iterable[GoldKey]) -> dict[GoldKey, Gold]:
        """Return the results that are in the cache."""
        with self._lock:
            if self._used:
                return {}
            self._used = True
            try:
                known = {key: self._golds[key] for key in keys if key in self._golds}
                for key in known:
                    self._golds.move_to_end(key)
                return known
            finally:
                self._used = False

    def put_many(self, golds: Mapping[GoldKey, Gold]) -> None:
        """Keep results, except ``unavailable`` ones: the database or the worker may recover."""
        with self._lock:
            if self._used:
                return
            self._used = True
            try:
                for key, gold in golds.items():
                    if gold.result.status is not Status.UNAVAILABLE and key not in self._golds:
                        self._golds[key] = gold
                        self._bytes += len(gold.packed)
                while len(self._golds) > self._size or self._bytes > self._max_bytes:
                    self._bytes -= len(self._golds.popitem(last=False)[1].packed)
            finally:
                self._used = False
