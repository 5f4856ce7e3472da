"""A floor below the floor: ``sqlite3_exec`` of the system's SQLite, where no row becomes an object.

It is another release than the engine's and is compiled in another way, so it informs and carries no bar.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from ctypes.util import find_library
from urllib.parse import quote

from benchmarks.performance.throughput.clock import clocked
from benchmarks.performance.throughput.measurement import Contender
from benchmarks.performance.throughput.stints import Stint, Stints

_READONLY_URI = 0x00000001 | 0x00000040
_STOP = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(lambda _: 1)


def library() -> ctypes.CDLL | None:
    """The system's SQLite; None where it is not found."""
    name = find_library("sqlite3")
    if name is None:
        return None
    found = ctypes.CDLL(name)
    found.sqlite3_libversion.restype = ctypes.c_char_p
    handle, text = ctypes.c_void_p, ctypes.c_char_p
    found.sqlite3_open_v2.argtypes = [text, ctypes.POINTER(handle), ctypes.c_int, text]
    found.sqlite3_exec.argtypes = [handle, text, handle, handle, handle]
    found.sqlite3_progress_handler.argtypes = [handle, ctypes.c_int, handle, handle]
    found.sqlite3_close_v2.argtypes = [handle]
    return found


def release() -> str | None:
    """The release of the system's SQLite."""
    found = library()
    return None if found is None else str(found.sqlite3_libversion().decode())


def sqlite3_exec(planned: Stints) -> Contender | None:
    """Rows ``sqlite3_exec cold`` and ``sqlite3_exec cached``; None where the library is not found."""
    sqlite = library()
    if sqlite is None:
        return None

    def run() -> dict[str, dict[str, float]]:
        connections = {path: _open(sqlite, path) for path in planned.databases}
        _, cold = clocked(lambda: _run(sqlite, connections, planned.cold))
        _, cached = clocked(lambda: _run(sqlite, connections, planned.cached))
        for connection in connections.values():
            sqlite.sqlite3_close_v2(connection)
        return {"sqlite3_exec cold": cold.figures(), "sqlite3_exec cached": cached.figures()}

    return run


def _open(sqlite: ctypes.CDLL, path: str) -> ctypes.c_void_p:
    uri = f"file://{quote(os.path.realpath(path))}?mode=ro&immutable=1"
    connection = ctypes.c_void_p()
    sqlite.sqlite3_open_v2(uri.encode(), ctypes.byref(connection), _READONLY_URI, None)
    for sql in (
        "PRAGMA temp_store=MEMORY",
        f"PRAGMA mmap_size={2**40}",
        "SELECT count(*) FROM sqlite_schema",
    ):
        sqlite.sqlite3_exec(connection, sql.encode(), None, None, None)
    return connection


def _run(sqlite: ctypes.CDLL, connections: dict[str, ctypes.c_void_p], stints: Sequence[Stint]) -> None:
    for stint in stints:
        connection, sql = connections[stint.query.database], stint.query.sql.encode(errors="replace")
        if stint.steps is not None:  # a result that is too large runs to as many steps: no rows are counted
            sqlite.sqlite3_progress_handler(connection, stint.steps, _STOP, None)
        sqlite.sqlite3_exec(connection, sql, None, None, None)
        if stint.steps is not None:
            sqlite.sqlite3_progress_handler(connection, 0, None, None)
