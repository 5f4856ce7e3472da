"""The engines by dialect. An engine is imported when it is first needed.

To add an engine, write a folder with a class like `Engine` and add one line to `ENGINES`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Protocol

from sql_env.errors import DatabaseError
from sql_env.limits import Limits
from sql_env.schema.model import Schema
from sql_env.types import ExecutionResult

ENGINES = {
    "duckdb": "sql_env.execution.engines.duckdb.engine:DuckDBEngine",
    "sqlite": "sql_env.execution.engines.sqlite.engine:SQLiteEngine",
}
"""The class of each dialect: ``module:class``."""


class Engine(Protocol):
    """Runs queries of one dialect in the calling process, one at a time.

    A query must not affect a later query, and must not write anything outside the process.

    Attributes:
        limits: The limits of each query.
        cpu_grace: Seconds beyond ``limits.cpu_seconds`` after which the kernel kills the process. An engine
            that can stop a query itself needs this time.
        out_of_memory: True if the last query ended because memory ran out, in the engine or in the process.
        distinct_texts: SQL for the distinct texts of a column. It is a `str.format` template with ``table``
            and ``column`` (names as SQL), ``max_rows``, ``max_characters`` and ``max_texts``.
    """

    limits: Limits
    cpu_grace: float
    out_of_memory: bool
    distinct_texts: str

    def __init__(self, limits: Limits) -> None: ...

    def start_request(self) -> None:
        """Start a request of several queries. The engine may check each database file once per request."""
        ...

    def run(self, database: str, sql: str, step_limit: int | None = None) -> ExecutionResult:
        """Run one query. Each expected failure is the status of the result.

        An exception means a failure that the engine cannot explain. The engine can be used again. The caller
        finds out if the query is to blame; see `sql_env.execution.pool.WorkerPool`. The status is
        ``unavailable`` only if the database file is missing or cannot be opened.

        Args:
            database: The file's path.
            sql: The query.
            step_limit: The step limit, if the engine counts steps; None for ``limits.max_steps``.
        """
        ...

    def measure(self, database: str, sql: str) -> tuple[ExecutionResult, int | None]:
        """Run one query and count its steps; None if the engine does not count steps."""
        ...

    def read_schema(self, database: str) -> Schema:
        """Return all tables with sample values.

        Raises:
            DatabaseError: The database is missing or invalid.
        """
        ...

    def close(self) -> None:
        """Close all open databases. The engine can be used again."""
        ...


def check_dialect(dialect: str) -> None:
    """Check that an engine exists for a dialect.

    Raises:
        DatabaseError: No engine has this dialect.
    """
    if dialect not in ENGINES:
        raise DatabaseError(f"no engine for the dialect {dialect!r}; known: {', '.join(sorted(ENGINES))}")


def load_engine(dialect: str, limits: Limits) -> Engine:
    """Make a new engine for a dialect.

    Raises:
        DatabaseError: No engine has this dialect.

    Example:
        >>> load_engine("sqlite", Limits()).run("missing.sqlite", "SELECT 1").status
        <Status.UNAVAILABLE: 'unavailable'>
    """
    check_dialect(dialect)
    module, _, name = ENGINES[dialect].partition(":")
    factory: Any = getattr(import_module(module), name)
    engine: Engine = factory(limits)
    return engine
