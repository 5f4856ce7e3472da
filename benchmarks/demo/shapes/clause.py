"""Clauses that many shapes share, with their English."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.demo.queries import predicates
from benchmarks.demo.queries.predicates import Predicate
from benchmarks.demo.queries.query import Condition, Join
from benchmarks.demo.queries.sampler import Sampler, Unfit
from benchmarks.demo.tables.table import Column, Link, Table

COUNTS = ((">", "more than"), ("<", "fewer than"), (">=", "at least"), ("<=", "at most"))
"""Comparisons of a count, in SQL and in English."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition that a shape may draw or not.

    Attributes:
        where: Its condition, or nothing.
        among: Its English with a blank before it: `` hired in 2019``.
        also: The English that ties a further relative clause to it: `` and``.
        by: Its part in the reasoning: `` by hired``.
    """

    where: tuple[Condition, ...] = ()
    among: str = ""
    also: str = ""
    by: str = ""


def draw_filter(
    s: Sampler, table: Table, chance: float, but: Sequence[Column] = (), owner: str = ""
) -> Filter:
    """With this chance a filter on a column other than ``but``, qualified by ``owner``."""
    if s.rng.random() >= chance:
        return Filter()
    p = predicates.draw_common(s, table)
    if p.column in but:
        return Filter()
    condition = p.on(owner)
    return Filter((condition,), f" {p.phrase()}", " and", f" by {condition.about}")


def draw_two_predicates(s: Sampler, table: Table) -> tuple[Predicate, Predicate]:
    """Two predicates on different columns, in the order in which they read well."""
    p, q = predicates.draw_common(s, table), predicates.draw_common(s, table)
    if p.column is q.column:
        raise Unfit("twice the same column")
    return (q, p) if q.clause and not p.clause else (p, q)


def column_names(columns: Sequence[Column], table: Table | None = None) -> tuple[str, ...]:
    """The columns in SQL, qualified where the table is given."""
    return tuple(qualify(table, c) if table else c.name for c in columns)


def qualify(table: Table, column: Column | None = None) -> str:
    """A column with its table, the key unless said otherwise."""
    return f"{table.name}.{column.name if column else table.key[0]}"


def join_parent(link: Link) -> Join:
    """The join from a child to its parent."""
    return Join(link.parent.name, link.on)


def join_children(link: Link, how: str = "JOIN") -> Join:
    """The join from a parent to its children."""
    return Join(link.child.name, link.on, how)


def require_known(column: Column) -> tuple[Condition, ...]:
    """That a column is not NULL, where it may be."""
    return (Condition(f"{column.name} IS NOT NULL", f"known {column.name}"),) if column.nulls else ()
