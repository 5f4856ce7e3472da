"""Requests to a worker and its replies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from sql_env.comparison.gold import Gold
from sql_env.types import ExecutionResult, Query, Row


class ResultMode(IntEnum):
    """The part of a result that the caller needs."""

    VERDICT = 0
    """Its status, and the outcome of each comparison."""
    ROWS = 1
    """Its rows, too."""
    GOLD = 2
    """Its rows, and the number of steps that the query took."""
    COST = 3
    """Steps and CPU seconds instead of rows."""
    SCHEMA = 4
    """The schema of the database, as the only value. There is no query."""


CONTROL = "SELECT 1"
"""The control query of a query without a gold query."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A gold result to compare with, and the name of the comparison."""

    comparison: str
    gold: Gold


@dataclass(frozen=True, slots=True)
class JudgeRequest:
    """A query and the gold results that its result is compared with.

    Attributes:
        query: The query. It runs once.
        references: The gold results. The status of each is ``ok``.
        steps: The step limit, for an engine that counts steps; ``Limits.max_steps`` if None.
        control: A query that is known to work, such as the gold query. It runs on the same database if
            the query fails in an unknown way, and decides who is to blame; see `WorkerPool`.
    """

    query: Query
    references: tuple[Reference, ...] = ()
    steps: int | None = None
    control: str = CONTROL


@dataclass(frozen=True, slots=True)
class Judgement:
    """The answer to a `JudgeRequest`.

    Attributes:
        result: The result of the query. It has rows only if the caller asked for them.
        equal: One outcome for each reference. All are False if the result is not ``ok``.
        steps: The steps of the query, if the caller asked for them and the engine counts steps.
        unexplained: True if the engine or a comparison failed in an unknown way. Then the status is
            ``unavailable`` until a control query shows that the query is to blame.
    """

    result: ExecutionResult
    equal: tuple[bool, ...] = ()
    steps: int | None = None
    unexplained: bool = False


Request: TypeAlias = tuple[
    Sequence[tuple[str, bytes]], Sequence[tuple[int, str, str, str, int | None, Sequence[int]]]
]
"""The wire format of a request: references as (comparison, `Gold.packed`), then the queries. A query is
(mode, dialect, database, SQL, step limit, indexes of its references)."""

Reply: TypeAlias = tuple[str, tuple[str, ...], tuple[Row, ...] | None, str, Sequence[bool], int | None]
"""The wire format of a reply: status or `UNEXPLAINED`, columns, rows or None, error, outcomes of the
comparisons, steps."""

UNEXPLAINED = "unexplained"
"""The status of a reply if the engine or a comparison failed in an unknown way."""

EXIT_OUT_OF_MEMORY = 75
"""The exit code of a worker that ran out of memory. Its last query runs again in a new worker, so that its
verdict does not depend on the memory that earlier queries left behind."""
