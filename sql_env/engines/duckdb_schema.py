"""The tables of a DuckDB database with sample values, for prompts."""

from __future__ import annotations

from collections.abc import Set

import duckdb

from sql_env.engines.ddl import SAMPLES, SCANNED, Column, ForeignKey, create_table, identifier
from sql_env.engines.duckdb_file import open_readonly, state
from sql_env.errors import DatabaseError
from sql_env.types import Value

_KEYWORDS = "SELECT upper(keyword_name) FROM duckdb_keywords() WHERE keyword_category = 'reserved'"
_TABLES = """SELECT schema_name, table_name FROM duckdb_tables()
WHERE NOT internal AND NOT temporary ORDER BY table_oid"""
_COLUMNS = """SELECT column_name, data_type FROM duckdb_columns()
WHERE schema_name = ? AND table_name = ? ORDER BY column_index"""
_KEYS = """SELECT constraint_type, constraint_column_names, referenced_table, referenced_column_names
FROM duckdb_constraints() WHERE schema_name = ? AND table_name = ?
AND constraint_type IN ('PRIMARY KEY', 'FOREIGN KEY') ORDER BY constraint_index"""


def schema(database: str, memory_bytes: float) -> str:
    """All tables in the order in which they were made, each column followed by sample values.

    Views, constraints other than keys, and binary values are left out.

    Raises:
        DatabaseError: The file is missing, or is no database.
    """
    state(database)
    connection = open_readonly(database, memory_bytes)
    try:
        keywords = {str(word) for (word,) in connection.execute(_KEYWORDS).fetchall()}
        tables = connection.execute(_TABLES).fetchall()
        return "\n\n".join(_table(connection, space, name, keywords) for space, name in tables)
    except duckdb.Error as error:
        raise DatabaseError(f"cannot read the schema of {database!r}: {error}") from None
    finally:
        connection.close()


def _table(connection: duckdb.DuckDBPyConnection, space: str, name: str, keywords: Set[str]) -> str:
    table = identifier(name, keywords)
    if space != "main":
        table = f"{identifier(space, keywords)}.{table}"
    columns = [
        Column(column, kind, _values(connection, table, identifier(column, keywords), kind))
        for column, kind in connection.execute(_COLUMNS, [space, name]).fetchall()
    ]
    keys = connection.execute(_KEYS, [space, name]).fetchall()
    primary = [column for kind, columns, _, _ in keys if kind == "PRIMARY KEY" for column in columns]
    foreign = [ForeignKey(tuple(own), to, tuple(its)) for kind, own, to, its in keys if kind == "FOREIGN KEY"]
    return create_table(table, columns, primary, foreign, keywords)


def _values(connection: duckdb.DuckDBPyConnection, table: str, column: str, kind: str) -> tuple[Value, ...]:
    """The first distinct values; not by DISTINCT, whose order DuckDB does not fix."""
    if kind == "BLOB":
        return ()
    number = kind in ("DOUBLE", "FLOAT") or kind.endswith("INT") or kind == "INTEGER"
    select = f"SELECT {column if number else f'CAST({column} AS VARCHAR)'} FROM {table}"
    rows = connection.execute(f"{select} LIMIT {SCANNED}").fetchall()
    return tuple(dict.fromkeys(value for (value,) in rows if value is not None))[:SAMPLES]
