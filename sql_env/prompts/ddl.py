"""A schema as CREATE TABLE text, for prompts: nothing that a database holds can break out of its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable
from typing import TypeAlias

from sql_env.prompts import observation
from sql_env.prompts.observation import escape_text
from sql_env.schema.model import Column, Schema, Table
from sql_env.schema.quoting import identifier
from sql_env.types import Value

WIDTH = 40
"""Characters that `values` shows of one text, at most."""

EXACT_WIDTH = 100
"""Characters that `description_and_values` shows of one text, at most."""

NAME_WIDTH = 128
"""Characters that are shown of one name, at most: a longer one is no name, but an attack."""

DESCRIPTION_WIDTH = 300
"""Characters that are shown of one description, at most."""

_PLAIN_TYPE = re.compile(r"\w[\w ]*(?:\([\w ,]*\))?[\w \[\]]*")
_TYPE_WIDTH = 100

Note: TypeAlias = Callable[[Column], str]
"""What the comment behind a column says; nothing where it is empty."""


def values(column: Column) -> str:
    """A column's values, their white space collapsed, as a `Note`."""
    return f"values: {', '.join(map(literal, column.values))}" if column.values else ""


def description_and_values(column: Column) -> str:
    """A column's description, and its values as a query has to spell them, as a `Note`.

    Those that the question mentions come first.
    """
    distinct = dict.fromkeys((*column.matches, *column.values))
    exact = ", ".join(observation.format_literal(value, EXACT_WIDTH) for value in distinct)
    return "; ".join(filter(None, (sentence(column.description), exact and f"values: {exact}")))


def schema_to_ddl(schema: Schema, note: Note = values) -> str:
    """All tables of a schema as DDL, a blank line between them. By default with sample values.

    Example:
        >>> print(create_tables(Schema((Table("t", (Column("a", "int", (1, 2)), Column("b c")), ("a",)),))))
        CREATE TABLE t (
          a int, -- values: 1, 2
          "b c",
          PRIMARY KEY (a)
        );
    """
    return "\n\n".join(create_table(table, note, schema.keywords) for table in schema.tables)


def create_table(table: Table, note: Note, keywords: Container[str] = ()) -> str:
    """One table as DDL, each column followed by a comment.

    Args:
        table: The table.
        note: What the comment behind a column says.
        keywords: Words that must be quoted as names, in upper case.
    """

    def quoted(names: Iterable[str]) -> str:
        return ", ".join(display_name(name, keywords) for name in names)

    lines = [(f"{quoted([c.name])} {_type(c.type)}".rstrip(), note(c)) for c in table.columns]
    if table.primary_key:
        lines.append((f"PRIMARY KEY ({quoted(table.primary_key)})", ""))
    for key in table.foreign_keys:
        target = quoted([key.table]) + (f" ({quoted(key.targets)})" if key.targets else "")
        lines.append((f"FOREIGN KEY ({quoted(key.columns)}) REFERENCES {target}", ""))
    body = [
        f"  {text}{',' if i < len(lines) else ''}{f' -- {comment}' if comment else ''}"
        for i, (text, comment) in enumerate(lines, 1)
    ]
    name = ".".join(display_name(part, keywords) for part in (table.space, table.name) if part)
    return "\n".join([f"CREATE TABLE {name} (", *body, ");"])


def display_name(name: str, keywords: Container[str] = ()) -> str:
    """A name as SQL for a model to read: `identifier` of what `bare` makes of it."""
    return identifier(display_text(name), keywords)


def display_text(name: str) -> str:
    """A name as it is, but on one line, escaped and cut."""
    return escape_text(_cut(name, NAME_WIDTH))


def literal(value: Value) -> str:
    """A value as SQL, on one line, its text cut to `WIDTH` characters."""
    if not isinstance(value, str):
        return str(value)
    return "'" + escape_text(_cut(" ".join(value.split()), WIDTH)).replace("'", "''") + "'"


def sentence(text: str) -> str:
    """A description on one line, escaped, cut to `DESCRIPTION_WIDTH` characters."""
    return escape_text(_cut(" ".join(text.split()), DESCRIPTION_WIDTH))


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[:width] + "..."


def _type(declared: str) -> str:
    """A declared type, which SQLite lets be anything, as long as it cannot be taken for something else."""
    return declared if len(declared) <= _TYPE_WIDTH and _PLAIN_TYPE.fullmatch(declared) else ""
