"""Draw the rows of a domain and write them to an SQLite file."""

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import date
from itertools import count
from pathlib import Path
from typing import TypeAlias

from benchmarks.demo.tables.table import Column, Domain, Kind, Table

Cell: TypeAlias = int | float | str | None
Row: TypeAlias = dict[str, Cell]
Rows: TypeAlias = dict[str, list[Row]]
"""The rows of each table. A row is a dict by column."""

Source: TypeAlias = Callable[[Row], Cell]
"""Draws a cell from the cells to its left."""

CHILDLESS_SHARE = 0.15
"""The share of rows without references to them, so that anti-joins have a result."""


def draw_rows(domain: Domain, rng: random.Random) -> Rows:
    """Draw the rows of every table."""
    drawn: Rows = {}
    for table in domain.tables:
        drawn[table.name] = _draw_table(table, drawn, rng)
    return drawn


def write_database(path: Path, domain: Domain, data: Rows) -> None:
    """Write the database file; the same rows make the same bytes."""
    with closing(sqlite3.connect(path)) as connection:
        # the file is read only when it is complete, so it does not have to survive a crash
        connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")
        connection.executescript(";".join(make_ddl(table, domain) for table in domain.tables))
        for table in domain.tables:
            marks = ", ".join("?" * len(table.columns))
            cells = (tuple(row.values()) for row in data[table.name])
            connection.executemany(f"INSERT INTO {table.name} VALUES ({marks})", cells)
        connection.commit()


def make_ddl(table: Table, domain: Domain) -> str:
    """Make the CREATE TABLE statement."""
    lines = [f"{c.name} {find_sql_type(c, domain)}{_make_constraint(c, table)}" for c in table.columns]
    if len(table.key) > 1:
        lines.append(f"PRIMARY KEY ({', '.join(table.key)})")
    return f"CREATE TABLE {table.name} (\n  " + ",\n  ".join(lines) + "\n)"


def find_sql_type(column: Column, domain: Domain) -> str:
    """Return the declared type; a reference has the type of its key."""
    if column.target:
        return next(find_sql_type(t.columns[0], domain) for t in domain.tables if t.name == column.target)
    if column.kind is Kind.REAL:
        return "REAL"
    return "TEXT" if isinstance(next(iter(column.values), 0), str) else "INTEGER"


def _make_constraint(column: Column, table: Table) -> str:
    if table.key == (column.name,):
        return " PRIMARY KEY"
    required = "" if column.nulls else " NOT NULL"
    return required + (f" REFERENCES {column.target}" if column.target else "")


def _draw_table(table: Table, drawn: Rows, rng: random.Random) -> list[Row]:
    sources = [(column, _make_source(column, table, drawn, rng)) for column in table.columns]
    made: dict[tuple[Cell, ...], Row] = {}
    for _ in range(table.size):
        row: Row = {}
        for column, source in sources:
            row[column.name] = None if rng.random() < column.nulls else source(row)
        made.setdefault(tuple(row[k] for k in table.key), row)
    return list(made.values())


def _make_source(column: Column, table: Table, drawn: Rows, rng: random.Random) -> Source:
    match column.kind:
        case Kind.KEY:
            keys = iter(column.values) if column.values else count(1)
            return lambda row: next(keys)
        case Kind.NAME:
            exact = len(column.values) == table.size
            names = iter(column.values if exact else rng.sample(column.values, table.size))
            return lambda row: next(names)
        case Kind.CATEGORY:
            weights = [rng.uniform(0.5, 2) for _ in column.values]
            return lambda row: rng.choices(column.values, weights)[0]
        case Kind.NUMBER | Kind.REAL:
            low, high = map(float, column.values)
            digits = 1 if column.kind is Kind.REAL else None
            return lambda row: round(rng.triangular(low, high, low + 0.35 * (high - low)), digits)
        case Kind.DATE:
            return _make_date_source(column, rng)
        case Kind.FLAG:
            return lambda row: int(rng.random() < 0.35)
        case Kind.REF if column.target == table.name:
            return _make_parent_source(table, rng)
        case _:
            return _make_reference_source(column, table, drawn, rng)


def _make_date_source(column: Column, rng: random.Random) -> Source:
    first, last = (date.fromisoformat(str(v)).toordinal() for v in column.values)

    def draw(row: Row) -> Cell:
        if column.after:
            start = date.fromisoformat(str(row[column.after])).toordinal()
            return date.fromordinal(start + rng.randint(2, 150)).isoformat()
        return date.fromordinal(rng.randint(first, last)).isoformat()

    return draw


def _make_reference_source(column: Column, table: Table, drawn: Rows, rng: random.Random) -> Source:
    """Draw references to another table, which differ from other references of the row to that table."""
    keys = [next(iter(parent.values())) for parent in drawn[column.target]]
    weights = [0.0 if rng.random() < CHILDLESS_SHARE else 0.3 + rng.expovariate(1) for _ in keys]
    others = [c.name for c in table.of(Kind.REF) if c.target == column.target and c is not column]

    def draw(row: Row) -> Cell:
        taken = [row[name] for name in others if name in row]
        return next(k for k in iter(lambda: rng.choices(keys, weights)[0], ...) if k not in taken)

    return draw


def _make_parent_source(table: Table, rng: random.Random) -> Source:
    """Draw references to the same table: to one of its first rows, above the row itself."""

    def draw(row: Row) -> Cell:
        own = int(str(row[table.key[0]]))
        return rng.randint(1, min(own - 1, table.size // 3)) if own > 1 else None

    return draw
