"""The SQLite engine: read-only, limited by steps. The package apsw contains its own SQLite."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from marshal import dumps
from typing import Any

import apsw

from sql_env.errors import DatabaseError
from sql_env.execution.engines.files import Identity
from sql_env.execution.engines.sqlite.file import (
    CLOCK_FUNCTIONS,
    decode_row,
    identify,
    make_lenient_select,
    open_readonly,
)
from sql_env.execution.engines.sqlite.functions import QueryFunctions
from sql_env.execution.engines.sqlite.schema import DISTINCT_TEXTS, read_schema
from sql_env.execution.engines.stop_query import StopQuery, check_sql_text
from sql_env.limits import Limits
from sql_env.schema.model import Schema
from sql_env.types import ExecutionResult, Row, Status

MAX_OPEN_CONNECTIONS = 192
"""The maximum number of open connections. Beyond it the least recently used one is closed."""

_MAX_C_INT = 2**31 - 1
_MAX_OPCODES = 500_000  # of one compiled query; real queries have some hundreds
_ALLOWED = frozenset({apsw.SQLITE_SELECT, apsw.SQLITE_READ, apsw.SQLITE_RECURSIVE})
_FORBIDDEN = frozenset(
    {"load_extension", "fts3_tokenizer", "sqlite_log", "dbstat", "sqlite_dbpage"}
    | {"fts5_locale"}  # returns a random number of the process
)
_BLANK = re.compile(r"[ \t\n\r\f;\ufeff]+|--[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
_WIDE = 64
"""Columns of a result above which values are shorter: a row has at most so many of the longest values.
SQLite shares one value between columns, but a row is copied before it can be counted."""

_MAX_PATTERN = 1_000  # bytes of a LIKE or GLOB pattern: the time of one step grows with it
_OUT_OF_MEMORY = (apsw.NoMemError, MemoryError)
_UNEXPLAINED = (apsw.CorruptError, apsw.NotADBError, apsw.CantOpenError, apsw.IOError)
"""Errors that the database file or the query may cause. The engine cannot tell."""

_STATUS: dict[type[Exception], Status] = {
    apsw.AuthError: Status.DENIED,
    apsw.ReadOnlyError: Status.DENIED,
    apsw.PermissionsError: Status.DENIED,
    apsw.InterruptError: Status.TIMEOUT,
    apsw.TooBigError: Status.TOO_LARGE,
    apsw.NoMemError: Status.TOO_LARGE,
    MemoryError: Status.TOO_LARGE,
    DatabaseError: Status.UNAVAILABLE,
}


class _ReadsClock(Exception):
    """A query calls a function that can read the clock. It must run on a connection with a frozen clock."""


@dataclass(slots=True)
class _OpenDatabase:
    """An open connection, the identity of its file, and the step limit of its progress handler."""

    identity: Identity
    connection: apsw.Connection
    step_limit: int = 0


class SQLiteEngine:
    """Runs SQLite queries under limits; see `sql_env.execution.engines.Engine`. Not thread-safe.

    The worker process around it (`sql_env.execution.worker`) enforces the CPU and wall limits: inside this
    process nothing can stop a query that stays in a single virtual-machine instruction.

    Example:
        >>> SQLiteEngine(Limits()).run("missing.sqlite", "SELECT 1").status
        <Status.UNAVAILABLE: 'unavailable'>
    """

    cpu_grace = 0.0
    out_of_memory = False
    distinct_texts = DISTINCT_TEXTS

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._step_limit = int(limits.max_steps)  # of the running query
        self._connections: OrderedDict[tuple[str, bool, bool], _OpenDatabase] = OrderedDict()
        self._identities: dict[str, Identity] | None = None  # of this request
        self._frozen = False
        self._sql = self._statement = self._refusal = ""
        self._columns: tuple[str, ...] = ()
        self._max_value_bytes = min(int(limits.max_value_bytes), _MAX_C_INT)
        self._functions = QueryFunctions(self._max_value_bytes)
        self._steps_taken: int | None = None  # None: not counted

    def start_request(self) -> None:
        """Check each file once in this request; see `sql_env.execution.engines.Engine.start_request`."""
        self._identities = {}

    def run(self, database: str, sql: str, step_limit: int | None = None) -> ExecutionResult:
        """Run one query; see `sql_env.execution.engines.Engine.run`."""
        self._step_limit = int(self.limits.max_steps if step_limit is None else step_limit)
        self.out_of_memory = False
        previous = apsw.hard_heap_limit(int(self.limits.memory_bytes))
        try:
            return self._run(database, sql)
        except _OUT_OF_MEMORY as error:
            self.out_of_memory = True
            self.close()
            return self._make_failure(error)
        except _UNEXPLAINED:
            self.close()
            raise
        except (StopQuery, apsw.Error, DatabaseError) as error:
            return self._make_failure(error)
        finally:
            apsw.hard_heap_limit(previous)

    def measure(self, database: str, sql: str) -> tuple[ExecutionResult, int]:
        """Run one query and count its steps; see `sql_env.execution.engines.Engine.measure`."""
        self._steps_taken = 0
        try:
            return self.run(database, sql), self._steps_taken
        finally:
            self._steps_taken = None

    def read_schema(self, database: str) -> Schema:
        """Return the tables with sample values; see `sql_env.execution.engines.Engine.read_schema`."""
        return read_schema(database, self.limits)

    def close(self) -> None:
        """Close all connections."""
        while self._connections:
            self._connections.popitem()[1].connection.close(True)

    def _run(self, database: str, sql: str) -> ExecutionResult:
        check_sql_text(sql, self.limits.max_sql_bytes)
        try:
            return self._query(database, sql, frozen=False)
        except _ReadsClock:
            return self._query(database, sql, frozen=True)

    def _query(self, database: str, sql: str, frozen: bool) -> ExecutionResult:
        self._refusal = ""
        try:
            rows = self._fetch_rows(self._connection(database, frozen), sql)
        except UnicodeDecodeError:
            return self._query_leniently(database, frozen)
        return ExecutionResult(Status.OK, self._columns, rows)

    def _query_leniently(self, database: str, frozen: bool) -> ExecutionResult:
        """Run the last query again, and drop the bytes of its texts that are not UTF-8."""
        columns = self._columns
        try:
            if columns:
                select = make_lenient_select(self._statement, len(columns))
                connection = self._connection(database, frozen, native=True)
                return ExecutionResult(Status.OK, columns, self._fetch_rows(connection, select, decode_row))
        except UnicodeDecodeError:
            pass
        raise StopQuery(Status.ERROR, "a name in the query is not UTF-8")

    def _connection(self, database: str, frozen: bool, native: bool = False) -> apsw.Connection:
        key, identity = (database, frozen, native), self._identity(database)
        known = self._connections.get(key)
        if known is None or known.identity != identity:
            if len(self._connections) >= MAX_OPEN_CONNECTIONS:
                self._connections.popitem(last=False)[1].connection.close(True)
            self._connections[key] = known = _OpenDatabase(identity, self._open(database, frozen, native))
        self._connections.move_to_end(key)
        self._frozen = frozen
        if known.step_limit != self._step_limit:
            known.step_limit = self._step_limit
            # SQLite calls the handler after this number of instructions and restarts the count with each
            # statement. So its first call means that the limit is reached, and it costs nothing before.
            known.connection.set_progress_handler(_interrupt, self._step_limit)
        return known.connection

    def _identity(self, database: str) -> Identity:
        if self._identities is None:
            return identify(database)
        if database not in self._identities:
            self._identities[database] = identify(database)
        return self._identities[database]

    def _open(self, database: str, frozen: bool, native: bool) -> apsw.Connection:
        connection = open_readonly(database, frozen)
        for limit, value in (
            (apsw.SQLITE_LIMIT_LENGTH, self._max_value_bytes),
            (apsw.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, _MAX_PATTERN),
            (apsw.SQLITE_LIMIT_ATTACHED, 0),
            (apsw.SQLITE_LIMIT_TRIGGER_DEPTH, 0),
            (apsw.SQLITE_LIMIT_WORKER_THREADS, 0),
            (apsw.SQLITE_LIMIT_VDBE_OP, _MAX_OPCODES),
        ):
            connection.limit(limit, value)
        self._functions.register(connection, native)
        connection.exec_trace = self._check_statement
        # From here on the authorizer must allow each action when a query is compiled.
        connection.authorizer = self._authorize
        return connection

    def _fetch_rows(
        self, connection: apsw.Connection, sql: str, convert: Callable[[Row], Row] | None = None
    ) -> tuple[Row, ...]:
        """Run one query and return its rows. Stop it as soon as they exceed a limit."""
        self._sql, self._columns = sql, ()
        self._functions.start_query()
        rows: list[Row] = []
        room, max_rows = self.limits.max_bytes, self.limits.max_rows
        cursor = connection.cursor()
        if self._steps_taken is not None:
            connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, self._note_steps)
        try:
            for row in islice(cursor.execute(sql, can_cache=False), max_rows + 1):
                rows.append(row)
                room -= 8 * len(row) + len(dumps(row, 2))  # marshal is the fastest way to count bytes
                if room < 0:
                    raise StopQuery(Status.TOO_LARGE, f"more than {self.limits.max_bytes} bytes")
        finally:
            cursor.close(True)
            if len(self._columns) > _WIDE:
                connection.limit(apsw.SQLITE_LIMIT_LENGTH, self._max_value_bytes)
            if self._steps_taken is not None:
                connection.trace_v2(0, None)
        if len(rows) > max_rows:
            raise StopQuery(Status.TOO_LARGE, f"more than {max_rows} rows")
        return tuple(rows if convert is None else map(convert, rows))

    def _note_steps(self, statement: dict[str, Any]) -> None:
        """Note the steps of a statement that has ended.

        A virtual table reads its own tables by statements whose counts continue from one query to the next.
        They end before the query, so the last call has the query's own count.
        """
        self._steps_taken = statement["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"]

    def _check_statement(self, cursor: apsw.Cursor, statement: str, _bindings: object) -> bool:
        """Check a statement after SQLite has compiled it and before its first step."""
        if self._columns:  # the query was checked, so the rest is blank
            return True
        self._statement = statement
        self._columns = tuple([column[0] for column in cursor.get_description()])
        if len(self._columns) > _WIDE:
            room = _WIDE * self._max_value_bytes // len(self._columns)
            cursor.connection.limit(apsw.SQLITE_LIMIT_LENGTH, room)
        if cursor.is_explain == 1:  # 2 is EXPLAIN QUERY PLAN
            raise StopQuery(Status.DENIED, "EXPLAIN shows addresses of memory: use EXPLAIN QUERY PLAN")
        if self._columns and len(statement) == len(self._sql) and cursor.is_readonly:
            return True
        if len(statement) != len(self._sql) and not _is_blank(self._sql[len(statement) :]):
            raise StopQuery(Status.DENIED, "one statement only")
        if not self._columns and _is_blank(statement):
            raise StopQuery(Status.ERROR, "there is no statement")
        if not self._columns or not cursor.is_readonly:
            raise StopQuery(Status.DENIED, "only queries are allowed")
        return True

    def _authorize(self, action: int, first: str | None, second: str | None, *_rest: str | None) -> int:
        """Allow or deny one action of a query. SQLite calls this for each action while it compiles a query.

        All actions are denied except reads of tables and calls of harmless functions. The clock cannot be
        frozen on a connection with memory mapping, so a call of a clock function raises `_ReadsClock`, and
        the query is compiled again on a frozen connection.
        """
        if action in _ALLOWED and first not in _FORBIDDEN:
            return apsw.SQLITE_OK
        if action == apsw.SQLITE_FUNCTION and str(second).lower() not in _FORBIDDEN:
            if not self._frozen and str(second).lower() in CLOCK_FUNCTIONS:
                raise _ReadsClock
            return apsw.SQLITE_OK
        if (action, first, second) == (apsw.SQLITE_PRAGMA, "data_version", None):  # FTS5 needs it
            return apsw.SQLITE_OK
        name = str(apsw.mapping_authorizer_function.get(action, action)).removeprefix("SQLITE_")
        self._refusal = " ".join(filter(None, (name, first, second)))
        return apsw.SQLITE_DENY

    def _make_failure(self, error: Exception) -> ExecutionResult:
        if isinstance(error, StopQuery):
            return ExecutionResult(error.status, error=str(error))
        if self._refusal:
            return ExecutionResult(Status.DENIED, error=f"only reading is allowed: {self._refusal}")
        status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), Status.ERROR)
        message = f"more than {self._step_limit} steps" if status is Status.TIMEOUT else str(error)
        return ExecutionResult(status, error=message or type(error).__name__)


def _interrupt() -> bool:
    return True


def _is_blank(sql: str) -> bool:
    return not _BLANK.sub("", sql)
