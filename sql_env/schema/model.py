"""What a database consists of, as far as a model that writes queries has to know."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from sql_env.types import Value

P = ParamSpec("P")
T = TypeVar("T")

SAMPLES = 3
"""Distinct values that an engine reads of a column, at most."""

SCANNED = 1_000
"""Rows that it searches for them, the table's first."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        name: Its name, unquoted.
        type: Its declared type, as the database words it: in SQLite any text, or none.
        values: Some of its values.
        description: What it holds, in words; empty where nobody has said so.
        matches: Values that a question mentions, the best first; see `sql_env.prompts.values.link_values`.
    """

    name: str
    type: str = ""
    values: tuple[Value, ...] = ()
    description: str = ""
    matches: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """Columns that refer to another table's columns (to its primary key, where none are named)."""

    columns: tuple[str, ...]
    table: str
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its columns in order.

    Attributes:
        name: Its name, unquoted.
        columns: Its columns.
        primary_key: The names of its primary key's columns.
        foreign_keys: Its references to other tables.
        space: The schema of the database that it is in, where that must be said (DuckDB).
        description: What it holds, in words; may be empty.
    """

    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    space: str = ""
    description: str = ""

    @property
    def path(self) -> str:
        """What tells it from every other table: its name, behind that of its schema where it has one."""
        return f"{self.space}.{self.name}" if self.space else self.name

    @property
    def keys(self) -> frozenset[str]:
        """The names of the columns that are part of a key, in lower case."""
        names = (*self.primary_key, *(name for key in self.foreign_keys for name in key.columns))
        return frozenset(name.lower() for name in names)


@dataclass(frozen=True, slots=True)
class Schema:
    """The tables of a database, in the order in which they were made.

    Views, constraints other than keys, and binary values are left out.
    `sql_env.prompts.ddl.schema_to_ddl` writes it as SQL.

    Attributes:
        tables: The tables.
        keywords: Words that must be quoted as names, in upper case.
        made: What `once` has made of it.
    """

    tables: tuple[Table, ...]
    keywords: frozenset[str] = field(default=frozenset(), repr=False)
    made: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False, compare=False)


def once(make: Callable[Concatenate[Schema, P], T]) -> Callable[Concatenate[Schema, P], T]:
    """A function that makes the same of a schema each time, made to do it once and keep it there.

    A schema is read once and asked about for each of its tasks, again and again in training.
    """

    @wraps(make)
    def kept(schema: Schema, /, *args: P.args, **kwargs: P.kwargs) -> T:
        key = (make, args, tuple(kwargs.items()))
        if key not in schema.made:
            schema.made[key] = make(schema, *args, **kwargs)
        found: T = schema.made[key]
        return found

    return kept
