"""A SELECT as data, and a sketch: a query with its questions and the conditions on its result."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple


class Condition(NamedTuple):
    """One condition: its SQL, and its expression for the reasoning."""

    sql: str
    about: str


class Join(NamedTuple):
    """One joined table."""

    table: str
    on: str
    kind: str = "JOIN"


@dataclass(frozen=True, slots=True)
class Select:
    """A query; ``glue`` joins the conditions of ``where``, ``order`` is one expression."""

    columns: tuple[str, ...]
    source: str
    joins: tuple[Join, ...] = ()
    where: tuple[Condition, ...] = ()
    glue: str = "AND"
    group: str = ""
    having: tuple[Condition, ...] = ()
    order: str = ""
    descending: bool = False
    limit: int = 0
    distinct: bool = False

    @property
    def sql(self) -> str:
        """The query text, on one line."""
        start = f"SELECT {'DISTINCT ' if self.distinct else ''}{', '.join(self.columns)} FROM {self.source}"
        joins = (f"{join.kind} {join.table} ON {join.on}" for join in self.joins)
        return " ".join((start, *joins, *(clause for clause, _ in self._clauses())))

    @property
    def reasoning(self) -> str:
        """The construction of the query in three short sentences: source, steps, result."""
        steps = "; ".join(step for _, step in self._clauses())
        source = " with ".join((self.source, *(join.table for join in self.joins)))
        verb = "Join" if self.joins else "Use"
        result = ("distinct " if self.distinct else "") + " and ".join(self.columns)
        return f"{verb} {source}. {steps[:1].upper() + steps[1:] + '. ' if steps else ''}Return {result}."

    def _clauses(self) -> Iterator[tuple[str, str]]:
        """Yield the SQL of each clause after the joins, and its step in the reasoning."""
        if self.where:
            sql = f" {self.glue} ".join(condition.sql for condition in self.where)
            about = f" {self.glue.lower()} ".join(condition.about for condition in self.where)
            yield f"WHERE {sql}", f"keep rows by {about}"
        if self.group:
            yield f"GROUP BY {self.group}", f"group by {self.group}"
        if self.having:
            sql = " AND ".join(condition.sql for condition in self.having)
            yield f"HAVING {sql}", "keep groups by " + " and ".join(c.about for c in self.having)
        if self.order:
            keyword, direction = ("DESC", "descending") if self.descending else ("ASC", "ascending")
            yield f"ORDER BY {self.order} {keyword}", f"sort by {self.order} {direction}"
        if self.limit:
            yield f"LIMIT {self.limit}", f"take {self.limit}"

    def weaken(self) -> Iterator[Select]:
        """Yield the query with one part left out or reversed, in each way that must change the result."""
        for i in range(len(self.where)):
            yield replace(self, where=self.where[:i] + self.where[i + 1 :])
        for i in range(len(self.having)):
            yield replace(self, having=self.having[:i] + self.having[i + 1 :])
        if self.distinct:
            yield replace(self, distinct=False)
        if self.order:
            yield replace(self, descending=not self.descending)
        if self.limit:
            yield replace(self, limit=0)

    def make_boundary(self) -> Select:
        """Select the sort keys up to the first row that LIMIT cuts off. The last two must differ."""
        return replace(self, columns=(self.order,), limit=self.limit + 1)


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
