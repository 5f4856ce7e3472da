"""Counts and times of a scorer."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, fields, replace
from typing import Any

from sql_env.execution.fork import register_for_fork
from sql_env.execution.stats import FAILURES, ExecutorStats


@dataclass(frozen=True, slots=True)
class ScorerStats:
    """Counts and times of a scorer since it was made. ``later - earlier`` gives those in between.

    Times are seconds of wall time, summed over the threads that score. With several threads the sum is larger
    than the time on a clock.

    Attributes:
        workers: The number of processes that run queries.
        scores: Completions that were scored.
        without_sql: Completions in the wrong format. Nothing runs for them.
        known: Distinct queries of a batch that equal the gold query of their task. They do not run.
        distinct: Distinct queries of a batch that the executor got, without gold queries.
        gold_hits: Distinct gold results of a batch that were in memory.
        gold_misses: Distinct gold results of a batch that were not.
        gold_stored: Misses that were found on disk.
        parsing: Seconds of parsing completions.
        gathering: Seconds of finding gold results, collecting distinct queries and assigning results, without
            the time of waiting for the executor.
        rewarding: Seconds of computing rewards.
        executor: Counts and times of the executor, for scoring and for the queries of episodes.

    Example:
        >>> from sql_env import Scorer
        >>> from benchmarks.demo import demo
        >>> task = demo(split="test").tasks[0]
        >>> with Scorer("sql-r1") as scorer:
        ...     before = scorer.stats
        ...     scores = scorer.score(["no idea"] * 3, [task] * 3)
        ...     done = scorer.stats - before
        >>> done.scores, done.without_sql, done.gold_misses
        (3, 3, 1)
    """

    workers: int = 1
    scores: int = 0
    without_sql: int = 0
    known: int = 0
    distinct: int = 0
    gold_hits: int = 0
    gold_misses: int = 0
    gold_stored: int = 0
    parsing: float = 0.0
    gathering: float = 0.0
    rewarding: float = 0.0
    executor: ExecutorStats = field(default_factory=ExecutorStats)

    @property
    def duplicates(self) -> int:
        """Completions whose query equals the query of another completion of their batch."""
        return self.scores - self.without_sql - self.known - self.distinct

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds of wall time by phase. Their sum is the time of scoring.

        ``execute`` and ``compare`` are the seconds of the workers, divided by their number. ``queue`` is the
        rest of the time in which calls waited for the executor: messages, the start of workers, idle
        workers, and the queries of other calls. ``queue`` can be below 0 while a call runs, because the
        seconds of a worker count before the call returns.
        """
        done = self.executor
        execute, compare = done.executing / self.workers, done.comparing / self.workers
        return {
            "parse": self.parsing,
            "gather": self.gathering,
            "queue": done.waiting - execute - compare,
            "execute": execute,
            "compare": compare,
            "reward": self.rewarding,
        }

    def __sub__(self, earlier: ScorerStats) -> ScorerStats:
        """Return the counts since ``earlier``, from the same scorer."""
        counts = [f.name for f in fields(self) if f.name != "workers"]
        return replace(self, **{name: getattr(self, name) - getattr(earlier, name) for name in counts})

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as JSON, with `duplicates` and `seconds`."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        derived = {"duplicates": self.duplicates, "seconds": self.seconds}
        return {**plain, **derived, "executor": self.executor.to_dict()}

    def metrics(self) -> dict[str, float]:
        """Return the figures for a log. The names are always the same.

        ``time/<phase>`` is `seconds`. ``queries`` is the number of queries that ran, ``ended/<status>`` the
        number that ended so. ``duplicates``, ``shared`` and ``known`` did not run. Further names:
        ``gold_hits``, ``gold_misses``, ``gold_stored``, ``workers/killed``, ``workers/retired``.
        """
        done = self.executor
        return {
            **{f"time/{phase}": seconds for phase, seconds in self.seconds.items()},
            "queries": float(done.executed),
            **{f"ended/{status.value}": float(done.ended[status]) for status in FAILURES},
            "duplicates": float(self.duplicates),
            "shared": float(done.shared),
            "known": float(self.known),
            "gold_hits": float(self.gold_hits),
            "gold_misses": float(self.gold_misses),
            "gold_stored": float(self.gold_stored),
            "workers/killed": float(done.killed),
            "workers/retired": float(done.retired),
        }


class Counters:
    """The counts of a scorer while it runs. Thread-safe; a fork has counts of its own."""

    def __init__(self) -> None:
        names = {f.name for f in fields(ScorerStats)} - {"workers", "executor"}
        self._counts: dict[str, Any] = dict.fromkeys(names, 0)
        self.reset_after_fork()
        register_for_fork(self)

    def reset_after_fork(self) -> None:
        """Make a new lock: another thread may have held it at the fork."""
        self._lock = threading.RLock()  # a signal handler may score in the thread that holds it

    def add(self, **more: float) -> None:
        """Add to counts, by the names of `ScorerStats`."""
        with self._lock:
            for name, value in more.items():
                self._counts[name] += value

    def stats(self, executor: ExecutorStats, workers: int) -> ScorerStats:
        """Return the counts, together with those of the executor."""
        with self._lock:
            return ScorerStats(workers, executor=executor.copy(), **self._counts)
