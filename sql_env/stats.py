"""Where the time of scoring goes, and what was saved."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field, replace


@dataclass(slots=True)
class ExecutorStats:
    """What an executor has done so far. Seconds are those of workers, added up over all of them.

    Attributes:
        executed: Queries that were run.
        shared: Queries that were not, because the same one was about to be run for another.
        executing: Seconds in which workers ran queries.
        comparing: Seconds in which workers compared results with golds.
        ended: How many queries ended in each other status than ``ok``.
        started: Workers that were started.
        killed: Workers that died or were killed in mid-query.
        retired: Workers that were replaced because their memory had grown.
    """

    executed: int = 0
    shared: int = 0
    executing: float = 0.0
    comparing: float = 0.0
    ended: Counter[str] = field(default_factory=Counter)
    started: int = 0
    killed: int = 0
    retired: int = 0

    def copy(self) -> ExecutorStats:
        """As it is now."""
        return replace(self, ended=Counter(self.ended))


@dataclass(slots=True)
class ScorerStats:
    """What a scorer has done so far. Seconds are wall time of the calling threads, added up.

    Attributes:
        scores: Completions that were scored.
        without_sql: Those that do not follow their response format, so that nothing was run.
        known: Distinct queries that were a gold query, whose result was known.
        distinct: Distinct queries that were asked of the executor.
        gold_hits: Distinct golds that a batch found in the cache.
        gold_misses: Distinct golds that it did not find.
        parsing: Seconds in which completions were taken apart.
        waiting: Seconds in which the executor was waited for.
        rewarding: Seconds in which rewards were computed.
        executor: What the executor has done, for whomever.
    """

    scores: int = 0
    without_sql: int = 0
    known: int = 0
    distinct: int = 0
    gold_hits: int = 0
    gold_misses: int = 0
    parsing: float = 0.0
    waiting: float = 0.0
    rewarding: float = 0.0
    executor: ExecutorStats = field(default_factory=ExecutorStats)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def duplicates(self) -> int:
        """Completions that asked for what another of their batch asked for, too."""
        return self.scores - self.without_sql - self.known - self.distinct

    def add(self, **more: float) -> None:
        """Count. Safe to call from several threads."""
        with self._lock:
            for name, value in more.items():
                setattr(self, name, getattr(self, name) + value)

    def with_executor(self, executor: ExecutorStats) -> ScorerStats:
        """A copy that says what the executor has done."""
        with self._lock:
            return replace(self, executor=executor.copy(), _lock=threading.Lock())
