"""Writing CREATE TABLE text with sample values, for prompts; every engine uses it."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass

from sql_env.types import Value

SAMPLES = 3
"""Distinct values that are shown of a column, at most."""

SCANNED = 1_000
"""Rows that are searched for them, the table's first."""

WIDTH = 40
"""Characters that are shown of one text value, at most."""

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLAIN_TYPE = re.compile(r"\w[\w ]*(?:\([\w ,]*\))?[\w \[\]]*")


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its declared type, which may be empty, and some of its values."""

    name: str
    type: str
    values: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """Columns that refer to another table's columns (to its primary key, where none are named)."""

    columns: tuple[str, ...]
    table: str
    targets: tuple[str, ...] = ()


def create_table(
    table: str,
    columns: Sequence[Column],
    primary_key: Sequence[str] = (),
    foreign_keys: Iterable[ForeignKey] = (),
    keywords: Container[str] = (),
) -> str:
    """One table as DDL, each column followed by a comment with its values.

    Args:
        table: The table's name as SQL, quoted where it must be.
        columns: Its columns in order.
        primary_key: The names of its primary key's columns.
        foreign_keys: Its references to other tables.
        keywords: Words that must be quoted as names, in upper case.

    Example:
        >>> print(create_table("t", [Column("a", "int", (1, 2)), Column("b c", "")], ["a"]))
        CREATE TABLE t (
          a int, -- values: 1, 2
          "b c",
          PRIMARY KEY (a)
        );
    """

    def quoted(names: Iterable[str]) -> str:
        return ", ".join(identifier(name, keywords) for name in names)

    lines = [
        (f"{quoted([column.name])} {_type(column.type)}".rstrip(), ", ".join(map(literal, column.values)))
        for column in columns
    ]
    if primary_key:
        lines.append((f"PRIMARY KEY ({quoted(primary_key)})", ""))
    for key in foreign_keys:
        target = quoted([key.table]) + (f" ({quoted(key.targets)})" if key.targets else "")
        lines.append((f"FOREIGN KEY ({quoted(key.columns)}) REFERENCES {target}", ""))
    body = [
        f"  {text}{',' if i < len(lines) else ''}{f' -- values: {values}' if values else ''}"
        for i, (text, values) in enumerate(lines, 1)
    ]
    return "\n".join([f"CREATE TABLE {table} (", *body, ");"])


def _type(declared: str) -> str:
    """A declared type, which SQLite lets be anything, as long as it cannot be taken for something else."""
    return declared if _PLAIN_TYPE.fullmatch(declared) else ""


def identifier(name: str, keywords: Container[str] = ()) -> str:
    """A name as SQL, quoted where it must be; ``keywords`` are in upper case."""
    if _PLAIN_NAME.fullmatch(name) and name.upper() not in keywords:
        return name
    return '"' + name.replace('"', '""') + '"'


def literal(value: Value) -> str:
    """A sample value as SQL, on one line, its text cut to `WIDTH` characters."""
    if not isinstance(value, str):
        return str(value)
    text = " ".join(value.split())
    return "'" + (text if len(text) <= WIDTH else text[:WIDTH] + "...").replace("'", "''") + "'"
