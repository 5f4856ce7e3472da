"""A SELECT as data, with its SQL, its reasoning and its variants without a clause."""

from __future__ import annotations

from collections.abc import Iterator
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
        return " ".join(self._clauses())

    def _clauses(self) -> Iterator[str]:
        yield f"SELECT {'DISTINCT ' if self.distinct else ''}{', '.join(self.columns)} FROM {self.source}"
        for join in self.joins:
            yield f"{join.kind} {join.table} ON {join.on}"
        if self.where:
            yield "WHERE " + f" {self.glue} ".join(c.sql for c in self.where)
        if self.group:
            yield f"GROUP BY {self.group}"
        if self.having:
            yield "HAVING " + " AND ".join(c.sql for c in self.having)
        if self.order:
            yield f"ORDER BY {self.order} {'DESC' if self.descending else 'ASC'}"
        if self.limit:
            yield f"LIMIT {self.limit}"

    @property
    def reasoning(self) -> str:
        """The construction of the query in three short sentences: source, steps, result."""
        steps = "; ".join(self._steps())
        source = " with ".join((self.source, *(join.table for join in self.joins)))
        verb = "Join" if self.joins else "Use"
        result = ("distinct " if self.distinct else "") + " and ".join(self.columns)
        return f"{verb} {source}. {steps[:1].upper() + steps[1:] + '. ' if steps else ''}Return {result}."

    def _steps(self) -> Iterator[str]:
        if self.where:
            yield "keep rows by " + f" {self.glue.lower()} ".join(c.about for c in self.where)
        if self.group:
            yield f"group by {self.group}"
        if self.having:
            yield "keep groups by " + " and ".join(c.about for c in self.having)
        if self.order:
            yield f"sort by {self.order} {'descending' if self.descending else 'ascending'}"
        if self.limit:
            yield f"take {self.limit}"

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
