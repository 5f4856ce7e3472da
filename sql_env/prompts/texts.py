"""The texts that a database holds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack

from sql_env.execution.backends import Backend
from sql_env.execution.engines import load_engine
from sql_env.execution.executor import Executor
from sql_env.limits import Limits
from sql_env.schema.quoting import identifier
from sql_env.types import ExecutionResult, Query

LONGEST = 100
"""Characters of a text, at most: nobody looks a longer one up, and it would fill a prompt."""

MOST = 50_000
"""Distinct texts of a column, at most: those that are met first."""

SCANNED = 1_000_000
"""Rows of a table that are searched for them, at most: the first."""


def read_texts(executor: Backend, database: str, dialect: str) -> Iterator[tuple[str, str, ExecutionResult]]:
    """The distinct texts of each column: its table's `path`, its name, and a result with a text a row.

    The default limits hold, whatever the executor's are, so that the texts are the same for all callers.

    Raises:
        DatabaseError: The database is missing or is none, or the dialect has no engine.
    """
    schema, engine = executor.schema(database, dialect), load_engine(dialect, Limits())
    with ExitStack() as stack:
        default = executor.limits == Limits()
        ours = min(executor.workers, os.cpu_count() or 1)  # a cluster may have more
        runner: Backend = executor if default else stack.enter_context(Executor(workers=ours))
        for table in schema.tables:
            parts = (table.space, table.name)
            own = ".".join(identifier(part, schema.keywords) for part in parts if part)
            queries = [
                engine.texts.format(
                    table=own,
                    column=identifier(column.name, schema.keywords),
                    scanned=SCANNED,
                    longest=LONGEST,
                    most=MOST,
                )
                for column in table.columns
            ]
            results = runner.run_many([Query(database, sql, dialect) for sql in queries])
            for column, result in zip(table.columns, results, strict=True):
                yield table.path, column.name, result
