"""Opening an SQLite file so that nothing can change it, and reading text that is not UTF-8."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from urllib.parse import quote

import apsw

from sql_env.errors import DatabaseError
from sql_env.execution.engines.files import Identity, identify
from sql_env.types import Row

NOW_MS = 210_866_760_000_000 + 1_735_689_600_000
"""What ``'now'`` and CURRENT_TIMESTAMP say: 2025-01-01 00:00:00 UTC, in milliseconds of the Julian
day. The clock stands still, so that a query returns the same on any day."""


CLOCK_FUNCTIONS = frozenset(
    {"date", "time", "datetime", "julianday", "unixepoch", "strftime", "timediff"}
) | {
    "current_date",
    "current_time",
    "current_timestamp",
}
"""The functions that may read the clock."""


class _FrozenClock(apsw.VFS):
    """The default VFS with a clock that stands still. It reads without memory mapping."""

    name = "sql-env-frozen"

    def __init__(self) -> None:
        super().__init__(self.name, "")

    def xCurrentTimeInt64(self) -> int:
        return NOW_MS


@cache
def _frozen_clock() -> str:
    _frozen_clock.vfs = _FrozenClock()  # type: ignore[attr-defined]  # SQLite does not keep it alive
    return _FrozenClock.name


def state(database: str) -> Identity:
    """What tells one state of an SQLite file from another; see `sql_env.execution.engines.files.identify`."""
    return identify(database, ("-wal", "-journal"), 'sqlite3 FILE "PRAGMA wal_checkpoint(TRUNCATE)"')


def open_readonly(database: str, frozen: bool) -> apsw.Connection:
    """A connection that cannot write, reads the file as immutable, and has read its schema.

    Args:
        database: The file's path.
        frozen: Whether the connection's clock says `NOW_MS`. If not, the file is mapped into memory,
            which scans a large one in two thirds of the time.

    Raises:
        DatabaseError: The file cannot be opened, or is no database.
    """
    file = os.path.realpath(database)  # a VFS that is made in Python cannot follow symbolic links
    uri = f"file://{quote(file)}?mode=ro&immutable=1"
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    try:
        connection = apsw.Connection(uri, flags, _frozen_clock() if frozen else None, statementcachesize=0)
        for switch, value in (
            (apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0),
            (apsw.SQLITE_DBCONFIG_DEFENSIVE, 1),
            (apsw.SQLITE_DBCONFIG_DQS_DML, 1),  # Spider's gold queries write "text"
        ):
            connection.config(switch, value)
        connection.execute(f"PRAGMA temp_store=MEMORY; PRAGMA mmap_size={0 if frozen else 2**40}").fetchall()
        _connect_virtual_tables(connection)
    except apsw.NoMemError:
        raise
    except (apsw.Error, UnicodeError) as error:
        raise DatabaseError(f"cannot read {database!r} as an SQLite database: {error}") from None
    return connection


def _connect_virtual_tables(connection: apsw.Connection) -> None:
    """Read the schema and make its R-trees prepare the writing that no authorizer would let pass."""
    tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage = 0")
    for (name,) in tables.fetchall():
        with suppress(apsw.SQLError):  # its module is missing, and so no query can read it
            connection.execute(f"SELECT 1 FROM {apsw.format_sql_value(name)} LIMIT 0").fetchall()


def lenient_select(query: str, width: int) -> str:
    """A query for the rows of ``query`` with a flag before each value, and its text as bytes.

    `decode` turns such a row back.
    """
    names = [f"c{i}" for i in range(width)]
    values = (f"typeof({c}) = 'text', iif(typeof({c}) = 'text', CAST({c} AS BLOB), {c})" for c in names)
    body = query.rstrip().rstrip(";")
    return f"WITH q({', '.join(names)}) AS MATERIALIZED ({body}\n) SELECT {', '.join(values)} FROM q"


def decode(row: Row) -> Row:
    """A row of `lenient_select` as the query meant it; bytes that are not UTF-8 are dropped.

    So does the official Spider evaluator: ``text_factory = lambda b: b.decode(errors="ignore")``.
    """
    return tuple(
        value.decode("utf-8", "ignore") if text and isinstance(value, bytes) else value
        for text, value in zip(row[::2], row[1::2], strict=True)
    )
