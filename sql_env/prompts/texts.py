"""Read the distinct texts of a database's columns."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack

from sql_env.execution.backends import Backend
from sql_env.execution.engines import load_engine
from sql_env.execution.executor import Executor
from sql_env.limits import Limits
from sql_env.schema.quoting import quote_identifier
from sql_env.types import ExecutionResult, Query

MAX_CHARACTERS = 100
"""The maximum length of a text. Questions do not ask for longer ones, and they would fill a prompt."""

MAX_TEXTS = 50_000
"""The maximum number of distinct texts of a column: the first ones."""

MAX_ROWS = 1_000_000
"""The number of rows of a table, from its first row, that are searched."""


def read_texts(executor: Backend, database: str, dialect: str) -> Iterator[tuple[str, str, ExecutionResult]]:
    """Yield for each column its table's `path`, its name, and a result with one distinct text per row.

    The queries run under the default limits, not the executor's: so all callers get the same texts.

    Raises:
        DatabaseError: The database is missing or invalid, or the dialect has no engine.
    """
    schema, engine = executor.schema(database, dialect), load_engine(dialect, Limits())
    with ExitStack() as stack:
        runner: Backend = executor
        if executor.limits != Limits():
            workers = min(executor.workers, os.cpu_count() or 1)  # a cluster may have more
            runner = stack.enter_context(Executor(workers=workers))
        for table in schema.tables:
            parts = (table.schema_name, table.name)
            path = ".".join(quote_identifier(part, schema.keywords) for part in parts if part)
            queries = [
                engine.distinct_texts.format(
                    table=path,
                    column=quote_identifier(column.name, schema.keywords),
                    max_rows=MAX_ROWS,
                    max_characters=MAX_CHARACTERS,
                    max_texts=MAX_TEXTS,
                )
                for column in table.columns
            ]
            results = runner.run_many([Query(database, sql, dialect) for sql in queries])
            for column, result in zip(table.columns, results, strict=True):
                yield table.path, column.name, result
