"""The scorer's statistics of one step, for the trainers' logs."""

from __future__ import annotations

import threading

from sql_env import Scorer


class StepStats:
    """A scorer's statistics since the last call, so that logs show a step and not the whole run.

    Thread-safe: nothing counts twice, and the results of all calls add up to the scorer's statistics.

    Args:
        scorer: The scorer. Counting starts now.

    Example:
        >>> with Scorer("sql-r1") as scorer:
        ...     StepStats(scorer)()["sql/queries"]
        0.0
    """

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self._lock = threading.Lock()
        self._last = scorer.stats

    def __call__(self) -> dict[str, float]:
        """Return ``sql/<name>`` for each of `sql_env.ScorerStats.metrics`."""
        # Read and store under one lock: otherwise two calls could return the same difference.
        with self._lock:
            now, before = self._scorer.stats, self._last
            self._last = now
        return {f"sql/{name}": value for name, value in (now - before).metrics().items()}
