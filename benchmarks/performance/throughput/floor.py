"""The floor: what SQLite itself needs for the distinct queries, asked for as cheaply as can be.

The same release through the same binding as the library's engine, on connections that are open and have
read their schema beforehand: no authorizer, no handler, no parsing, no comparison, no other process. Rows
become tuples inside C (``fetchall``), because apsw has no door to ``sqlite3_exec``;
`benchmarks.performance.throughput.c_api` is a floor without even that.

A query that the library stops is stopped at the same place, so that neither side is asked for more: a
runaway by a progress handler that is called once, a result that is too large after as many rows. What the
library refuses to run is not run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, groupby, islice

import apsw

from benchmarks.performance.throughput.clock import Reading, clocked
from benchmarks.performance.throughput.connection import connect, stopped
from benchmarks.performance.throughput.measurement import Contender
from benchmarks.performance.throughput.stints import Stint, Stints
from sql_env.limits import Limits
from sql_env.types import Row

_OPEN_AT_ONCE = 256


class Floor:
    """Bare connections to some databases.

    Args:
        databases: Paths of SQLite files.
        limits: Where SQLite itself has a limit for the size of a value, it is set.
    """

    def __init__(self, databases: Iterable[str], limits: Limits) -> None:
        self._limits = limits
        self._connections = {path: connect(path, limits) for path in sorted(set(databases))}

    def run(self, stints: Sequence[Stint]) -> None:
        """Run queries, and let go of their rows."""
        for stint in stints:
            self.rows(stint)

    def rows(self, stint: Stint) -> list[Row] | None:
        """The rows of one query; None where it fails or is stopped."""
        connection = self._connections[stint.query.database]
        try:
            if stint.steps is None and stint.rows is None:
                return connection.execute(stint.query.sql, can_cache=False).fetchall()
            with stopped(connection, stint.steps or 0, self._limits):
                cursor = connection.execute(stint.query.sql, can_cache=False)
                deque(islice(cursor, stint.rows), maxlen=0)
                cursor.close(True)
        except (apsw.Error, UnicodeError, MemoryError):
            return None
        return None

    def close(self) -> None:
        """Close all connections."""
        for connection in self._connections.values():
            connection.close(True)


def floor(planned: Stints, limits: Limits, cached: bool = True) -> Contender:
    """Rows ``floor cold`` and, if wanted, ``floor cached`` and ``floor unknown``; see `Stints`."""
    parts = {"floor cold": planned.cold}
    if cached:
        parts |= {"floor cached": planned.cached, "floor unknown": planned.unknown}

    def run() -> dict[str, dict[str, float]]:
        return {row: _clocked(stints, limits).figures() for row, stints in parts.items()}

    return run


def _clocked(stints: Sequence[Stint], limits: Limits) -> Reading:
    """What the queries take, the opening of their databases left out."""
    total = Reading(0.0, 0.0)
    for part in _parts(stints):
        bare = Floor((stint.query.database for stint in part), limits)
        _, reading = clocked(partial(bare.run, part))
        bare.close()
        total += reading
    return total


def _parts(stints: Sequence[Stint]) -> Iterator[list[Stint]]:
    """Queries on no more databases at a time than can be open."""
    groups = groupby(stints, lambda stint: stint.query.database)
    databases = (list(group) for _, group in groups)
    while part := list(islice(databases, _OPEN_AT_ONCE)):
        yield list(chain.from_iterable(part))
