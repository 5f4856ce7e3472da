"""Write a schema as CREATE TABLE statements for prompts.

No name or value of a database can start a new line, close a comment or fake a control token.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable
from typing import TypeAlias

from sql_env.prompts.observation import escape_text, format_literal
from sql_env.schema.model import Column, Schema, Table, cache_on_schema
from sql_env.schema.quoting import quote_identifier
from sql_env.types import Value

WIDTH = 40
"""The maximum number of characters of one text in `format_values`."""

EXACT_WIDTH = 100
"""The maximum number of characters of one text in `format_description_and_values`."""

NAME_WIDTH = 128
"""The maximum number of characters of one name. A longer name is an attack."""

DESCRIPTION_WIDTH = 300
"""The maximum number of characters of one description."""

_PLAIN_TYPE = re.compile(r"\w[\w ]*(?:\([\w ,]*\))?[\w \[\]]*")
_TYPE_WIDTH = 100

Note: TypeAlias = Callable[[Column], str]
"""A function that returns the comment behind a column, or an empty text for no comment."""


def format_values(column: Column) -> str:
    """Return a column's sample values as a `Note`, with their white space collapsed."""
    return f"values: {', '.join(map(format_sample, column.values))}" if column.values else ""


def format_description_and_values(column: Column) -> str:
    """Return a column's description and values as a `Note`, in the spelling that a query needs.

    Values that the question mentions come first.
    """
    distinct = dict.fromkeys((*column.matches, *column.values))
    exact = ", ".join(format_literal(value, EXACT_WIDTH) for value in distinct)
    return "; ".join(filter(None, (format_description(column.description), exact and f"values: {exact}")))


@cache_on_schema
def schema_to_ddl(schema: Schema, note: Note = format_values) -> str:
    """Write all tables of a schema as DDL, with a blank line between them.

    Example:
        >>> print(schema_to_ddl(Schema((Table("t", (Column("a", "int", (1, 2)), Column("b c")), ("a",)),))))
        CREATE TABLE t (
          a int, -- values: 1, 2
          "b c",
          PRIMARY KEY (a)
        );
    """
    return "\n\n".join(table_to_ddl(table, note, schema.keywords) for table in schema.tables)


def table_to_ddl(table: Table, note: Note, keywords: Container[str] = ()) -> str:
    """Write one table as DDL, with a comment behind each column.

    Args:
        table: The table.
        note: Returns the comment behind a column.
        keywords: Words that must be quoted when they are names, in upper case.
    """

    def join_names(names: Iterable[str]) -> str:
        return ", ".join(format_name(name, keywords) for name in names)

    lines = [(f"{join_names([c.name])} {_format_type(c.type)}".rstrip(), note(c)) for c in table.columns]
    if table.primary_key:
        lines.append((f"PRIMARY KEY ({join_names(table.primary_key)})", ""))
    for key in table.foreign_keys:
        target = join_names([key.table]) + (f" ({join_names(key.targets)})" if key.targets else "")
        lines.append((f"FOREIGN KEY ({join_names(key.columns)}) REFERENCES {target}", ""))
    body = [
        f"  {text}{',' if i < len(lines) else ''}{f' -- {comment}' if comment else ''}"
        for i, (text, comment) in enumerate(lines, 1)
    ]
    name = ".".join(format_name(part, keywords) for part in (table.schema_name, table.name) if part)
    return "\n".join([f"CREATE TABLE {name} (", *body, ");"])


def format_name(name: str, keywords: Container[str] = ()) -> str:
    """Write a name as SQL for a prompt: escaped, cut, and quoted if it needs quotes."""
    return quote_identifier(format_text(name), keywords)


def format_text(name: str) -> str:
    """Write a name without quotes for a prompt: on one line, escaped and cut."""
    return escape_text(_cut(name, NAME_WIDTH))


def format_sample(value: Value) -> str:
    """Write a value as SQL on one line, its text cut to `WIDTH` characters."""
    if not isinstance(value, str):
        return str(value)
    return "'" + escape_text(_cut(" ".join(value.split()), WIDTH)).replace("'", "''") + "'"


def format_description(text: str) -> str:
    """Write a description on one line, escaped, cut to `DESCRIPTION_WIDTH` characters."""
    return escape_text(_cut(" ".join(text.split()), DESCRIPTION_WIDTH))


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[:width] + "..."


def _format_type(declared: str) -> str:
    """Return a declared type, or nothing if it does not look like a type: SQLite allows any text."""
    return declared if len(declared) <= _TYPE_WIDTH and _PLAIN_TYPE.fullmatch(declared) else ""
