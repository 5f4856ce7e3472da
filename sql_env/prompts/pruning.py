"""Make a schema fit into a budget: remove the least relevant parts and report them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import NamedTuple

from sql_env.prompts.relevance import Relevance
from sql_env.schema.model import Column, Schema

_TABLE_BONUS = 0.5
"""A table's rank is twice its relevance plus this bonus. With 0 as many columns that the gold query needs
are removed; with 1 more are. See the figures in docs/prompts."""


class Part(IntEnum):
    """A kind of part that can be removed from a schema."""

    VALUES = 0
    DESCRIPTION = 1
    COLUMN = 2
    TABLE = 3


class Pruning(NamedTuple):
    """The removal of one part, by the places of its table and column. A table's own part has no column."""

    part: Part
    table: int
    column: int = -1


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The parts of a schema that a budget has left out.

    Attributes:
        values: The number of columns in the prompt whose sample values are left out.
        descriptions: The number of tables and columns in the prompt whose description is left out.
        columns: The columns that are left out of tables in the prompt: ``table.column``.
        tables: The tables that are left out.
    """

    values: int = 0
    descriptions: int = 0
    columns: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.values or self.descriptions or self.columns or self.tables)


def prune_to_fit(
    schema: Schema, relevance: Relevance, measure: Callable[[Schema], int], max_size: int
) -> tuple[Schema, LeftOut]:
    """Return as much of a schema as fits into a budget.

    A part that is left out under a budget is also left out under each smaller budget.

    Args:
        schema: The schema.
        relevance: The relevance of its parts.
        measure: Returns the size of a prompt with a part of the schema.
        max_size: The budget. If even the prompt without tables exceeds it, the result has no tables.
    """
    if measure(schema) <= max_size:
        return schema, LeftOut()
    prunings = list(plan_prunings(schema, relevance))
    low, high = 0, len(prunings)
    while low < high:  # binary search for the smallest number of prunings that is enough
        middle = (low + high) // 2
        if measure(apply_prunings(schema, prunings[:middle])) <= max_size:
            high = middle
        else:
            low = middle + 1
    while low < len(prunings) and measure(apply_prunings(schema, prunings[:low])) > max_size:
        low += 1  # a shorter text can have more tokens, so the search can end too early
    return apply_prunings(schema, prunings[:low]), _report(schema, prunings[:low])


def plan_prunings(schema: Schema, relevance: Relevance) -> Iterator[Pruning]:
    """Yield all possible prunings in their order.

    Sample values go first, the least relevant column's first. Then descriptions go in the same way, then
    columns and tables. The rank of a column is the sum of its and its table's relevance; the rank of a table
    is twice its relevance plus a bonus. So columns go before a table of about the same relevance, but an
    irrelevant table goes before a relevant column. A table in the prompt keeps its keys and at least one
    column; a column in the prompt keeps the values that the question mentions. Of parts with the same rank,
    the last in the schema goes first.
    """
    tables = sorted(range(len(schema.tables)), key=lambda t: (relevance.tables[t], -t))
    places = [(t, c) for t, table in enumerate(schema.tables) for c in range(len(table.columns))]

    def column(place: tuple[int, int]) -> Column:
        return schema.tables[place[0]].columns[place[1]]

    def rank(pruning: Pruning) -> float:
        if pruning.part is Part.TABLE:
            return 2 * relevance.tables[pruning.table] + _TABLE_BONUS
        return relevance.columns[pruning.table][pruning.column] + relevance.tables[pruning.table]

    places.sort(key=lambda place: (rank(Pruning(Part.COLUMN, *place)), -place[0], -place[1]))
    yield from (Pruning(Part.VALUES, *place) for place in places if column(place).values)
    yield from (Pruning(Part.DESCRIPTION, *place) for place in places if column(place).description)
    yield from (Pruning(Part.DESCRIPTION, t) for t in tables if schema.tables[t].description)
    best = dict(places)  # the most relevant column of each table: it comes last
    keys = _find_keys(schema)
    removable = (
        Pruning(Part.COLUMN, t, c)
        for t, c in places
        if best[t] != c and (schema.tables[t].name.lower(), column((t, c)).name.lower()) not in keys
    )
    yield from sorted([*removable, *(Pruning(Part.TABLE, t) for t in tables)], key=rank)  # stable


def apply_prunings(schema: Schema, prunings: Sequence[Pruning]) -> Schema:
    """Return a schema without some of its parts and without foreign keys to removed tables."""
    gone = set(prunings)
    gone_tables = {schema.tables[p.table].name.lower() for p in gone if p.part is Part.TABLE}
    tables = []
    for t, table in enumerate(schema.tables):
        if Pruning(Part.TABLE, t) in gone:
            continue
        columns = (
            replace(
                column,
                values=() if Pruning(Part.VALUES, t, c) in gone else column.values,
                description="" if Pruning(Part.DESCRIPTION, t, c) in gone else column.description,
            )
            for c, column in enumerate(table.columns)
            if Pruning(Part.COLUMN, t, c) not in gone
        )
        keys = (key for key in table.foreign_keys if key.table.lower() not in gone_tables)
        description = "" if Pruning(Part.DESCRIPTION, t) in gone else table.description
        tables.append(
            replace(table, columns=tuple(columns), foreign_keys=tuple(keys), description=description)
        )
    return replace(schema, tables=tuple(tables))


def _find_keys(schema: Schema) -> set[tuple[str, str]]:
    """Return the tables and columns of all primary and foreign keys, in lower case."""
    own = {(table.name.lower(), name) for table in schema.tables for name in table.keys}
    foreign = (key for table in schema.tables for key in table.foreign_keys)
    return own | {(key.table.lower(), target.lower()) for key in foreign for target in key.targets}


def _report(schema: Schema, prunings: Sequence[Pruning]) -> LeftOut:
    tables = {p.table for p in prunings if p.part is Part.TABLE}
    columns = {p[1:] for p in prunings if p.part is Part.COLUMN and p.table not in tables}
    parts = [p.part for p in prunings if p.table not in tables and p[1:] not in columns]
    return LeftOut(
        values=parts.count(Part.VALUES),
        descriptions=parts.count(Part.DESCRIPTION),
        columns=tuple(
            f"{schema.tables[t].path}.{schema.tables[t].columns[c].name}" for t, c in sorted(columns)
        ),
        tables=tuple(schema.tables[t].path for t in sorted(tables)),
    )
