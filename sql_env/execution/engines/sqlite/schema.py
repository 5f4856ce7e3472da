"""Read the tables of an SQLite database with sample values, for prompts."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import apsw

from sql_env.errors import DatabaseError
from sql_env.execution.engines.sqlite.file import decode_row, identify, make_lenient_select, open_readonly
from sql_env.schema.model import MAX_SAMPLES, MAX_SCANNED_ROWS, Column, ForeignKey, Schema, Table
from sql_env.schema.quoting import quote_identifier
from sql_env.types import Row

_TABLES = r"""SELECT name FROM sqlite_schema AS s
WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\'
AND name NOT IN (SELECT name FROM pragma_table_list WHERE type = 'shadow') ORDER BY s.rowid"""
_COLUMNS = "SELECT name, type, pk FROM pragma_table_xinfo({}) WHERE hidden <> 1 ORDER BY cid"
_KEYS = 'SELECT id, "table", "from", "to" FROM pragma_foreign_key_list({}) ORDER BY id DESC, seq'
_VALUES = """SELECT DISTINCT {0} FROM (SELECT {0} FROM {1} NOT INDEXED LIMIT {2})
WHERE typeof({0}) NOT IN ('null', 'blob') LIMIT {3}"""

DISTINCT_TEXTS = """SELECT DISTINCT text FROM (
  SELECT source.{column} AS text FROM {table} AS source NOT INDEXED LIMIT {max_rows}
) WHERE typeof(text) = 'text' AND length(text) BETWEEN 1 AND {max_characters} LIMIT {max_texts}"""
"""The distinct texts of a column in the order of its rows. The declared type of the column does not count."""


def read_schema(database: str) -> Schema:
    """Return the tables with sample values. `sql_env.schema.model.Schema` has no other parts.

    Raises:
        DatabaseError: The file is missing, or is not a database.
    """
    identify(database)
    connection = open_readonly(database, frozen=True)
    try:
        names = [str(name) for (name,) in _select(connection, _TABLES, 1)]
        tables = [_read_table(connection, name) for name in names]
        return Schema(tuple(filter(None, tables)), frozenset(apsw.keywords))
    except apsw.Error as error:
        raise DatabaseError(f"cannot read the schema of {database!r}: {error}") from None
    finally:
        connection.close(True)


def _select(connection: apsw.Connection, query: str, width: int) -> Iterator[Row]:
    return map(decode_row, connection.execute(make_lenient_select(query, width)))


def _read_table(connection: apsw.Connection, name: str) -> Table | None:
    """Read a table; None if no query can read it."""
    quoted = apsw.format_sql_value(name)
    try:
        rows = [
            (str(c), str(kind), int(pk or 0))
            for c, kind, pk in _select(connection, _COLUMNS.format(quoted), 3)
        ]
        columns = tuple(
            Column(column, kind, _read_values(connection, name, column)) for column, kind, _ in rows
        )
        keys = _group_foreign_keys(_select(connection, _KEYS.format(quoted), 4))
    except apsw.SQLError:  # a virtual table without its module: no query can read it
        return None
    primary = tuple(column for column, _, pk in sorted(rows, key=lambda row: row[2]) if pk)
    return Table(name, columns, primary, tuple(keys)) if columns else None


def _read_values(connection: apsw.Connection, table: str, column: str) -> Row:
    names = [quote_identifier(name, apsw.keywords) for name in (column, table)]
    query = _VALUES.format(*names, MAX_SCANNED_ROWS, MAX_SAMPLES)
    try:
        return tuple(value for (value,) in _select(connection, query, 1))
    except apsw.SQLError:  # a name that is not UTF-8 cannot be written in a query
        return ()


def _group_foreign_keys(rows: Iterator[Row]) -> list[ForeignKey]:
    keys = []
    for _, group in groupby(rows, key=lambda row: row[0]):
        _, tables, columns, targets = zip(*group, strict=True)
        keys.append(ForeignKey(tuple(map(str, columns)), str(tables[0]), tuple(str(t) for t in targets if t)))
    return keys
