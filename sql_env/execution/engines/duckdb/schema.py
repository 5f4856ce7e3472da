"""Read the tables of a DuckDB database with sample values, for prompts."""

from __future__ import annotations

from collections.abc import Set

import duckdb

from sql_env.errors import DatabaseError
from sql_env.execution.engines.duckdb.file import identify, open_readonly
from sql_env.limits import Limits
from sql_env.schema.model import MAX_SAMPLE, MAX_SAMPLES, MAX_SCANNED_ROWS, Column, ForeignKey, Schema, Table
from sql_env.schema.quoting import quote_identifier
from sql_env.types import Value

_KEYWORDS = "SELECT upper(keyword_name) FROM duckdb_keywords() WHERE keyword_category = 'reserved'"
_TABLES = """SELECT schema_name, table_name, comment FROM duckdb_tables()
WHERE NOT internal AND NOT temporary ORDER BY table_oid"""
_COLUMNS = """SELECT column_name, data_type, comment FROM duckdb_columns()
WHERE schema_name = ? AND table_name = ? ORDER BY column_index"""
_KEYS = """SELECT constraint_type, constraint_column_names, referenced_table, referenced_column_names
FROM duckdb_constraints() WHERE schema_name = ? AND table_name = ?
AND constraint_type IN ('PRIMARY KEY', 'FOREIGN KEY') ORDER BY constraint_index"""

_FETCH_ROWS = 32

DISTINCT_TEXTS = """SELECT DISTINCT text FROM (
  SELECT CAST(source.{column} AS VARCHAR) AS text, typeof(source.{column}) AS kind
  FROM {table} AS source LIMIT {max_rows}
) WHERE (kind = 'VARCHAR' OR kind LIKE 'ENUM(%') AND length(text) BETWEEN 1 AND {max_characters}
ORDER BY text LIMIT {max_texts}"""
"""The distinct texts of a column, sorted: the order of DISTINCT is not fixed in DuckDB."""


def read_schema(database: str, limits: Limits) -> Schema:
    """Return the tables with sample values and comments. `sql_env.schema.model.Schema` has no other parts.

    Raises:
        DatabaseError: The file is missing, or is no database, or the work needs more than ``memory_bytes``.
    """
    identify(database)
    connection = open_readonly(database, limits.memory_bytes)
    try:
        keywords = frozenset(str(word) for (word,) in connection.execute(_KEYWORDS).fetchall())
        tables = connection.execute(_TABLES).fetchall()
        return Schema(tuple(_read_table(connection, keywords, *row) for row in tables), keywords)
    except duckdb.Error as error:
        raise DatabaseError(f"cannot read the schema of {database!r}: {error}") from None
    finally:
        connection.close()


def _read_table(
    connection: duckdb.DuckDBPyConnection,
    keywords: Set[str],
    schema_name: str,
    name: str,
    comment: str | None,
) -> Table:
    table = quote_identifier(name, keywords)
    if schema_name != "main":
        table = f"{quote_identifier(schema_name, keywords)}.{table}"
    columns = tuple(
        Column(
            column,
            kind,
            _read_values(connection, table, quote_identifier(column, keywords), kind),
            note or "",
        )
        for column, kind, note in connection.execute(_COLUMNS, [schema_name, name]).fetchall()
    )
    keys = connection.execute(_KEYS, [schema_name, name]).fetchall()
    primary = tuple(column for kind, columns, _, _ in keys if kind == "PRIMARY KEY" for column in columns)
    foreign = tuple(
        ForeignKey(tuple(own), to, tuple(its)) for kind, own, to, its in keys if kind == "FOREIGN KEY"
    )
    return Table(name, columns, primary, foreign, "" if schema_name == "main" else schema_name, comment or "")


def _read_values(
    connection: duckdb.DuckDBPyConnection, table: str, column: str, kind: str
) -> tuple[Value, ...]:
    """Return the first distinct values. DISTINCT is not used: its order is not fixed in DuckDB."""
    if kind == "BLOB":
        return ()
    number = kind in ("DOUBLE", "FLOAT") or kind.endswith("INT") or kind == "INTEGER"
    select = f"SELECT {column if number else f'left(CAST({column} AS VARCHAR), {MAX_SAMPLE})'} FROM {table}"
    rows = connection.execute(f"{select} LIMIT {MAX_SCANNED_ROWS}")
    found: dict[Value, None] = {}
    while len(found) < MAX_SAMPLES and (chunk := rows.fetchmany(_FETCH_ROWS)):
        found |= dict.fromkeys(value for (value,) in chunk if value is not None)
    return tuple(found)[:MAX_SAMPLES]
