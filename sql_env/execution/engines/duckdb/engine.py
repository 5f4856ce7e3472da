"""DuckDB: read-only, cut off from everything else, and counted in CPU time."""

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
from sql_env.execution.engines.duckdb.file import open_readonly, state
from sql_env.execution.engines.duckdb.schema import TEXTS, schema
from sql_env.execution.engines.files import Identity
from sql_env.execution.engines.verdicts import Stop, check_text
from sql_env.limits import Limits
from sql_env.schema.model import Schema
from sql_env.types import ExecutionResult, Row, Status, Value

WARM = 8
"""Databases that are kept open; beyond it the least recently used one is closed."""

_FETCH = 256  # rows at a time
_PLAIN = (
    frozenset({"FLOAT", "DOUBLE", "BOOLEAN", "VARCHAR", "BLOB", "INTEGER", "UINTEGER"})
    | {sign + size + "INT" for sign in ("", "U") for size in ("TINY", "SMALL", "BIG", "HUGE")}
    | {"NUMBER", "STRING", "BINARY", "bool"}  # what DuckDB 1 calls them
)
_FORBIDDEN = re.compile(
    r"\b(?:pg_sleep|sleep_ms|current_query_id|txid_current|query(?:_table)?[\"\s/*-]*\()", re.I
)
"""Functions that sleep, count the queries before, or run text that only they put together."""
_CHANCE = ("rand", "uuid", "sample")  # what in a query may draw random numbers
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

    DuckDB counts no steps, so ``limits.cpu_seconds`` of this process decides, and a query near the
    limit may end either way. Its clock cannot be frozen: ``now()`` is the time of day.

    Example:
        >>> DuckDBEngine(Limits()).run("missing.duckdb", "SELECT 1").status
        <Status.UNAVAILABLE: 'unavailable'>
    """

    cpu_grace = 1.0
    texts = TEXTS

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._warm: OrderedDict[str, tuple[Identity, duckdb.DuckDBPyConnection]] = OrderedDict()
        self._cursor: duckdb.DuckDBPyConnection

    def begin(self, trusting: bool = True) -> None:
        """Files are looked at before each query; see `sql_env.execution.engines.Engine.begin`."""

    def run(self, database: str, sql: str, steps: int | None = None) -> ExecutionResult:
        """Run one query; see `sql_env.execution.engines.Engine.run`."""
        try:
            check_text(sql, self.limits.max_sql_bytes)
            self._cursor = self._connection(database).cursor()
            with self._cursor, self._interrupted():
                return self._run(sql)
        except (duckdb.FatalException, duckdb.InternalException) as error:
            self.close()  # DuckDB refuses all work after these
            return ExecutionResult(Status.ERROR, error=str(error))
        except (Stop, duckdb.Error, DatabaseError, MemoryError) as error:
            return self._failure(error)

    def measure(self, database: str, sql: str) -> tuple[ExecutionResult, None]:
        """Run one query. DuckDB counts no steps."""
        return self.run(database, sql), None

    def schema(self, database: str) -> Schema:
        """The tables with sample values; see `sql_env.execution.engines.Engine.schema`."""
        return schema(database, self.limits.memory_bytes)

    def close(self) -> None:
        """Close all connections."""
        while self._warm:
            self._warm.popitem()[1][1].close()

    def _connection(self, database: str) -> duckdb.DuckDBPyConnection:
        identity = state(database)
        warm = self._warm.pop(database, None)
        if warm is not None and warm[0] != identity:
            warm[1].close()
            warm = None
        if warm is None:
            if len(self._warm) >= WARM:
                self._warm.popitem(last=False)[1][1].close()
            warm = identity, open_readonly(database, self.limits.memory_bytes)
        self._warm[database] = warm
        return warm[1]

    @contextmanager
    def _interrupted(self) -> Iterator[None]:
        """Interrupt the block when this process has used up its CPU time."""
        done = threading.Event()
        end = time.process_time() + self.limits.cpu_seconds

        def watch() -> None:
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
        _check_functions(sql)
        _check_statement(cursor.extract_statements(sql))
        if any(word in sql.lower() for word in _CHANCE):
            cursor.execute("SELECT setseed(0)").fetchall()
        cursor.execute(sql)
        columns, kinds = zip(*[(name, str(kind)) for name, kind, *_ in cursor.description], strict=True)
        if any(map(_is_rich, kinds)):
            cursor.execute(_as_text(sql, kinds))
        return ExecutionResult(Status.OK, columns, tuple(self._rows(cursor)))

    def _rows(self, cursor: duckdb.DuckDBPyConnection) -> list[Row]:
        rows: list[Row] = []
        room = self.limits.max_bytes
        while chunk := cursor.fetchmany(_FETCH):
            for values in chunk:
                row = tuple(map(_value, values))
                rows.append(row)
                room -= 8 * len(row) + len(dumps(row, 2))
                if room < 0:
                    raise Stop(Status.TOO_LARGE, f"more than {self.limits.max_bytes} bytes")
            if len(rows) > self.limits.max_rows:
                raise Stop(Status.TOO_LARGE, f"more than {self.limits.max_rows} rows")
        return rows

    def _failure(self, error: Exception) -> ExecutionResult:
        if isinstance(error, Stop):
            return ExecutionResult(error.status, error=str(error))
        status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), Status.ERROR)
        if "read-only mode" in str(error):
            status = Status.DENIED
        if status is Status.TIMEOUT:
            return ExecutionResult(status, error=f"more than {self.limits.cpu_seconds} s of CPU")
        return ExecutionResult(status, error=str(error) or type(error).__name__)


def _check_functions(sql: str) -> None:
    if found := _FORBIDDEN.search(sql):
        raise Stop(Status.DENIED, f"the function {found[0].rstrip('(').strip()} is not allowed")


def _check_statement(statements: Sequence[duckdb.Statement]) -> None:
    if not statements:
        raise Stop(Status.ERROR, "there is no statement")
    if len(statements) > 1:
        raise Stop(Status.DENIED, "one statement only")
    if statements[0].type != duckdb.StatementType.SELECT:
        raise Stop(Status.DENIED, f"only queries are allowed, not {statements[0].type.name}")


def _is_rich(kind: str) -> bool:
    return kind not in _PLAIN and not kind.startswith("DECIMAL")


def _as_text(sql: str, kinds: Sequence[str]) -> str:
    """A query for the same rows with dates, lists and the like as DuckDB's own text."""
    text = sql.encode()
    ends = [at for at, kind in duckdb.tokenize(sql) if kind == duckdb.token_type.operator and text[at] == 59]
    body = text[: ends[0] if ends else len(text)].decode()  # 59 is a semicolon
    values = (f"CAST(#{i} AS VARCHAR)" if _is_rich(kind) else f"#{i}" for i, kind in enumerate(kinds, 1))
    return f"SELECT {', '.join(values)} FROM ({body}\n)"


def _value(value: object) -> Value:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    if value is None or isinstance(value, int | float | str | bytes):
        return value
    return bytes(value) if isinstance(value, bytearray | memoryview) else str(value)
