"""Prove on the data that a sketch is fit to be a task."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple, TypeAlias

from benchmarks.demo.queries.query import Select, Sketch
from benchmarks.demo.tables.database import Cell

Result: TypeAlias = list[tuple[Cell, ...]]

MAX_STEPS = 100_000
"""Virtual-machine steps of a gold query, at most: about 2 ms."""
MAX_ROWS = 150
"""Rows of a gold result, at most."""
COMPARED_DIGITS = 6
"""Decimals in the comparison of results, because sums of floats depend on the order of rows."""


class ProofConnections(NamedTuple):
    """Two connections to one database; the second scans tables backwards unless a query has an order."""

    forward: sqlite3.Connection
    backward: sqlite3.Connection


@contextmanager
def open_for_proof(database: Path) -> Iterator[ProofConnections]:
    """Open a finished database for proofs."""
    uri = database.absolute().as_uri() + "?mode=ro&immutable=1"
    with (
        closing(sqlite3.connect(uri, uri=True)) as forward,
        closing(sqlite3.connect(uri, uri=True)) as backward,
    ):
        backward.execute("PRAGMA reverse_unordered_selects = ON")
        yield ProofConnections(forward, backward)


def is_sound(on: ProofConnections, sketch: Sketch) -> bool:
    """Return whether the query has a result, is unambiguous and needs each of its clauses.

    A backward scan must give the same result. Otherwise the result depends on the order in which SQLite
    reads the rows, as with ties, or with a float that differs from an average only in its last bit.
    """
    gold = run_within_steps(on.forward, sketch.sql)
    return (
        0 < len(gold) <= MAX_ROWS
        and any(cell is not None for row in gold for cell in row)
        and not any(has_tie(on.forward, select) for select in sketch.limited)
        and not any(are_equal(gold, run(on.forward, sql), sketch.sql) for sql in sketch.must_differ)
        and all(are_equal(gold, run(on.forward, sql), sketch.sql) for sql in sketch.must_equal)
        and are_equal_bags(gold, run(on.backward, sketch.sql))
    )


def run(connection: sqlite3.Connection, sql: str) -> Result:
    """Return all rows of a query."""
    return connection.execute(sql).fetchall()


def run_within_steps(connection: sqlite3.Connection, sql: str) -> Result:
    """Return all rows of a query; none if it takes too many steps."""
    connection.set_progress_handler(lambda: 1, MAX_STEPS)
    try:
        return run(connection, sql)
    except sqlite3.OperationalError as error:
        if "interrupted" in str(error):
            return []
        raise
    finally:
        connection.set_progress_handler(None, 0)


def are_equal(left: Result, right: Result, sql: str) -> bool:
    """Return whether two results are equal: as lists if the query sorts, else as bags."""
    return left == right if " ORDER BY " in sql.rpartition(")")[2] else are_equal_bags(left, right)


def are_equal_bags(left: Result, right: Result) -> bool:
    """Return whether two results are equal as bags, to `COMPARED_DIGITS` decimals."""
    return len(left) == len(right) and Counter(map(round_floats, left)) == Counter(map(round_floats, right))


def round_floats(row: tuple[Cell, ...]) -> tuple[Cell, ...]:
    """Round the floats of a row."""
    return tuple(round(cell, COMPARED_DIGITS) if isinstance(cell, float) else cell for cell in row)


def has_tie(connection: sqlite3.Connection, select: Select) -> bool:
    """Return whether LIMIT cuts between equal sort keys, or keeps keys that repeat or are NULL."""
    keys = run(connection, select.make_boundary().sql)
    return len(keys) <= select.limit or len(set(keys)) < len(keys) or (None,) in keys
