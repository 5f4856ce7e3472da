"""Gold results that are kept between batches."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sql_env.comparison import Gold
from sql_env.errors import LimitError
from sql_env.execution.fork import register_for_fork
from sql_env.types import Query, Status


class GoldKey(NamedTuple):
    """What a gold result depends on: the query, how it is compared, and the file's state."""

    query: Query
    comparison: str
    file: tuple[int, int, int]


BYTES = 2**28
"""What the results in a cache take at most, as they are sent to workers."""


class GoldCache:
    """The most recently used gold results, shared by threads.

    Args:
        size: How many.
        room: Their bytes at most, as they are sent to workers.
    """

    def __init__(self, size: int, room: int = BYTES) -> None:
        if size < 0:
            raise LimitError(f"the gold cache must hold 0 results or more, not {size}")
        self._size = size
        self._room = room
        self.reset_after_fork()
        register_for_fork(self)

    def reset_after_fork(self) -> None:
        """Start anew. A fork does: another thread may have held the lock when it began."""
        self._golds: OrderedDict[GoldKey, Gold] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def recall(self, keys: Iterable[GoldKey]) -> dict[GoldKey, Gold]:
        """Those of the keys that are known."""
        with self._lock:
            known = {key: self._golds[key] for key in keys if key in self._golds}
            for key in known:
                self._golds.move_to_end(key)
        return known

    def remember(self, golds: Mapping[GoldKey, Gold]) -> None:
        """Keep results, except where the database or a worker failed: that may pass."""
        with self._lock:
            for key, gold in golds.items():
                if gold.result.status is not Status.UNAVAILABLE and key not in self._golds:
                    self._golds[key] = gold
                    self._bytes += len(gold.packed)
            while len(self._golds) > self._size or self._bytes > self._room:
                self._bytes -= len(self._golds.popitem(last=False)[1].packed)
