"""The rows of a domain, and the SQLite file that holds them."""

from __future__ import annotations

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
"""The rows of each table, each a dict by column."""

Source: TypeAlias = Callable[[Row], Cell]
"""Draws a cell; it sees the cells to its left."""

CHILDLESS_SHARE = 0.15
"""The share of rows that nothing refers to, so that anti-joins find something."""


def draw_rows(domain: Domain, rng: random.Random) -> Rows:
    """Draw the rows of every table."""
    drawn: Rows = {}
    for table in domain.tables:
        drawn[table.name] = _fill(table, drawn, rng)
    return drawn


def write_database(path: Path, domain: Domain, data: Rows) -> None:
    """Write the database file; the same rows make the same bytes."""
    with closing(sqlite3.connect(path)) as connection:
        # Whoever reads the file waits until it is whole, so nothing need survive a crash.
        connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")
        connection.executescript(";".join(make_ddl(table, domain) for table in domain.tables))
        for table in domain.tables:
            marks = ", ".join("?" * len(table.columns))
            cells = (tuple(row.values()) for row in data[table.name])
            connection.executemany(f"INSERT INTO {table.name} VALUES ({marks})", cells)
        connection.commit()


def make_ddl(table: Table, domain: Domain) -> str:
    """The CREATE TABLE statement."""
    lines = [f"{c.name} {find_sql_type(c, domain)}{_constraint(c, table)}" for c in table.columns]
    if len(table.key) > 1:
        lines.append(f"PRIMARY KEY ({', '.join(table.key)})")
    return f"CREATE TABLE {table.name} (\n  " + ",\n  ".join(lines) + "\n)"


def find_sql_type(column: Column, domain: Domain) -> str:
    """The declared type; a reference has the type of the key that it points to."""
    if column.target:
        return next(find_sql_type(t.columns[0], domain) for t in domain.tables if t.name == column.target)
    if column.kind is Kind.REAL:
        return "REAL"
    return "TEXT" if isinstance(next(iter(column.values), 0), str) else "INTEGER"


def _constraint(column: Column, table: Table) -> str:
    if table.key == (column.name,):
        return " PRIMARY KEY"
    required = "" if column.nulls else " NOT NULL"
    return required + (f" REFERENCES {column.target}" if column.target else "")


def _fill(table: Table, drawn: Rows, rng: random.Random) -> list[Row]:
    sources = [(c, SOURCES[c.kind](c, table, drawn, rng)) for c in table.columns]
    made: dict[tuple[Cell, ...], Row] = {}
    for _ in range(table.size):
        row: Row = {}
        for column, source in sources:
            row[column.name] = None if rng.random() < column.nulls else source(row)
        made.setdefault(tuple(row[k] for k in table.key), row)
    return list(made.values())


def _key(column: Column, table: Table, drawn: Rows, rng: random.Random) -> Source:
    numbers = count(1)
    codes = iter(column.values)
    return lambda row: next(codes) if column.values else next(numbers)


def _name(column: Column, table: Table, drawn: Rows, rng: random.Random) -> Source:
    exact = len(column.values) == table.size
    names = iter(column.values if exact else rng.sample(column.values, table.size))
    return lambda row: next(names)


def _category(column: Column, table: Table, drawn: Rows, rng: random.Random) -> Source:
    weights = [rng.uniform(0.5, 2) for _ in column.values]
    return lambda row: rng.choices(column.values, weights)[0]


def _number(column: Column, table: Table, drawn: Rows, rng: random.Random) -> Source:
    low, high = map(float, column.values)
    digits = 1 if column.kind is Kind.REAL else None
    return lambda row: round(rng.triangular(low, high, low + 0.35 * (high - low)), digits)


def _date(column: Column, table: Table, drawn: Rows, rng: random.Random) -> Source:
    first, last = (date.fromisoformat(str(v)).toordinal() for v in column.values)

    def draw(row: Row) -> Cell:
        if column.after:
            start = date.fromisoformat(str(row[column.after])).toordinal()
            return date.fromordinal(start + rng.randint(2, 150)).isoformat()
        return date.fromordinal(rng.randint(first, last)).isoformat()

    return draw


def _flag(column: Column, table: Table, drawn: Rows, rng: random.Random) -> Source:
    return lambda row: int(rng.random() < 0.35)


def _ref(column: Column, table: Table, drawn: Rows, rng: random.Random) -> Source:
    if column.target == table.name:
        return _senior(table, rng)
    parents = drawn[column.target]
    keys = [next(iter(parent.values())) for parent in parents]
    weights = [0.0 if rng.random() < CHILDLESS_SHARE else 0.3 + rng.expovariate(1) for _ in keys]
    twins = [c.name for c in table.of(Kind.REF) if c.target == column.target and c is not column]

    def draw(row: Row) -> Cell:
        taken = [row[t] for t in twins if t in row]
        return next(k for k in iter(lambda: rng.choices(keys, weights)[0], ...) if k not in taken)

    return draw


def _senior(table: Table, rng: random.Random) -> Source:
    """A reference into its own table: to one of the first rows, above the row itself."""

    def draw(row: Row) -> Cell:
        own = int(str(row[table.key[0]]))
        return rng.randint(1, min(own - 1, table.size // 3)) if own > 1 else None

    return draw


SOURCES: dict[Kind, Callable[[Column, Table, Rows, random.Random], Source]] = {
    Kind.KEY: _key,
    Kind.NAME: _name,
    Kind.CATEGORY: _category,
    Kind.NUMBER: _number,
    Kind.REAL: _number,
    Kind.DATE: _date,
    Kind.FLAG: _flag,
    Kind.REF: _ref,
}
