"""What a shape draws: a query, ways to ask for it, and what must be true of it on the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from benchmarks.demo.queries.query import Select
from benchmarks.demo.queries.sampler import Sampler


@dataclass(frozen=True, slots=True)
class Sketch:
    """A candidate for a task.

    Attributes:
        sql: The gold query.
        questions: Different ways to ask for it, at least three.
        reasoning: How to get from the question to the query.
        evidence: What one must know beyond the schema.
        unlike: Queries whose result must differ, so that every clause matters.
        alike: Queries whose result must be the same, so that the question has one honest reading.
        limited: The selects inside that have a LIMIT, none of which may cut through a tie.
    """

    sql: str
    questions: tuple[str, ...]
    reasoning: str
    evidence: str = ""
    unlike: tuple[str, ...] = ()
    alike: tuple[str, ...] = ()
    limited: tuple[Select, ...] = ()


Shape: TypeAlias = Callable[[Sampler], Sketch]


def make_sketch(
    select: Select,
    *questions: str,
    first: str = "",
    reasoning: str = "",
    evidence: str = "",
    unlike: tuple[str, ...] = (),
    limited: tuple[Select, ...] = (),
) -> Sketch:
    """The sketch of one select; ``first`` opens its own reasoning, ``reasoning`` replaces it."""
    return Sketch(
        sql=select.sql,
        questions=questions,
        reasoning=reasoning or f"{first} {select.reasoning}".strip(),
        evidence=evidence,
        unlike=(*unlike, *(weaker.sql for weaker in select.weaker())),
        limited=(*limited, select) if select.limit else limited,
    )


def make_nested_sketch(
    outer: Callable[[Select], Select], inner: Select, *questions: str, first: str
) -> Sketch:
    """The sketch of a select around another, every clause of which must matter too."""
    return make_sketch(
        outer(inner),
        *questions,
        first=first,
        unlike=tuple(outer(weaker).sql for weaker in inner.weaker()),
    )
