"""What must be true of a sketch on the data before it becomes a task."""

from __future__ import annotations

import sqlite3
from collections import Counter
from typing import TypeAlias

from benchmarks.demo.database import Cell
from benchmarks.demo.query import Select
from benchmarks.demo.sketch import Sketch

Result: TypeAlias = list[tuple[Cell, ...]]

STEPS = 100_000
"""Virtual-machine steps that a gold query may take: some 2 ms."""
ROWS = 150
"""Rows that a gold result may have."""


def run(connection: sqlite3.Connection, sql: str) -> Result:
    """All rows of a query."""
    return connection.execute(sql).fetchall()


def sound(connection: sqlite3.Connection, sketch: Sketch) -> bool:
    """Whether the query answers with something, unambiguously, and needs each of its clauses."""
    connection.set_progress_handler(lambda: 1, STEPS)
    try:
        gold = run(connection, sketch.sql)
    except sqlite3.OperationalError as error:
        if "interrupted" in str(error):
            return False
        raise
    finally:
        connection.set_progress_handler(None, 0)
    return (
        0 < len(gold) <= ROWS
        and any(cell is not None for row in gold for cell in row)
        and not any(tied(connection, select) for select in sketch.limited)
        and all(same(gold, run(connection, sql), sketch.sql) for sql in sketch.alike)
        and not any(same(gold, run(connection, sql), sketch.sql) for sql in sketch.unlike)
    )


def same(left: Result, right: Result, sql: str) -> bool:
    """Whether two results are equal: as lists where the query sorts, else as bags."""
    return left == right if " ORDER BY " in sql.rpartition(")")[2] else Counter(left) == Counter(right)


def tied(connection: sqlite3.Connection, select: Select) -> bool:
    """Whether the LIMIT cuts through equal sort keys, or the keys that it keeps repeat or are NULL."""
    keys = run(connection, select.boundary().sql)
    return len(keys) <= select.limit or len(set(keys)) < len(keys) or (None,) in keys
