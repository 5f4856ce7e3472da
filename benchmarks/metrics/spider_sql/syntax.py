"""The parts of a parsed query. They are equal if the official parses are equal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Column:
    """A column, with or without an aggregate function.

    Attributes:
        name: ``table.column`` in lower case, or ``*``.
        aggregate: The name of the function, or empty.
        distinct: Whether DISTINCT stands before the column.
    """

    name: str
    aggregate: str = ""
    distinct: bool = False


@dataclass(frozen=True, slots=True)
class Term:
    """One column, or two columns with an arithmetic operator."""

    left: Column
    operator: str = ""
    right: Column | None = None

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.left,) if self.right is None else (self.left, self.right)


@dataclass(frozen=True, slots=True)
class Item:
    """An item of SELECT: a term, with or without an aggregate function."""

    term: Term
    aggregate: str = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """``term [NOT] operator value``; ``upper`` is the second value of BETWEEN."""

    term: Term
    operator: str
    negated: bool
    value: Value
    upper: Value = None


@dataclass(frozen=True, slots=True)
class Conditions:
    """Conditions in order, and the connectives (``and``, ``or``) between them."""

    units: tuple[Condition, ...] = ()
    connectives: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.units)


@dataclass(frozen=True, slots=True)
class Query:
    """A SELECT, with the query of its set operation.

    Attributes:
        items: The items of SELECT.
        distinct: Whether it has DISTINCT.
        tables: The tables of FROM: names in lower case, and nested queries.
        joined: The conditions of all ON.
        where: The conditions of WHERE.
        group_by: The columns of GROUP BY.
        having: The conditions of HAVING.
        order_by: The terms of ORDER BY.
        direction: ``asc`` or ``desc``, the last one of ORDER BY; empty if there is no ORDER BY.
        limit: Whether there is a LIMIT. Its number is not kept.
        operation: ``union``, ``intersect`` or ``except``, or empty.
        other: The query after the set operation.
    """

    items: tuple[Item, ...]
    distinct: bool = False
    tables: tuple[str | Query, ...] = ()
    joined: Conditions = Conditions()
    where: Conditions = Conditions()
    group_by: tuple[Column, ...] = ()
    having: Conditions = Conditions()
    order_by: tuple[Term, ...] = ()
    direction: str = ""
    limit: bool = False
    operation: str = ""
    other: Query | None = None

    @property
    def conditions(self) -> tuple[Conditions, ...]:
        """The conditions of ON, WHERE and HAVING."""
        return self.joined, self.where, self.having

    @property
    def units(self) -> tuple[Condition, ...]:
        """All single conditions of ON, WHERE and HAVING."""
        return self.joined.units + self.where.units + self.having.units


Value: TypeAlias = float | str | Column | Query | None
"""The value of a condition. A string keeps its quotes, as double quotes."""
