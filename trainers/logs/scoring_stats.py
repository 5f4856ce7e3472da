"""What scoring took since it was last logged, for the trainers' logs."""

from __future__ import annotations

import threading

from sql_env import Scorer


class StepStats:
    """A scorer's figures since it was last asked, so that logs show a step and not the whole run.

    Thread-safe: what several ask for adds up to what the scorer has done, and nothing counts twice.

    Args:
        scorer: What is watched, from now on.

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
        """``sql/<name>`` for each of `sql_env.ScorerStats.metrics`."""
        with self._lock:
            now, before = self._scorer.stats, self._last
            self._last = now
        return {f"sql/{name}": value for name, value in (now - before).metrics().items()}
