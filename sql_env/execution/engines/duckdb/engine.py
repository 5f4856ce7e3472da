"""The DuckDB engine: read-only, without access to anything else, limited by CPU time."""

from __future__ import annotations

import os
import weakref
from collections import OrderedDict
from collections.abc import Sequence

import duckdb

from sql_env.errors import DatabaseError
from sql_env.execution.engines.duckdb.catalog import System, read_system
from sql_env.execution.engines.duckdb.file import identify, open_readonly
from sql_env.execution.engines.duckdb.permissions import ONLY_DATABASE, Permissions
from sql_env.execution.engines.duckdb.rows import cast_to_text, fetch_rows, needs_text
from sql_env.execution.engines.duckdb.schema import DISTINCT_TEXTS, read_schema
from sql_env.execution.engines.duckdb.watcher import Watcher
from sql_env.execution.engines.files import Identity
from sql_env.execution.engines.stop_query import StopQuery, check_sql_text
from sql_env.limits import Limits
from sql_env.schema.model import Schema
from sql_env.types import ExecutionResult, Status

MAX_OPEN_DATABASES = 4
"""The maximum number of open databases. Beyond it the least recently used one is closed. Each takes 70 MB."""

_MAX_PERMISSIONS = 1_000  # files

_STATUS: dict[type[Exception], Status] = {
    duckdb.PermissionException: Status.DENIED,
    duckdb.InterruptException: Status.TIMEOUT,
    duckdb.OutOfMemoryException: Status.TOO_LARGE,
    MemoryError: Status.TOO_LARGE,
    duckdb.IOException: Status.UNAVAILABLE,
    DatabaseError: Status.UNAVAILABLE,
}
_BROKEN = (duckdb.FatalException, duckdb.InternalException, duckdb.IOException)
_NO_MEMORY = ("Allocation failure", "Failed to allocate", "could not allocate", "bad_alloc")


class DuckDBEngine:
    """Runs DuckDB queries under limits; see `sql_env.execution.engines.Engine`. Not thread-safe.

    DuckDB does not count steps, so the CPU time of this process decides (``limits.cpu_seconds``). A query
    near the limit can end with either verdict.

    A query may use the functions and views of `sql_env.execution.engines.duckdb.functions`; that module says
    what is refused and why. Macros, views and generated columns of the database may use the same. Random
    numbers and samples of rows have a fixed seed. A sample in percent has no seed in DuckDB, so it is refused
    without REPEATABLE. The time is 2025-01-01 00:00:00 UTC, as in the SQLite engine. The time zone is UTC.

    Attributes:
        out_of_memory: The last query ended because memory was exhausted. What earlier queries have left in
            this process can have contributed, so the query should run again in a new process.

    Example:
        >>> DuckDBEngine(Limits()).run("missing.duckdb", "SELECT 1").status
        <Status.UNAVAILABLE: 'unavailable'>
    """

    cpu_grace = 1.0
    out_of_memory = False
    distinct_texts = DISTINCT_TEXTS

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.out_of_memory = False
        self._open: OrderedDict[str, tuple[Identity, duckdb.DuckDBPyConnection]] = OrderedDict()
        self._permissions: dict[Identity, Permissions] = {}
        self._system: System | None = None
        self._watcher = Watcher(limits.cpu_seconds)
        weakref.finalize(self, self._watcher.stop)

    def start_request(self) -> None:
        """Do nothing: this engine checks the file before each query."""

    def run(self, database: str, sql: str, step_limit: int | None = None) -> ExecutionResult:
        """Run one query; see `sql_env.execution.engines.Engine.run`."""
        self.out_of_memory = False
        try:
            check_sql_text(sql, self.limits.max_sql_bytes)
            identity, connection = self._connect(database)
            permissions = self._read_permissions(identity, connection)
            cursor = connection.cursor()
            with cursor:
                self._watcher.begin(cursor.interrupt)
                try:
                    return self._run(cursor, permissions, sql)
                finally:
                    self._watcher.end()
        except (duckdb.FatalException, duckdb.InternalException) as error:
            self.close()  # DuckDB rejects all further queries after these errors
            return self._make_failure(error, database)
        except (StopQuery, duckdb.Error, DatabaseError, MemoryError, UnicodeError) as error:
            return self._make_failure(error, database)

    def measure(self, database: str, sql: str) -> tuple[ExecutionResult, None]:
        """Run one query. DuckDB does not count steps."""
        return self.run(database, sql), None

    def read_schema(self, database: str) -> Schema:
        """Return the tables with sample values; see `sql_env.execution.engines.Engine.read_schema`."""
        return read_schema(database, self.limits)

    def close(self) -> None:
        """Close all connections."""
        while self._open:
            self._open.popitem()[1][1].close()

    def _connect(self, database: str) -> tuple[Identity, duckdb.DuckDBPyConnection]:
        identity = identify(database)
        known = self._open.pop(database, None)
        if known is not None and known[0] != identity:  # the file has changed
            known[1].close()
            known = None
        if known is None:
            if len(self._open) >= MAX_OPEN_DATABASES:
                self._open.popitem(last=False)[1][1].close()
            known = identity, open_readonly(database, self.limits.memory_bytes)
        self._open[database] = known  # at the end: it is the most recently used one
        return known

    def _read_permissions(self, identity: Identity, connection: duckdb.DuckDBPyConnection) -> Permissions:
        known = self._permissions.get(identity)
        if known is None:
            if len(self._permissions) >= _MAX_PERMISSIONS:
                self._permissions.clear()
            with connection.cursor() as cursor:
                self._system = self._system or read_system(cursor)
                try:
                    known = self._permissions[identity] = Permissions(cursor, self._system)
                except duckdb.OutOfMemoryException:
                    raise
                except duckdb.Error as error:
                    raise DatabaseError(f"cannot read the views and macros: {error}") from None
        return known

    def _run(self, cursor: duckdb.DuckDBPyConnection, permissions: Permissions, sql: str) -> ExecutionResult:
        _check_statement(cursor.extract_statements(sql))
        permissions.prepare(cursor, sql)
        cursor.execute(sql)
        columns, kinds = zip(*[(name, str(kind)) for name, kind, *_ in cursor.description], strict=True)
        if any(map(needs_text, kinds)):
            cursor.execute(cast_to_text(sql, kinds))
        return ExecutionResult(Status.OK, columns, fetch_rows(cursor, columns, self.limits))

    def _make_failure(self, error: Exception, database: str) -> ExecutionResult:
        if isinstance(error, StopQuery):
            return ExecutionResult(error.status, error=str(error))
        if isinstance(error, UnicodeError):  # DuckDB cut the error text, or made a text, inside a character
            return ExecutionResult(Status.ERROR, error="a text of DuckDB is not valid UTF-8")
        # DuckDB's internal errors have a stack trace with paths and addresses.
        text = str(error).partition("\n\nStack Trace:")[0] or type(error).__name__
        status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), Status.ERROR)
        if isinstance(error, _BROKEN) and any(words in text for words in _NO_MEMORY):
            status = Status.TOO_LARGE
        if isinstance(error, duckdb.Error):
            for path in (os.path.realpath(database), os.path.abspath(database)):
                text = text.replace(path, os.path.basename(path))
        self.out_of_memory = status is Status.TOO_LARGE
        if "read-only mode" in text:
            status = Status.DENIED
        if status is Status.DENIED and "file" in text:
            text = ONLY_DATABASE  # DuckDB tells the home of ~/file
        if status is Status.TIMEOUT:
            text = f"more than {self.limits.cpu_seconds} s of CPU"
        if status is Status.UNAVAILABLE and not isinstance(error, DatabaseError):
            raise duckdb.IOException(text) from None  # the query or the file: the engine cannot tell
        return ExecutionResult(status, error=text)


def _check_statement(statements: Sequence[duckdb.Statement]) -> None:
    if not statements:
        raise StopQuery(Status.ERROR, "there is no statement")
    if len(statements) > 1:
        raise StopQuery(Status.DENIED, "one statement only")
    if statements[0].type != duckdb.StatementType.SELECT:
        raise StopQuery(Status.DENIED, f"only queries are allowed, not {statements[0].type.name}")
