"""Open an SQLite file so that nothing can change it, and read text that is not UTF-8."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from urllib.parse import quote

import apsw

from sql_env.errors import DatabaseError
from sql_env.execution.engines.files import Identity, explain_dialect, identify_file
from sql_env.types import Row

NOW_MS = 210_866_760_000_000 + 1_735_689_600_000
"""The time of ``'now'`` and CURRENT_TIMESTAMP: 2025-01-01 00:00:00 UTC, in milliseconds of the Julian
day. The clock is frozen, so that a query returns the same result on each day."""


CLOCK_FUNCTIONS = frozenset(
    {"date", "time", "datetime", "julianday", "unixepoch", "strftime", "timediff"}
) | {
    "current_date",
    "current_time",
    "current_timestamp",
}
"""The functions that can read the clock."""


class _FrozenClock(apsw.VFS):
    """SQLite's default file system (VFS) with a frozen clock.

    SQLite asks its VFS for the time, so a VFS is the one place to freeze it for all functions. A VFS in
    Python cannot map files into memory, so it reads large files more slowly.
    """

    name = "sql-env-frozen"

    def __init__(self) -> None:
        super().__init__(self.name, "")

    def xCurrentTimeInt64(self) -> int:
        return NOW_MS


@cache
def _frozen_clock() -> str:
    _frozen_clock.vfs = _FrozenClock()  # type: ignore[attr-defined]  # SQLite holds no reference
    return _FrozenClock.name


def identify(database: str) -> Identity:
    """Return the identity of an SQLite file; see `sql_env.execution.engines.files.identify_file`."""
    return identify_file(database, ("-wal", "-journal"), 'sqlite3 FILE "PRAGMA wal_checkpoint(TRUNCATE)"')


def open_readonly(database: str, frozen: bool) -> apsw.Connection:
    """Open a connection that cannot write and treats the file as immutable, and read its schema.

    Args:
        database: The file's path.
        frozen: True to freeze the connection's clock at `NOW_MS`. Otherwise the file is mapped into memory: a
            scan of a large file then takes two thirds of the time.

    Raises:
        DatabaseError: The file cannot be opened, or is not a database.
    """
    file = os.path.realpath(database)  # a VFS in Python cannot follow symbolic links
    uri = f"file://{quote(file)}?mode=ro&immutable=1"
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    try:
        connection = apsw.Connection(uri, flags, _frozen_clock() if frozen else None, statementcachesize=0)
        for switch, value in (
            (apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0),  # views of the file cannot call unsafe functions
            (apsw.SQLITE_DBCONFIG_DEFENSIVE, 1),  # SQL cannot corrupt the file
            (apsw.SQLITE_DBCONFIG_DQS_DML, 1),  # Spider's gold queries write texts in double quotes
        ):
            connection.config(switch, value)
        connection.execute(f"PRAGMA temp_store=MEMORY; PRAGMA mmap_size={0 if frozen else 2**40}").fetchall()
        _connect_virtual_tables(connection)
    except apsw.NoMemError:
        raise
    except (apsw.Error, UnicodeError) as error:
        hint = explain_dialect(file, "sqlite")
        raise DatabaseError(f"cannot read {database!r} as an SQLite database: {error}{hint}") from None
    return connection


def _connect_virtual_tables(connection: apsw.Connection) -> None:
    """Read the schema and connect its virtual tables before the authorizer is installed.

    When SQLite connects an R-tree, the R-tree prepares INSERT and DELETE statements. An authorizer that
    allows only reading would deny them.
    """
    tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage = 0")
    for (name,) in tables.fetchall():
        with suppress(apsw.SQLError):  # its module is missing, so no query can read it
            connection.execute(f"SELECT 1 FROM {apsw.format_sql_value(name)} LIMIT 0").fetchall()


def make_lenient_select(query: str, width: int) -> str:
    """Return a query for the same rows, with a flag before each value and text as bytes.

    SQLite does not check that text is UTF-8, but Python cannot decode other bytes. `decode_row` converts such
    a row back.
    """
    names = [f"c{i}" for i in range(width)]
    values = (f"typeof({c}) = 'text', iif(typeof({c}) = 'text', CAST({c} AS BLOB), {c})" for c in names)
    body = query.rstrip().rstrip(";")
    return f"WITH q({', '.join(names)}) AS MATERIALIZED ({body}\n) SELECT {', '.join(values)} FROM q"


def decode_row(row: Row) -> Row:
    """Convert a row of `make_lenient_select` to the row of the original query. Drop bytes that are not UTF-8.

    The official Spider evaluator does the same: ``text_factory = lambda b: b.decode(errors="ignore")``.
    """
    return tuple(
        value.decode("utf-8", "ignore") if text and isinstance(value, bytes) else value
        for text, value in zip(row[::2], row[1::2], strict=True)
    )
