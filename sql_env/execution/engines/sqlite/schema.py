"""Read the tables of an SQLite database with sample values, for prompts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import groupby

import apsw

from sql_env.errors import DatabaseError
from sql_env.execution.engines.sqlite.file import decode_row, identify, make_lenient_select, open_readonly
from sql_env.limits import Limits
from sql_env.schema.model import MAX_SAMPLE, MAX_SAMPLES, MAX_SCANNED_ROWS, Column, ForeignKey, Schema, Table
from sql_env.schema.quoting import quote_identifier
from sql_env.types import Row

_TABLES = r"""SELECT name FROM sqlite_schema AS s
WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY s.rowid"""
_VIRTUAL = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND rootpage = 0 LIMIT 1"
_SHADOW = "SELECT name FROM pragma_table_list WHERE type = 'shadow'"
_COLUMNS = "SELECT name, type, pk FROM pragma_table_xinfo({}) WHERE hidden <> 1 ORDER BY cid"
_KEYS = 'SELECT id, "table", "from", "to" FROM pragma_foreign_key_list({}) ORDER BY id DESC, seq'
_VALUES = f"""SELECT iif(typeof(c) = 'text' AND octet_length(c) > {MAX_SAMPLE}, substr(c, 1, {MAX_SAMPLE}), c)
FROM (SELECT DISTINCT {{0}} AS c FROM (SELECT {{0}} FROM {{1}} NOT INDEXED LIMIT {MAX_SCANNED_ROWS})
WHERE typeof({{0}}) NOT IN ('null', 'blob') LIMIT {MAX_SAMPLES})"""

_STEPS_PER_CHECK = 100_000
_MAX_C_INT = 2**31 - 1

DISTINCT_TEXTS = """SELECT DISTINCT text FROM (
  SELECT source.{column} AS text FROM {table} AS source NOT INDEXED LIMIT {max_rows}
) WHERE typeof(text) = 'text' AND length(text) BETWEEN 1 AND {max_characters} LIMIT {max_texts}"""
"""The distinct texts of a column in the order of its rows. The declared type of the column does not count."""


def read_schema(database: str, limits: Limits) -> Schema:
    """Return the tables with sample values. `sql_env.schema.model.Schema` has no other parts.

    The limits are those of one query for the whole schema. A column whose values cannot be read within them,
    for example because a value is larger than ``max_bytes``, has no sample values.

    Raises:
        DatabaseError: The file is missing, or is not a database, or its tables take more than ``max_steps``.
        MemoryError: The work needs more than ``memory_bytes``.
    """
    identify(database)
    previous = apsw.hard_heap_limit(int(limits.memory_bytes))
    try:
        with ExitStack() as stack:
            connection = open_readonly(database, frozen=True)
            stack.callback(connection.close, True)
            connection.limit(apsw.SQLITE_LIMIT_LENGTH, min(int(limits.max_bytes), _MAX_C_INT))
            connection.set_progress_handler(_StepLimit(limits.max_steps), _STEPS_PER_CHECK)
            return _SchemaReader(connection, limits.max_bytes // 2).read()
    except apsw.NoMemError:
        raise MemoryError from None
    except apsw.InterruptError:
        raise DatabaseError(
            f"reading the schema of {database!r} takes more than {limits.max_steps} steps"
        ) from None
    except apsw.Error as error:
        raise DatabaseError(f"cannot read the schema of {database!r}: {error}") from None
    finally:
        apsw.hard_heap_limit(previous)


class _StepLimit:
    """The steps that all statements together may still take."""

    def __init__(self, steps: float) -> None:
        self._left = steps

    def __call__(self) -> bool:
        self._left -= _STEPS_PER_CHECK
        return self._left < 0


class _SchemaReader:
    """Reads the tables of an open database.

    Args:
        connection: The database.
        room: The bytes of all sample values. Columns beyond it have none.
    """

    def __init__(self, connection: apsw.Connection, room: float) -> None:
        self._connection = connection
        self._room = room

    def read(self) -> Schema:
        names = [str(name) for (name,) in self._select(_TABLES, 1)]
        if self._connection.execute(_VIRTUAL).fetchall():
            # Only virtual tables have shadow tables. The list of tables compiles each view, however deep.
            shadows = {str(name) for (name,) in self._select(_SHADOW, 1)}
            names = [name for name in names if name not in shadows]
        tables = tuple(filter(None, map(self._read_table, names)))
        return Schema(tables, frozenset(apsw.keywords))

    def _read_table(self, name: str) -> Table | None:
        """Read a table; None if no query can read it."""
        quoted = apsw.format_sql_value(name)
        try:
            rows = [
                (str(c), str(kind), int(pk or 0)) for c, kind, pk in self._select(_COLUMNS.format(quoted), 3)
            ]
            columns = tuple(Column(column, kind, self._read_values(name, column)) for column, kind, _ in rows)
            keys = _group_foreign_keys(self._select(_KEYS.format(quoted), 4))
        except apsw.SQLError:  # a virtual table without its module: no query can read it
            return None
        primary = tuple(column for column, _, pk in sorted(rows, key=lambda row: row[2]) if pk)
        return Table(name, columns, primary, tuple(keys)) if columns else None

    def _read_values(self, table: str, column: str) -> Row:
        names = [quote_identifier(name, apsw.keywords) for name in (column, table)]
        try:
            values = tuple(value for (value,) in self._select(_VALUES.format(*names), 1))
        except (apsw.SQLError, apsw.TooBigError):  # SQLError: a name that is not UTF-8 cannot be written
            return ()
        self._room -= sum(len(value) for value in values if isinstance(value, str))
        return values if self._room >= 0 else ()

    def _select(self, query: str, width: int) -> Iterator[Row]:
        return map(decode_row, self._connection.execute(make_lenient_select(query, width)))


def _group_foreign_keys(rows: Iterator[Row]) -> list[ForeignKey]:
    keys = []
    for _, group in groupby(rows, key=lambda row: row[0]):
        _, tables, columns, targets = zip(*group, strict=True)
        keys.append(ForeignKey(tuple(map(str, columns)), str(tables[0]), tuple(str(t) for t in targets if t)))
    return keys
