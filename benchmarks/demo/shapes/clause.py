"""Clauses that many shapes share, each with its English."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.demo import predicates
from benchmarks.demo.query import Condition, Join
from benchmarks.demo.sampler import Sampler
from benchmarks.demo.table import Column, Link, Table


def up(link: Link, how: str = "JOIN") -> Join:
    """The join from a child to its parent."""
    return Join(link.parent.name, link.on, how)


def down(link: Link, how: str = "JOIN") -> Join:
    """The join from a parent to its children."""
    return Join(link.child.name, link.on, how)


def names(columns: Sequence[Column], table: Table | None = None) -> tuple[str, ...]:
    """The columns in SQL, qualified where the table is given."""
    return tuple(qualified(table, c) if table else c.name for c in columns)


def qualified(table: Table, column: Column | None = None) -> str:
    """A column with its table, the key unless said otherwise."""
    return f"{table.name}.{column.name if column else table.key[0]}"


def optional(
    s: Sampler, table: Table, chance: float, but: Column | None = None, owner: str = ""
) -> tuple[tuple[Condition, ...], str]:
    """With this chance a predicate on a column other than ``but``, qualified by ``owner``.

    Returns:
        Its condition, and its English with a blank before it; nothing of both where it was not drawn.
    """
    if s.rng.random() >= chance:
        return (), ""
    p = predicates.common(s, table)
    return ((), "") if p.column is but else ((p.on(owner),), f" {p.phrase()}")


def guard(column: Column, descending: bool) -> tuple[Condition, ...]:
    """NULLs sort first in SQLite: an ascending superlative must leave them out."""
    if descending or not column.nulls:
        return ()
    return (Condition(f"{column.name} IS NOT NULL", f"known {column.name}"),)


def of_those(table: Table, among: str) -> str:
    """The predicate, tied to the table's rows, for the end of a question."""
    return f" among the {table.many}{among}" if among else ""
