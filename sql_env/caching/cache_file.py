"""The SQLite file of a `sql_env.caching.disk_cache.DiskCache`: its tables, and what is checked of them."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import apsw

PAGE = 4096
"""Bytes of a page of the file."""

WAIT_MS = 5_000
"""How long to wait for other processes."""

_AT_ONCE = 512  # keys a query asks for
_SCHEMA = (
    "CREATE TABLE entry "
    "(id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, used INTEGER NOT NULL, sum BLOB, body BLOB)",
    "CREATE INDEX entry_used ON entry (used)",
)


class Damaged(Exception):
    """The file is not what this library writes."""


def settle(connection: apsw.Connection, max_bytes: int) -> None:
    """Make a connection ready: nothing in the file is trusted, and it has the tables that it should.

    Raises:
        Damaged: It has others.
    """
    connection.set_busy_timeout(WAIT_MS)
    connection.transaction_mode = "IMMEDIATE"
    for switch, value in (
        (apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0),
        (apsw.SQLITE_DBCONFIG_DEFENSIVE, 1),
        (apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0),
        (apsw.SQLITE_DBCONFIG_ENABLE_VIEW, 0),
    ):
        connection.config(switch, value)
    connection.limit(apsw.SQLITE_LIMIT_LENGTH, max(max_bytes // 8 + 2**16, 2**20))
    connection.execute(
        "PRAGMA temp_store = MEMORY; PRAGMA cell_size_check = ON; PRAGMA synchronous = OFF; "
        f"PRAGMA page_size = {PAGE}; PRAGMA journal_mode = TRUNCATE; "
        f"PRAGMA max_page_count = {max_bytes // PAGE}"
    ).fetchall()
    if not (there := _tables(connection)):
        with connection:
            if not (there := _tables(connection)):  # no other process was faster
                for statement in _SCHEMA:
                    connection.execute(statement)
                return
    if there != _SCHEMA or connection.execute("PRAGMA page_size").get != PAGE:
        raise Damaged("its tables are others")


def _tables(connection: apsw.Connection) -> tuple[str, ...]:
    found = connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid")
    return tuple(str(sql) for (sql,) in found.fetchall())


def reset(file: Path) -> None:
    """Empty a file in place, whatever is in it, under the locks that other processes respect, too."""
    connection = apsw.Connection(str(file))
    connection.set_busy_timeout(WAIT_MS)
    connection.config(apsw.SQLITE_DBCONFIG_RESET_DATABASE, 1)
    try:
        connection.execute("VACUUM").fetchall()
    finally:
        connection.close(True)


def select(connection: apsw.Connection, keys: Sequence[bytes]) -> dict[bytes, bytes]:
    """What is known of the keys.

    Raises:
        Damaged: A checksum is wrong.
    """
    found: dict[bytes, bytes] = {}
    for start in range(0, len(keys), _AT_ONCE):
        some = keys[start : start + _AT_ONCE]
        asked = f"SELECT key, sum, body FROM entry WHERE key IN ({', '.join('?' * len(some))})"
        for key, sum, body in connection.execute(asked, some).fetchall():
            if not isinstance(key, bytes) or not isinstance(body, bytes) or sum != checksum(key, body):
                raise Damaged("a checksum is wrong")
            found[key] = body
    return found


def live(connection: apsw.Connection) -> int:
    """The bytes of the file that are in use."""
    pages: int = connection.execute("PRAGMA page_count").get
    free: int = connection.execute("PRAGMA freelist_count").get
    return PAGE * (pages - free)


def checksum(key: bytes, body: bytes) -> bytes:
    """What tells that an entry is whole, and in its place."""
    return blake2b(body, key=key[:64], digest_size=16).digest()
