"""Where the time of scoring goes, and what was saved."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, fields, replace
from typing import Any

from sql_env.execution.fork import register_for_fork
from sql_env.execution.stats import FAILURES, ExecutorStats


@dataclass(frozen=True, slots=True)
class ScorerStats:
    """What a scorer has done since it was made, at one moment; ``later - earlier`` is what it did in between.

    Calls of several threads that were scored as one batch are one batch here, too. Times are seconds of
    wall time, added up over the threads that did it: where several score, more than a clock shows.

    Attributes:
        workers: How many processes run queries at once.
        scores: Completions that were scored.
        without_sql: Those that do not follow their response format, so that nothing was run for them.
        known: Distinct queries of a batch that were their task's gold query, and were not run.
        distinct: Distinct queries of a batch that were asked of the executor, golds not included.
        gold_hits: Distinct golds of a batch whose results were remembered.
        gold_misses: Distinct golds of a batch whose results were not.
        gold_stored: Those of the misses that were found on disk, so that they did not run.
        parsing: Seconds in which completions were taken apart.
        gathering: Seconds in which golds were looked up, distinct queries gathered, and results handed out;
            without the time in which the executor was waited for.
        rewarding: Seconds in which rewards were computed.
        executor: What the executor has done, in scoring and in the queries of episodes.

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
        """Completions that asked for what another of their batch asked for, too, so that it ran once."""
        return self.scores - self.without_sql - self.known - self.distinct

    @property
    def seconds(self) -> dict[str, float]:
        """Where the time went: seconds of wall time by phase, which add up to the time of scoring.

        ``execute`` and ``compare`` are the seconds of the workers over the number of workers, and ``queue``
        is the rest of the time in which calls waited for the executor: messages, the start of workers,
        workers that had nothing left to do while another was at it, and other calls' queries. It is below
        0 where what a worker has just told is counted and the call that waits for it has not returned;
        over all of them it adds up.
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
        """What was done since ``earlier``, of the same scorer."""
        counts = [f.name for f in fields(self) if f.name != "workers"]
        return replace(self, **{name: getattr(self, name) - getattr(earlier, name) for name in counts})

    def to_dict(self) -> dict[str, Any]:
        """All fields in JSON, with `duplicates` and `seconds`."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        derived = {"duplicates": self.duplicates, "seconds": self.seconds}
        return {**plain, **derived, "executor": self.executor.to_dict()}

    def metrics(self) -> dict[str, float]:
        """The figures that are worth a log, under names that are always the same.

        ``time/<phase>``: `seconds`. ``queries``: those that were run. ``ended/<status>``: how many of them
        ended so. ``duplicates``, ``shared`` and ``known``: those that were saved. ``gold_hits``,
        ``gold_misses``, ``gold_stored``; ``workers/killed``, ``workers/retired``.
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
    """What a scorer counts while it runs. Thread-safe; a fork counts on by itself."""

    def __init__(self) -> None:
        names = {f.name for f in fields(ScorerStats)} - {"workers", "executor"}
        self._counts: dict[str, Any] = dict.fromkeys(names, 0)
        self.reset_after_fork()
        register_for_fork(self)

    def reset_after_fork(self) -> None:
        """In a fork: another thread may have held the lock when it began."""
        self._lock = threading.Lock()

    def add(self, **more: float) -> None:
        """Count, by the names of `ScorerStats`."""
        with self._lock:
            for name, value in more.items():
                self._counts[name] += value

    def stats(self, executor: ExecutorStats, workers: int) -> ScorerStats:
        """What is counted so far, beside what the executor says."""
        with self._lock:
            return ScorerStats(workers, executor=executor.copy(), **self._counts)
