"""The result of a shape: a query, its questions, and what must be true of it on the data."""

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
        questions: Different questions for it, at least three.
        reasoning: The steps from the question to the query.
        evidence: Knowledge beyond the schema.
        must_differ: Queries whose result must differ, so that every clause matters.
        must_equal: Queries whose result must be the same, so that the question is not ambiguous.
        limited: The selects with a LIMIT, which may not cut through a tie.
    """

    sql: str
    questions: tuple[str, ...]
    reasoning: str
    evidence: str = ""
    must_differ: tuple[str, ...] = ()
    must_equal: tuple[str, ...] = ()
    limited: tuple[Select, ...] = ()


Shape: TypeAlias = Callable[[Sampler], Sketch]


def make_sketch(
    select: Select,
    *questions: str,
    first: str = "",
    reasoning: str = "",
    evidence: str = "",
    must_differ: tuple[str, ...] = (),
    limited: tuple[Select, ...] = (),
) -> Sketch:
    """Make the sketch of one select; ``first`` comes before its own reasoning, ``reasoning`` replaces it."""
    return Sketch(
        sql=select.sql,
        questions=questions,
        reasoning=reasoning or f"{first} {select.reasoning}".strip(),
        evidence=evidence,
        must_differ=(*must_differ, *(weaker.sql for weaker in select.weaken())),
        limited=(*limited, select) if select.limit else limited,
    )


def make_nested_sketch(
    outer: Callable[[Select], Select], inner: Select, *questions: str, first: str
) -> Sketch:
    """Make the sketch of a select around another one. Every clause of both must matter."""
    return make_sketch(
        outer(inner),
        *questions,
        first=first,
        must_differ=tuple(outer(weaker).sql for weaker in inner.weaken()),
    )
