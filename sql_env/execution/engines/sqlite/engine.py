"""SQLite, through apsw, which ships its own SQLite: read-only, default-deny, counted in steps."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from marshal import dumps
from random import Random
from typing import Any

import apsw

from sql_env.errors import DatabaseError
from sql_env.execution.engines.files import Identity
from sql_env.execution.engines.sqlite.file import (
    CLOCK_FUNCTIONS,
    decode,
    lenient_select,
    open_readonly,
    state,
)
from sql_env.execution.engines.sqlite.schema import TEXTS, schema
from sql_env.execution.engines.verdicts import Stop, check_text
from sql_env.limits import Limits
from sql_env.schema.model import Schema
from sql_env.types import ExecutionResult, Row, Status, Value

WARM = 192
"""Connections that are kept open; beyond it the least recently used one is closed."""

_MAX_INT = 2**31 - 1  # of C
_MAX_OPCODES = 500_000  # of one compiled query; real ones have some hundreds
_ALLOWED = frozenset({apsw.SQLITE_SELECT, apsw.SQLITE_READ, apsw.SQLITE_RECURSIVE})
_FORBIDDEN = frozenset({"load_extension", "fts3_tokenizer", "sqlite_log", "dbstat", "sqlite_dbpage"})
_BLANK = re.compile(r"[ \t\n\r\f;\ufeff]+|--[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
_OUT_OF_MEMORY = (apsw.NoMemError, MemoryError)

_STATUS: dict[type[Exception], Status] = {
    apsw.AuthError: Status.DENIED,
    apsw.ReadOnlyError: Status.DENIED,
    apsw.PermissionsError: Status.DENIED,
    apsw.InterruptError: Status.TIMEOUT,
    apsw.TooBigError: Status.TOO_LARGE,
    apsw.NoMemError: Status.TOO_LARGE,
    MemoryError: Status.TOO_LARGE,
    apsw.CorruptError: Status.UNAVAILABLE,
    apsw.NotADBError: Status.UNAVAILABLE,
    apsw.CantOpenError: Status.UNAVAILABLE,
    apsw.IOError: Status.UNAVAILABLE,
    DatabaseError: Status.UNAVAILABLE,
}


class _AsksTheTime(Exception):
    """A query calls a function that may read the clock; only a frozen connection may run it."""


@dataclass(slots=True)
class _Warm:
    """An open connection, the state of its file, and how many steps a query of it may take."""

    identity: Identity
    connection: apsw.Connection
    steps: int = 0


class SQLiteEngine:
    """Runs SQLite queries under limits; see `sql_env.execution.engines.Engine`. Not thread-safe.

    The CPU and wall limits belong to the worker around it (`sql_env.execution.worker`): in-process, nothing
    stops a query that stays inside a single virtual-machine instruction.

    Example:
        >>> SQLiteEngine(Limits()).run("missing.sqlite", "SELECT 1").status
        <Status.UNAVAILABLE: 'unavailable'>
    """

    cpu_grace = 0.0
    texts = TEXTS

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._steps = int(limits.max_steps)  # that the running query may take
        self._warm: OrderedDict[tuple[str, bool], _Warm] = OrderedDict()
        self._seen: dict[str, Identity] | None = None  # in this stint
        self._frozen = False
        self._sql = self._statement = self._refusal = ""
        self._columns: tuple[str, ...] = ()
        self._random: Random | None = None
        self._taken: int | None = None  # steps, where they are asked for

    def begin(self, trusting: bool = True) -> None:
        """Look at each file once from now on; see `sql_env.execution.engines.Engine.begin`."""
        self._seen = {} if trusting else None

    def run(self, database: str, sql: str, steps: int | None = None) -> ExecutionResult:
        """Run one query; see `sql_env.execution.engines.Engine.run`."""
        self._steps = int(self.limits.max_steps if steps is None else steps)
        previous = apsw.hard_heap_limit(int(self.limits.memory_bytes))
        try:
            return self._run(database, sql)
        except _OUT_OF_MEMORY:
            self.close()  # and once more, so that the verdict owes nothing to what ran before
            return self._run_again(database, sql)
        except (Stop, apsw.Error, DatabaseError) as error:
            return self._failure(error)
        finally:
            apsw.hard_heap_limit(previous)

    def measure(self, database: str, sql: str) -> tuple[ExecutionResult, int]:
        """Run one query and count its steps; see `sql_env.execution.engines.Engine.measure`."""
        self._taken = 0
        try:
            return self.run(database, sql), self._taken
        finally:
            self._taken = None

    def schema(self, database: str) -> Schema:
        """The tables with sample values; see `sql_env.execution.engines.Engine.schema`."""
        return schema(database)

    def close(self) -> None:
        """Close all connections."""
        while self._warm:
            self._warm.popitem()[1].connection.close(True)

    def _run_again(self, database: str, sql: str) -> ExecutionResult:
        try:
            return self._run(database, sql)
        except (Stop, apsw.Error, DatabaseError, MemoryError) as error:
            self.close()
            return self._failure(error)

    def _run(self, database: str, sql: str) -> ExecutionResult:
        check_text(sql, self.limits.max_sql_bytes)
        try:
            return self._query(self._connection(database, frozen=False), sql)
        except _AsksTheTime:
            return self._query(self._connection(database, frozen=True), sql)

    def _query(self, connection: apsw.Connection, sql: str) -> ExecutionResult:
        self._refusal = ""
        try:
            rows = self._rows(connection, sql)
        except UnicodeDecodeError:
            columns = self._columns
            rows = self._rows(connection, lenient_select(self._statement, len(columns)), decode)
            return ExecutionResult(Status.OK, columns, rows)
        return ExecutionResult(Status.OK, self._columns, rows)

    def _connection(self, database: str, frozen: bool) -> apsw.Connection:
        key, identity = (database, frozen), self._identity(database)
        warm = self._warm.get(key)
        if warm is None or warm.identity != identity:
            if len(self._warm) >= WARM:
                self._warm.popitem(last=False)[1].connection.close(True)
            self._warm[key] = warm = _Warm(identity, self._open(database, frozen))
        self._warm.move_to_end(key)
        self._frozen = frozen
        if warm.steps != self._steps:
            warm.steps = self._steps
            warm.connection.set_progress_handler(_interrupt, self._steps)  # counts each statement anew
        return warm.connection

    def _identity(self, database: str) -> Identity:
        if self._seen is None:
            return state(database)
        if database not in self._seen:
            self._seen[database] = state(database)
        return self._seen[database]

    def _open(self, database: str, frozen: bool) -> apsw.Connection:
        connection = open_readonly(database, frozen)
        for limit, value in (
            (apsw.SQLITE_LIMIT_LENGTH, min(int(self.limits.max_bytes), _MAX_INT)),
            (apsw.SQLITE_LIMIT_ATTACHED, 0),
            (apsw.SQLITE_LIMIT_TRIGGER_DEPTH, 0),
            (apsw.SQLITE_LIMIT_WORKER_THREADS, 0),
            (apsw.SQLITE_LIMIT_VDBE_OP, _MAX_OPCODES),
        ):
            connection.limit(limit, value)
        connection.create_scalar_function("random", self._random_int, 0)
        connection.create_scalar_function("randomblob", self._random_blob, 1)
        connection.exec_trace = self._before_first_step
        connection.authorizer = self._authorize
        return connection

    def _rows(
        self, connection: apsw.Connection, sql: str, convert: Callable[[Row], Row] | None = None
    ) -> tuple[Row, ...]:
        """The rows of one query, counted as they come."""
        self._sql, self._columns, self._random = sql, (), None
        rows: list[Row] = []
        room, most = self.limits.max_bytes, self.limits.max_rows
        cursor = connection.cursor()
        if self._taken is not None:
            connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, self._note_steps)
        try:
            for row in islice(cursor.execute(sql, can_cache=False), most + 1):
                rows.append(row)
                room -= 8 * len(row) + len(dumps(row, 2))  # the cheapest way to count; NULLs are not free
                if room < 0:
                    raise Stop(Status.TOO_LARGE, f"more than {self.limits.max_bytes} bytes")
        finally:
            cursor.close(True)
            if self._taken is not None:
                connection.trace_v2(0, None)
        if len(rows) > most:
            raise Stop(Status.TOO_LARGE, f"more than {most} rows")
        return tuple(rows if convert is None else map(convert, rows))

    def _note_steps(self, statement: dict[str, Any]) -> None:
        """A statement has ended. The query ends last; before it come those by which a virtual table reads
        its own tables, whose counts go on from one query to the next.
        """
        self._taken = statement["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"]

    def _before_first_step(self, cursor: apsw.Cursor, statement: str, _bindings: object) -> bool:
        """SQLite has compiled a statement and is about to run it."""
        if self._columns:  # what follows the query is blank, or the query would have been refused
            return True
        self._statement = statement
        self._columns = tuple([column[0] for column in cursor.get_description()])
        if self._columns and len(statement) == len(self._sql) and cursor.is_readonly:
            return True
        if len(statement) != len(self._sql) and not _is_blank(self._sql[len(statement) :]):
            raise Stop(Status.DENIED, "one statement only")
        if not self._columns and _is_blank(statement):
            raise Stop(Status.ERROR, "there is no statement")
        if not self._columns or not cursor.is_readonly:
            raise Stop(Status.DENIED, "only queries are allowed")
        return True

    def _authorize(self, action: int, first: str | None, second: str | None, *_where: str | None) -> int:
        if action in _ALLOWED and first not in _FORBIDDEN:
            return apsw.SQLITE_OK
        if action == apsw.SQLITE_FUNCTION and str(second).lower() not in _FORBIDDEN:
            if not self._frozen and str(second).lower() in CLOCK_FUNCTIONS:
                raise _AsksTheTime
            return apsw.SQLITE_OK
        if (action, first, second) == (apsw.SQLITE_PRAGMA, "data_version", None):  # FTS5 asks for it
            return apsw.SQLITE_OK
        name = str(apsw.mapping_authorizer_function.get(action, action)).removeprefix("SQLITE_")
        self._refusal = " ".join(filter(None, (name, first, second)))
        return apsw.SQLITE_DENY

    def _failure(self, error: Exception) -> ExecutionResult:
        if isinstance(error, Stop):
            return ExecutionResult(error.status, error=str(error))
        if self._refusal:
            return ExecutionResult(Status.DENIED, error=f"only reading is allowed: {self._refusal}")
        status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), Status.ERROR)
        message = f"more than {self._steps} steps" if status is Status.TIMEOUT else str(error)
        return ExecutionResult(status, error=message or type(error).__name__)

    def _generator(self) -> Random:
        if self._random is None:
            self._random = Random(0)
        return self._random

    def _random_int(self, *_none: Value) -> int:
        return self._generator().getrandbits(64) - 2**63

    def _random_blob(self, *sizes: Value) -> bytes:
        (size,) = sizes
        count = max(1, int(size)) if isinstance(size, int | float) else 1
        if count > self.limits.max_bytes:
            raise apsw.TooBigError("string or blob too big")
        return self._generator().randbytes(count)


def _interrupt() -> bool:
    return True


def _is_blank(sql: str) -> bool:
    return not _BLANK.sub("", sql)
