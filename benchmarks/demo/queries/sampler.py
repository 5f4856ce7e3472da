"""Draw tables, columns, links and values of one database for a shape."""

import random
from collections.abc import Sequence
from typing import TypeVar

from benchmarks.demo.tables.database import Cell, Rows
from benchmarks.demo.tables.table import MEASURES, TIME, Column, Domain, Kind, Link, Table

T = TypeVar("T")

SHOWN_KINDS = (Kind.NAME, Kind.CATEGORY, Kind.NUMBER, Kind.REAL, Kind.DATE)
"""Kinds of columns that a question asks for."""


class Unfit(LookupError):
    """Nothing in this database fits; draw again or try another shape."""


class Sampler:
    """Draws from one domain; the same ``rng`` state draws the same. A method draws what its name says."""

    def __init__(self, domain: Domain, data: Rows, rng: random.Random) -> None:
        self.domain = domain
        self.data = data
        self.rng = rng
        self._sorted: dict[tuple[str, str], list[Cell]] = {}

    def pick(self, items: Sequence[T]) -> T:
        """Draw one of the items.

        Raises:
            Unfit: There is no item.
        """
        if not items:
            raise Unfit("nothing to pick from")
        return self.rng.choice(items)

    def some(self, items: Sequence[T], n: int) -> list[T]:
        """Draw ``n`` different items."""
        if len(items) < n:
            raise Unfit(f"{len(items)} items, but {n} are needed")
        return self.rng.sample(items, n)

    def table(self, *kinds: Kind) -> Table:
        """Draw a table with a column of each of these kinds."""
        return self.pick([t for t in self.domain.tables if all(t.of(k) for k in kinds)])

    def column(self, table: Table, *kinds: Kind, full: bool = False, but: Sequence[Column] = ()) -> Column:
        """Draw a column of one of these kinds; with ``full`` one without NULLs."""
        return self.pick([c for c in table.of(*kinds) if c not in but and not (full and c.nulls)])

    def measure(self, table: Table, full: bool = False) -> Column:
        """Draw a number whose average makes sense."""
        years = [c for c in table.columns if c.scale is TIME]
        return self.column(table, *MEASURES, full=full, but=years)

    def shown(self, table: Table, n: int = 1, but: Sequence[Column] = ()) -> list[Column]:
        """Draw ``n`` columns to ask for, in the table's order; the title is often one of them."""
        columns = [c for c in table.of(*SHOWN_KINDS) if c not in but] or [
            c for c in table.of(Kind.KEY) if c not in but
        ]
        chosen = self.some(columns, n)
        if table.title in columns and table.title not in chosen and self.rng.random() < 0.6:
            chosen[0] = table.title
        return [c for c in table.columns if c in chosen]

    def link(self, *kinds: Kind) -> Link:
        """Draw a foreign key to another table, whose child has columns of these kinds."""
        links = [k for k in self.domain.links if k.child is not k.parent]
        return self.pick([k for k in links if all(k.child.of(kind) for kind in kinds)])

    def own_link(self) -> Link:
        """Draw a foreign key of a table to itself."""
        return self.pick([k for k in self.domain.links if k.child is k.parent])

    def bridge(self) -> tuple[Link, Link]:
        """Draw the links of one table to two different tables."""
        links = [k for k in self.domain.links if k.child is not k.parent]
        pairs = ((a, b) for a in links for b in links if a.child is b.child and a.parent is not b.parent)
        return self.pick(list(pairs))

    def values(self, table: Table, column: Column) -> list[Cell]:
        """Return all values of a column except NULL, sorted."""
        place = table.name, column.name
        if place not in self._sorted:
            cells = (row[column.name] for row in self.data[table.name])
            self._sorted[place] = sorted(
                (cell for cell in cells if cell is not None),
                key=lambda cell: (0.0, cell) if isinstance(cell, str) else (cell, ""),
            )
        return self._sorted[place]

    def value(self, table: Table, column: Column) -> Cell:
        """Draw a value of the column; from an ordered column, no extreme value."""
        values = self.values(table, column)
        edge = 0 if isinstance(values[0], str) and column.kind is not Kind.DATE else len(values) // 10
        return self.pick(values[edge : len(values) - edge])

    def span(self, table: Table, column: Column) -> tuple[Cell, Cell]:
        """Draw two values of the column, the lower one first."""
        values = self.values(table, column)
        low, high = sorted(self.some(range(len(values)), 2))
        if high - low < len(values) // 6 or values[low] == values[high]:
            raise Unfit("the span is too narrow")
        return values[low], values[high]
