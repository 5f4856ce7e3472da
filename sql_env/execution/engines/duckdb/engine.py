"""The DuckDB engine: read-only, without access to anything else, limited by CPU time."""

from __future__ import annotations

import math
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from marshal import dumps

import duckdb

from sql_env.errors import DatabaseError
from sql_env.execution.engines.duckdb.file import identify, open_readonly
from sql_env.execution.engines.duckdb.schema import DISTINCT_TEXTS, read_schema
from sql_env.execution.engines.files import Identity
from sql_env.execution.engines.stop_query import StopQuery, check_sql_text
from sql_env.limits import Limits
from sql_env.schema.model import Schema
from sql_env.types import ExecutionResult, Row, Status, Value

MAX_OPEN_DATABASES = 8
"""The maximum number of open databases. Beyond it the least recently used one is closed."""

_FETCH_ROWS = 256
_PLAIN_TYPES = (
    frozenset({"FLOAT", "DOUBLE", "BOOLEAN", "VARCHAR", "BLOB", "INTEGER", "UINTEGER"})
    | {sign + size + "INT" for sign in ("", "U") for size in ("TINY", "SMALL", "BIG", "HUGE")}
    | {"NUMBER", "STRING", "BINARY", "bool"}  # the names in DuckDB 1
)
_FORBIDDEN = re.compile(
    r"\b(?:pg_sleep|sleep_ms|current_query_id|txid_current|query(?:_table)?[\"\s/*-]*\()", re.I
)
"""Functions that sleep, that depend on earlier queries, or that run a text as SQL, which the checks here
cannot see."""
_RANDOM_WORDS = ("rand", "uuid", "sample")  # a query with one of them may draw random numbers
_STATUS: dict[type[Exception], Status] = {
    duckdb.PermissionException: Status.DENIED,
    duckdb.InterruptException: Status.TIMEOUT,
    duckdb.OutOfMemoryException: Status.TOO_LARGE,
    MemoryError: Status.TOO_LARGE,
    duckdb.IOException: Status.UNAVAILABLE,
    DatabaseError: Status.UNAVAILABLE,
}


class DuckDBEngine:
    """Runs DuckDB queries under limits; see `sql_env.execution.engines.Engine`. Not thread-safe.

    DuckDB does not count steps, so the CPU time of this process decides (``limits.cpu_seconds``). A query
    near the limit can end with either verdict. Its clock cannot be frozen: ``now()`` is the present time.

    Example:
        >>> DuckDBEngine(Limits()).run("missing.duckdb", "SELECT 1").status
        <Status.UNAVAILABLE: 'unavailable'>
    """

    cpu_grace = 1.0
    out_of_memory = False
    distinct_texts = DISTINCT_TEXTS

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._open: OrderedDict[str, tuple[Identity, duckdb.DuckDBPyConnection]] = OrderedDict()
        self._cursor: duckdb.DuckDBPyConnection

    def start_request(self) -> None:
        """Do nothing: this engine checks the file before each query."""

    def run(self, database: str, sql: str, step_limit: int | None = None) -> ExecutionResult:
        """Run one query; see `sql_env.execution.engines.Engine.run`."""
        try:
            check_sql_text(sql, self.limits.max_sql_bytes)
            self._cursor = self._connection(database).cursor()
            with self._cursor, self._limit_cpu_time():
                return self._run(sql)
        except (duckdb.FatalException, duckdb.InternalException) as error:
            self.close()  # DuckDB rejects all further queries after these errors
            return ExecutionResult(Status.ERROR, error=str(error))
        except (StopQuery, duckdb.Error, DatabaseError, MemoryError) as error:
            return self._make_failure(error)

    def measure(self, database: str, sql: str) -> tuple[ExecutionResult, None]:
        """Run one query. DuckDB does not count steps."""
        return self.run(database, sql), None

    def read_schema(self, database: str) -> Schema:
        """Return the tables with sample values; see `sql_env.execution.engines.Engine.read_schema`."""
        return read_schema(database, self.limits.memory_bytes)

    def close(self) -> None:
        """Close all connections."""
        while self._open:
            self._open.popitem()[1][1].close()

    def _connection(self, database: str) -> duckdb.DuckDBPyConnection:
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
        return known[1]

    @contextmanager
    def _limit_cpu_time(self) -> Iterator[None]:
        """Interrupt the query in the block when this process has used the CPU time of one query."""
        done = threading.Event()
        end = time.process_time() + self.limits.cpu_seconds

        def watch() -> None:
            # A query that has waited has used less CPU time than wall time: then wait again.
            while (left := end - time.process_time()) > 0:
                if done.wait(left):
                    return
            self._cursor.interrupt()

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()

    def _run(self, sql: str) -> ExecutionResult:
        cursor = self._cursor
        if found := _FORBIDDEN.search(sql):
            raise StopQuery(Status.DENIED, f"the function {found[0].rstrip('(').strip()} is not allowed")
        _check_statement(cursor.extract_statements(sql))
        if any(word in sql.lower() for word in _RANDOM_WORDS):
            cursor.execute("SELECT setseed(0)").fetchall()
        cursor.execute(sql)
        columns, kinds = zip(*[(name, str(kind)) for name, kind, *_ in cursor.description], strict=True)
        if any(map(_needs_text, kinds)):
            cursor.execute(_cast_to_text(sql, kinds))
        return ExecutionResult(Status.OK, columns, tuple(self._fetch_rows(cursor)))

    def _fetch_rows(self, cursor: duckdb.DuckDBPyConnection) -> list[Row]:
        rows: list[Row] = []
        room = self.limits.max_bytes
        while chunk := cursor.fetchmany(_FETCH_ROWS):
            for values in chunk:
                row = tuple(map(_to_value, values))
                rows.append(row)
                room -= 8 * len(row) + len(dumps(row, 2))
                if room < 0:
                    raise StopQuery(Status.TOO_LARGE, f"more than {self.limits.max_bytes} bytes")
            if len(rows) > self.limits.max_rows:
                raise StopQuery(Status.TOO_LARGE, f"more than {self.limits.max_rows} rows")
        return rows

    def _make_failure(self, error: Exception) -> ExecutionResult:
        if isinstance(error, StopQuery):
            return ExecutionResult(error.status, error=str(error))
        status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), Status.ERROR)
        if "read-only mode" in str(error):
            status = Status.DENIED
        if status is Status.TIMEOUT:
            return ExecutionResult(status, error=f"more than {self.limits.cpu_seconds} s of CPU")
        return ExecutionResult(status, error=str(error) or type(error).__name__)


def _check_statement(statements: Sequence[duckdb.Statement]) -> None:
    if not statements:
        raise StopQuery(Status.ERROR, "there is no statement")
    if len(statements) > 1:
        raise StopQuery(Status.DENIED, "one statement only")
    if statements[0].type != duckdb.StatementType.SELECT:
        raise StopQuery(Status.DENIED, f"only queries are allowed, not {statements[0].type.name}")


def _needs_text(kind: str) -> bool:
    return kind not in _PLAIN_TYPES and not kind.startswith("DECIMAL")


def _cast_to_text(sql: str, kinds: Sequence[str]) -> str:
    """Rewrite a query so that dates, lists and other rich types come as DuckDB's own text."""
    text = sql.encode()
    ends = [at for at, kind in duckdb.tokenize(sql) if kind == duckdb.token_type.operator and text[at] == 59]
    body = text[: ends[0] if ends else len(text)].decode()  # 59 is a semicolon
    values = (f"CAST(#{i} AS VARCHAR)" if _needs_text(kind) else f"#{i}" for i, kind in enumerate(kinds, 1))
    return f"SELECT {', '.join(values)} FROM ({body}\n)"


def _to_value(value: object) -> Value:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    if value is None or isinstance(value, int | float | str | bytes):
        return value
    return bytes(value) if isinstance(value, bytearray | memoryview) else str(value)
