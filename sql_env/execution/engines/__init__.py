"""The engines by dialect, each imported when it is first asked for."""

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
"""Where the engine of each dialect is: ``module:class``."""


class Engine(Protocol):
    """Runs queries of one dialect in the calling process, one at a time.

    What a query does must not show in any later one, and nothing it does may be written anywhere.

    Attributes:
        limits: What one query may cost.
        cpu_grace: Seconds past ``limits.cpu_seconds`` after which the kernel kills the process: time
            for an engine that can stop the query by itself.
        texts: SQL for the distinct texts of a column, as a `str.format` of ``table`` and ``column`` (names
            as SQL), ``scanned`` (rows at most), ``longest`` (characters at most), ``most`` (texts at most).
    """

    limits: Limits
    cpu_grace: float
    texts: str

    def __init__(self, limits: Limits) -> None: ...

    def begin(self, trusting: bool = True) -> None:
        """Begin a stint: from here on each database file is looked at once, not before each query.

        Args:
            trusting: False ends the stint: files are looked at before each query again.
        """
        ...

    def run(self, database: str, sql: str, steps: int | None = None) -> ExecutionResult:
        """Run one query. It never raises for what the query or the database file holds.

        Args:
            database: The file's path.
            sql: The query.
            steps: What it may take, where the engine counts; ``limits.max_steps`` if not told.
        """
        ...

    def measure(self, database: str, sql: str) -> tuple[ExecutionResult, int | None]:
        """Run one query and count its steps; None where the engine counts none."""
        ...

    def schema(self, database: str) -> Schema:
        """All tables with sample values.

        Raises:
            DatabaseError: The database is missing, or is none.
        """
        ...

    def close(self) -> None:
        """Close what is open. The engine may be used again."""
        ...


def check_dialect(dialect: str) -> None:
    """Raise unless some engine speaks ``dialect``.

    Raises:
        DatabaseError: No engine does.
    """
    if dialect not in ENGINES:
        raise DatabaseError(f"no engine for the dialect {dialect!r}; known: {', '.join(sorted(ENGINES))}")


def load_engine(dialect: str, limits: Limits) -> Engine:
    """A new engine for ``dialect``.

    Raises:
        DatabaseError: No engine speaks it.

    Example:
        >>> load_engine("sqlite", Limits()).run("missing.sqlite", "SELECT 1").status
        <Status.UNAVAILABLE: 'unavailable'>
    """
    check_dialect(dialect)
    module, _, name = ENGINES[dialect].partition(":")
    factory: Any = getattr(import_module(module), name)
    engine: Engine = factory(limits)
    return engine
