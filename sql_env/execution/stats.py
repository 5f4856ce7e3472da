"""Counts and times of an executor."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields, replace
from typing import Any

from sql_env.types import Status

FAILURES = tuple(status for status in Status if status is not Status.OK)
"""How a query may end but well."""


@dataclass(slots=True)
class ExecutorStats:
    """What an executor has done since it was made. Counted in place; `copy` it to keep it.

    Attributes:
        executed: Queries that were run, golds included.
        shared: Queries that were not, because the same one was about to be run for another call.
        waiting: Seconds of wall time in which calls waited for their results, added up over the calls.
        executing: Seconds of wall time in which workers ran queries, added up over the workers; with what
            it takes to encode results. A query in which its worker was killed counts.
        comparing: Seconds of wall time in which workers compared results with golds, added up over the
            workers.
        ended: How many of the queries that were run ended in each status but ``ok``.
        started: Worker processes that were started.
        killed: Worker processes that died, most of them killed in mid-query by the CPU or the wall limit.
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
        """As it is now."""
        return replace(self, ended=Counter(self.ended))

    def __add__(self, other: ExecutorStats) -> ExecutorStats:
        """What two executors have done together."""
        return ExecutorStats(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def __sub__(self, earlier: ExecutorStats) -> ExecutorStats:
        """What was done since ``earlier``, a copy of the same executor's."""
        return ExecutorStats(*(getattr(self, f.name) - getattr(earlier, f.name) for f in fields(self)))

    def to_dict(self) -> dict[str, Any]:
        """All fields in JSON; ``ended`` has every status but ``ok``."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        return {**plain, "ended": {status.value: self.ended[status] for status in FAILURES}}
