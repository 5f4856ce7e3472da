"""Copy a database with the same contents, stored in another order."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import apsw

from sql_env.errors import DatabaseError
from sql_env.limits import Limits

_PLACE = '"sql-env: place"'
ROW_ORDERS = (f"-{_PLACE}", f"({_PLACE} * 48271) % 2147483647", f"({_PLACE} * 69621) % 2147483647")
"""The sort key of the n-th row of a table in each copy: backwards, and shuffled twice.

The shuffles are Park and Miller's generators (CACM 1988, 1993), which never map two rows to one place.
"""

MAX_COPIED_BYTES = 256 * 2**20
"""The size in bytes of the largest database that is copied by default."""

MAX_STEPS = 10_000_000_000
"""The maximum number of SQLite instructions of one copy: a generated column can be endless."""

_STEPS_PER_CHECK = 1_000_000
_TABLES = r"""SELECT name FROM origin.sqlite_schema AS s WHERE type = 'table' AND rootpage > 0
AND name NOT LIKE 'sqlite\_%' ESCAPE '\'
AND name NOT IN (SELECT name FROM pragma_table_list WHERE type = 'shadow') ORDER BY s.rowid"""
_VIEWS = "SELECT sql FROM origin.sqlite_schema WHERE type = 'view' ORDER BY rowid"


@contextmanager
def make_shuffled_copies(database: str, largest: int = MAX_COPIED_BYTES) -> Iterator[list[str]]:
    """Copy an SQLite database once for each of `ROW_ORDERS`; delete the copies at exit.

    A copy has the same tables, with the same columns, types, collations and values, and the same
    views. It has no keys and no indexes, because they would restore the order of rows. Virtual tables are
    left out, so a query that reads one fails on a copy.

    Raises:
        DatabaseError: The database is larger than ``largest`` bytes, or cannot be copied in `MAX_STEPS`.
    """
    try:
        size = os.path.getsize(database)
        if size > largest:
            raise DatabaseError(
                f"{database!r} has {size >> 20} MiB; databases of more than {largest >> 20} MiB are not "
                "copied"
            )
        with TemporaryDirectory(prefix="sql-env-") as folder:
            paths = [str(Path(folder) / f"{place}.sqlite") for place in range(len(ROW_ORDERS))]
            for path, order in zip(paths, ROW_ORDERS, strict=True):
                _copy(database, path, order)
            yield paths
    except (apsw.Error, OSError) as error:
        raise DatabaseError(f"{database!r} cannot be copied: {error}") from None


def _copy(database: str, path: str, order: str) -> None:
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI
    with closing(apsw.Connection(path, flags)) as copy:
        copy.execute("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA temp_store=MEMORY")
        copy.execute(
            "ATTACH ? AS origin", (f"file://{quote(os.path.realpath(database))}?mode=ro&immutable=1",)
        )
        checks = count(1)
        copy.set_progress_handler(lambda: next(checks) * _STEPS_PER_CHECK > MAX_STEPS, _STEPS_PER_CHECK)
        copy.limit(apsw.SQLITE_LIMIT_LENGTH, Limits().max_bytes)
        for (name,) in copy.execute(_TABLES).fetchall():
            _copy_table(copy, str(name), order)
        for (sql,) in copy.execute(_VIEWS).fetchall():
            copy.execute(str(sql))


def _copy_table(copy: apsw.Connection, table: str, order: str) -> None:
    rows = copy.execute("SELECT name, type FROM pragma_table_xinfo(?, 'origin') WHERE hidden <> 1", (table,))
    columns = [(str(name), str(kind)) for name, kind in rows.fetchall()]
    names = ", ".join(_quote_name(name) for name, _ in columns)
    copy.execute(
        f"CREATE TABLE {_quote_name(table)} ({', '.join(_define_column(copy, table, *c) for c in columns)})"
    )
    copy.execute(
        f"INSERT INTO {_quote_name(table)} SELECT {names} FROM "
        f"(SELECT *, row_number() OVER () AS {_PLACE} FROM origin.{_quote_name(table)}) ORDER BY {order}"
    )


def _define_column(copy: apsw.Connection, table: str, name: str, kind: str) -> str:
    """Return a column's definition: name, type and collation, without keys and checks."""
    _, collation, *_ = copy.column_metadata("origin", table, name)
    declared = f" {_quote_name(kind)}" if kind else ""
    return f"{_quote_name(name)}{declared} COLLATE {_quote_name(collation)}"


def _quote_name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
