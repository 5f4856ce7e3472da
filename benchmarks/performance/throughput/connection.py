"""A bare connection to a database, opened as the engine opens it and with nothing else of the engine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

import apsw

from sql_env.limits import Limits

_FLAGS = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI


def connect(path: str, limits: Limits) -> apsw.Connection:
    """Open a file as immutable and mapped into memory, which saves locks and copies, and read its schema."""
    uri = f"file://{quote(os.path.realpath(path))}?mode=ro&immutable=1"
    connection = apsw.Connection(uri, _FLAGS, statementcachesize=0)
    connection.config(apsw.SQLITE_DBCONFIG_DQS_DML, 1)
    connection.limit(apsw.SQLITE_LIMIT_LENGTH, min(int(limits.max_bytes), 2**31 - 1))
    connection.execute(f"PRAGMA temp_store=MEMORY; PRAGMA mmap_size={2**40}").fetchall()
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    return connection


@contextmanager
def stopped(connection: apsw.Connection, steps: int, limits: Limits) -> Iterator[None]:
    """Stop what runs meanwhile after so many steps, by a handler called once, and bound its memory."""
    heap = apsw.hard_heap_limit(int(limits.memory_bytes))
    connection.set_progress_handler(lambda: True, steps)
    try:
        yield
    finally:
        connection.set_progress_handler(None)
        apsw.hard_heap_limit(heap)
