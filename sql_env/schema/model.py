"""The tables, columns and keys of a database, for prompts."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from sql_env.types import Value

P = ParamSpec("P")
T = TypeVar("T")

MAX_SAMPLES = 3
"""The maximum number of distinct values that an engine reads of a column."""

MAX_SAMPLE = 100_000
"""The maximum number of characters that an engine reads of a text value. Prompts show up to 100 of them."""

MAX_SCANNED_ROWS = 1_000
"""The number of rows, from the first row of a table, that an engine searches for them."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        name: Its name, unquoted.
        type: Its declared type in the database's spelling. SQLite allows any text, or none.
        values: Sample values.
        description: Its meaning in words; may be empty.
        matches: Values that the question mentions, the best first; see `sql_env.prompts.values.add_matches`.
    """

    name: str
    type: str = ""
    values: tuple[Value, ...] = ()
    description: str = ""
    matches: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A reference from columns of a table to columns of another table.

    Attributes:
        columns: The columns that refer.
        table: The name of the other table.
        targets: The columns of the other table; empty for its primary key.
    """

    columns: tuple[str, ...]
    table: str
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its columns in order.

    Attributes:
        name: Its name, unquoted.
        columns: Its columns.
        primary_key: The names of the columns of its primary key.
        foreign_keys: Its references to other tables.
        schema_name: The DuckDB schema that contains it; empty for the default schema and in SQLite.
        description: Its meaning in words; may be empty.
    """

    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    schema_name: str = ""
    description: str = ""

    @property
    def path(self) -> str:
        """The name that is unique in the database: ``schema.table``, or ``table`` without a schema."""
        return f"{self.schema_name}.{self.name}" if self.schema_name else self.name

    @property
    def keys(self) -> frozenset[str]:
        """The names of the columns that are part of a key, in lower case."""
        names = (*self.primary_key, *(name for key in self.foreign_keys for name in key.columns))
        return frozenset(name.lower() for name in names)


@dataclass(frozen=True, slots=True)
class Schema:
    """The tables of a database in the order of their creation.

    It has no views, no constraints other than keys, and no binary values.
    `sql_env.prompts.ddl.schema_to_ddl` writes it as SQL.

    Attributes:
        tables: The tables.
        keywords: Words that must be quoted when they are names, in upper case.
        cache: Results of functions with `cache_on_schema`.
    """

    tables: tuple[Table, ...]
    keywords: frozenset[str] = field(default=frozenset(), repr=False)
    cache: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def map_columns(self, change: Callable[[Table, Column], Column]) -> Schema:
        """Return a schema whose columns are the results of ``change``."""
        tables = (
            replace(table, columns=tuple(change(table, column) for column in table.columns))
            for table in self.tables
        )
        return replace(self, tables=tuple(tables))


def cache_on_schema(function: Callable[Concatenate[Schema, P], T]) -> Callable[Concatenate[Schema, P], T]:
    """Decorate a pure function of a schema: its results are kept in `Schema.cache`.

    A schema is read once and then used for each task of its database, many times in a training run.
    """

    @wraps(function)
    def cached(schema: Schema, /, *args: P.args, **kwargs: P.kwargs) -> T:
        key = (function, args, tuple(kwargs.items()))
        if key not in schema.cache:
            schema.cache[key] = function(schema, *args, **kwargs)
        result: T = schema.cache[key]
        return result

    return cached
