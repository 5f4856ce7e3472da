"""Counts and times of an executor."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields, replace
from typing import Any

from sql_env.types import Status

FAILURES = tuple(status for status in Status if status is not Status.OK)
"""The statuses of a query that failed."""


@dataclass(slots=True)
class ExecutorStats:
    """Counts and times of an executor since it was made. It changes; `copy` it to keep it.

    Attributes:
        executed: Queries that ran, gold queries included.
        shared: Queries that did not run, because an equal query was in flight for another call.
        waiting: Seconds of wall time in which calls waited for results, summed over the calls.
        executing: Seconds of wall time in which workers ran queries and encoded results, summed over the
            workers. A query whose worker was killed counts.
        comparing: Seconds of wall time in which workers compared results, summed over the workers.
        ended: The number of queries that ended in each status except ``ok``.
        started: Worker processes that were started.
        killed: Worker processes that died. The CPU or the wall limit kills most of them.
        retired: Worker processes that were replaced between queries because their memory had grown.
    """

    executed: int = 0
    shared: int = 0
    waiting: float = 0.0
    executing: float = 0.0
    comparing: float = 0.0
    ended: Counter[Status] = field(default_factory=Counter)
    started: int = 0
    killed: int = 0
    retired: int = 0

    def copy(self) -> ExecutorStats:
        """Return a copy."""
        return replace(self, ended=Counter(self.ended))

    def __add__(self, other: ExecutorStats) -> ExecutorStats:
        """Add the counts of two executors."""
        return ExecutorStats(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def __sub__(self, earlier: ExecutorStats) -> ExecutorStats:
        """Return the counts since ``earlier``, a copy from the same executor."""
        return ExecutorStats(*(getattr(self, f.name) - getattr(earlier, f.name) for f in fields(self)))

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as JSON; ``ended`` has every status except ``ok``."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        return {**plain, "ended": {status.value: self.ended[status] for status in FAILURES}}
