"""What a worker is given to do, and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, TypeAlias

from sql_env.comparison.gold import Gold
from sql_env.types import ExecutionResult, Query, Row

if TYPE_CHECKING:
    from sql_env.execution.ticket import Ticket


class ResultMode(IntEnum):
    """What is wanted of a query."""

    VERDICT = 0
    """Its status, and whether it equals its golds."""
    ROWS = 1
    """Its rows, too."""
    GOLD = 2
    """Its rows, and how many steps it took."""
    COST = 3
    """What it took, in the place of its rows."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Something that a result is compared with, and how: a gold, and the semantics' name."""

    comparison: str
    gold: Gold


@dataclass(frozen=True, slots=True)
class JudgeRequest:
    """A query, and all that its result is to be compared with.

    Attributes:
        query: What is run, once.
        references: What it is compared with; each gold is ``ok``.
        steps: What it may take, where the engine counts; ``max_steps`` of the limits where None.
    """

    query: Query
    references: tuple[Reference, ...] = ()
    steps: int | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of a `JudgeRequest`.

    Attributes:
        result: How the query ended. It has its rows only where they were asked for.
        equal: For each reference whether the result equals it. All False where it is not ``ok``.
        steps: What it took, where that was asked for and the engine counts.
    """

    result: ExecutionResult
    equal: tuple[bool, ...] = ()
    steps: int | None = None


@dataclass(slots=True, eq=False)
class Job:
    """A case on its way, for all calls that wait for it."""

    case: JudgeRequest
    ask: ResultMode
    tickets: list[Ticket] = field(default_factory=list)
    judgement: Judgement | None = None
    retried: bool = False


Request: TypeAlias = tuple[
    Sequence[tuple[str, bytes]], Sequence[tuple[int, str, str, str, int | None, Sequence[int]]]
]
"""References as (semantics, `Gold.packed`); and for each query what is asked, its dialect, database, SQL and
steps, and the places of its references."""

Reply: TypeAlias = tuple[str, tuple[str, ...], tuple[Row, ...] | None, str, Sequence[bool], int | None]
"""Status, columns, rows where asked for, error, whether it equals each reference, and steps."""
