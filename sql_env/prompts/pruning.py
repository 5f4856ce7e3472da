"""Making a schema fit: what has least to do with the question goes first, and all that goes is reported."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import NamedTuple

from sql_env.prompts.relevance import Relevance
from sql_env.schema.model import Column, ForeignKey, Schema, Table

_TABLE = 0.5
"""What a table's rank has more than twice its relevance. At 0 as many columns that the gold query needs
are left out, at 1 more; see the figures in docs/prompts."""


class Part(IntEnum):
    """What can be left out of a schema."""

    VALUES = 0
    DESCRIPTION = 1
    COLUMN = 2
    TABLE = 3


class Pruning(NamedTuple):
    """One thing that is left out: of a column, where there is one, else of a table; by their places."""

    part: Part
    table: int
    column: int = -1


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What a budget has left out.

    Attributes:
        values: Columns that are shown without their sample values.
        descriptions: Tables and columns that are shown without their description.
        columns: Columns that are not shown, of tables that are: ``table.column``.
        tables: Tables that are not shown.
    """

    values: int = 0
    descriptions: int = 0
    columns: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.values or self.descriptions or self.columns or self.tables)


def prune_to_fit(
    schema: Schema, relevance: Relevance, size: Callable[[Schema], int], most: int
) -> tuple[Schema, LeftOut]:
    """As much of a schema as a budget allows.

    What is left out under a budget is left out under any smaller one, too.

    Args:
        schema: The schema.
        relevance: How relevant its parts are.
        size: How large a prompt with some of the schema is.
        most: The budget. Where the prompt without any table exceeds it, that is what remains.
    """
    if size(schema) <= most:
        return schema, LeftOut()
    cuts = list(plan(schema, relevance))
    low, high = 0, len(cuts)
    while low < high:  # the fewest cuts that are enough
        middle = (low + high) // 2
        if size(without(schema, cuts[:middle])) <= most:
            high = middle
        else:
            low = middle + 1
    while low < len(cuts) and size(without(schema, cuts[:low])) > most:
        low += 1  # a tokenizer may find more tokens in less text
    return without(schema, cuts[:low]), _report(schema, cuts[:low])


def plan(schema: Schema, relevance: Relevance) -> Iterator[Pruning]:
    """Everything that can be left out, in order.

    First the sample values of the least relevant column, then those of the next; then descriptions in
    the same way; then columns and tables. A column is as relevant as it and its table are together, a
    table twice as relevant as it is, and a bit: so columns go before a table that is about as relevant,
    but a table that the question has nothing to do with goes before a column that it is about. A table
    keeps its keys and one column as long as it is shown itself, and a column the values that the
    question mentions. Among equals what comes last goes first.
    """
    tables = sorted(range(len(schema.tables)), key=lambda t: (relevance.tables[t], -t))
    places = [(t, c) for t, table in enumerate(schema.tables) for c in range(len(table.columns))]

    def column(place: tuple[int, int]) -> Column:
        return schema.tables[place[0]].columns[place[1]]

    def rank(cut: Pruning) -> float:
        if cut.part is Part.TABLE:
            return 2 * relevance.tables[cut.table] + _TABLE
        return relevance.columns[cut.table][cut.column] + relevance.tables[cut.table]

    places.sort(key=lambda place: (rank(Pruning(Part.COLUMN, *place)), -place[0], -place[1]))
    yield from (Pruning(Part.VALUES, *place) for place in places if column(place).values)
    yield from (Pruning(Part.DESCRIPTION, *place) for place in places if column(place).description)
    yield from (Pruning(Part.DESCRIPTION, t) for t in tables if schema.tables[t].description)
    best = dict(places)  # of each table its most relevant column, which comes last
    keys = _keys(schema)
    kept = {
        (t, c)
        for t, c in places
        if best[t] == c or (schema.tables[t].name.lower(), column((t, c)).name.lower()) in keys
    }
    columns = [Pruning(Part.COLUMN, *place) for place in places if place not in kept]
    yield from sorted([*columns, *(Pruning(Part.TABLE, t) for t in tables)], key=rank)  # stable


def without(schema: Schema, cuts: Sequence[Pruning]) -> Schema:
    """A schema with some of its parts left out, and of foreign keys those that nothing is left of."""
    gone = set(cuts)
    names = {schema.tables[cut.table].name.lower() for cut in gone if cut.part is Part.TABLE}
    tables = (
        _table(t, table, gone, names)
        for t, table in enumerate(schema.tables)
        if Pruning(Part.TABLE, t) not in gone
    )
    return replace(schema, tables=tuple(tables))


def _table(t: int, table: Table, gone: set[Pruning], names: set[str]) -> Table:
    def kept(key: ForeignKey) -> bool:
        return key.table.lower() not in names

    columns = (
        replace(
            column,
            values=() if Pruning(Part.VALUES, t, c) in gone else column.values,
            description="" if Pruning(Part.DESCRIPTION, t, c) in gone else column.description,
        )
        for c, column in enumerate(table.columns)
        if Pruning(Part.COLUMN, t, c) not in gone
    )
    return replace(
        table,
        columns=tuple(columns),
        foreign_keys=tuple(filter(kept, table.foreign_keys)),
        description="" if Pruning(Part.DESCRIPTION, t) in gone else table.description,
    )


def _keys(schema: Schema) -> set[tuple[str, str]]:
    """The columns that are part of a key or that a foreign key names, with their tables, in lower case."""
    found = {(table.name.lower(), name) for table in schema.tables for name in table.keys}
    for table in schema.tables:
        for key in table.foreign_keys:
            found |= {(key.table.lower(), target.lower()) for target in key.targets}
    return found


def _report(schema: Schema, cuts: Sequence[Pruning]) -> LeftOut:
    tables = {cut.table for cut in cuts if cut.part is Part.TABLE}
    columns = {cut[1:] for cut in cuts if cut.part is Part.COLUMN and cut.table not in tables}
    other = [
        cut for cut in cuts if cut.part < Part.COLUMN and cut.table not in tables and cut[1:] not in columns
    ]
    return LeftOut(
        values=sum(cut.part is Part.VALUES for cut in other),
        descriptions=sum(cut.part is Part.DESCRIPTION for cut in other),
        columns=tuple(
            f"{schema.tables[t].path}.{schema.tables[t].columns[c].name}" for t, c in sorted(columns)
        ),
        tables=tuple(schema.tables[t].path for t in sorted(tables)),
    )
