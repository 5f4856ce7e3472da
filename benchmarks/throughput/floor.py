"""The floor: what SQLite itself needs for the distinct queries, asked for as cheaply as can be.

The same release through the same binding as the library's engine, on connections that are open and have
read their schema beforehand: no authorizer, no handler, no parsing, no comparison, no other process. Rows
become tuples inside C (``fetchall``), because apsw has no door to ``sqlite3_exec``;
`benchmarks.throughput.c_api` is a floor without even that.

A query that the library stops is stopped at the same place, so that neither side is asked for more: a
runaway by a progress handler that is called once, a result that is too large after as many rows. What the
library refuses to run is not run.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, groupby, islice
from marshal import dumps
from urllib.parse import quote

import apsw

from benchmarks.throughput.clock import Reading, clocked
from benchmarks.throughput.items import Items, by_database
from benchmarks.throughput.measurement import Contender
from sql_env.limits import Limits
from sql_env.scorer import Scorer
from sql_env.types import Query, Row, Status

_OPEN_AT_ONCE = 256
_OPEN = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI


@dataclass(frozen=True, slots=True)
class Stint:
    """One query of the floor.

    Attributes:
        query: The query.
        steps: Virtual-machine instructions after which it is stopped; None where it ends by itself.
        rows: Rows after which no more are fetched; None where all are.
    """

    query: Query
    steps: int | None = None
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class Stints:
    """What the floor runs, each distinct query once.

    Attributes:
        cold: Predictions and golds.
        cached: Predictions alone.
        unknown: Predictions that are not some gold to the letter: what must be run if golds are known.
    """

    cold: Sequence[Stint]
    cached: Sequence[Stint]
    unknown: Sequence[Stint]

    @property
    def databases(self) -> set[str]:
        """Paths of the databases that they are about."""
        return {stint.query.database for stint in self.cold}


class Floor:
    """Bare connections to some databases.

    Args:
        databases: Paths of SQLite files.
        limits: Where SQLite itself has a limit for the size of a value, it is set.
    """

    def __init__(self, databases: Iterable[str], limits: Limits) -> None:
        self._connections = {path: _open(path, limits) for path in sorted(set(databases))}

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
            self._stopped(connection, stint)
        except (apsw.Error, UnicodeDecodeError):
            return None
        return None

    def close(self) -> None:
        """Close all connections."""
        for connection in self._connections.values():
            connection.close(True)

    @staticmethod
    def _stopped(connection: apsw.Connection, stint: Stint) -> None:
        connection.set_progress_handler(lambda: True, stint.steps or 0)
        try:
            cursor = connection.execute(stint.query.sql, can_cache=False)
            deque(islice(cursor, stint.rows), maxlen=0)
            cursor.close(True)
        finally:
            connection.set_progress_handler(None)


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


def stints(items: Items) -> Stints:
    """The distinct queries that scoring runs. They are scored once, to know how each of them ends."""
    asked, golds = items.predictions(items.actions()), items.golds()
    with Scorer(items.reward, limits=items.limits, workers=os.cpu_count() or 1) as scorer:
        rollouts = scorer.rollouts(items.completions, items.tasks)
    ended = {gold: rollout.gold.status for gold, rollout in zip(golds, rollouts, strict=True)}
    for query, rollout in zip(asked, rollouts, strict=True):
        if query is not None and rollout.result is not None:
            ended[query] = rollout.result.status
    planned = {query: _stint(query, status, items.limits) for query, status in ended.items()}

    def wanted(queries: Iterable[Query | None]) -> list[Stint]:
        found = (planned[query] for query in by_database([query for query in queries if query is not None]))
        return [stint for stint in found if stint is not None]

    known = set(golds)
    unknown = wanted(query for query in asked if query not in known)
    return Stints(wanted([*asked, *golds]), wanted(asked), unknown)


def _stint(query: Query, status: Status, limits: Limits) -> Stint | None:
    """How far a query that ended like this is run; None where it is not."""
    if status in (Status.DENIED, Status.UNAVAILABLE):
        return None
    if status is Status.TIMEOUT:
        return Stint(query, steps=int(limits.max_steps))
    if status is Status.TOO_LARGE:
        return Stint(query, steps=int(limits.max_steps), rows=_rows_allowed(query, limits))
    return Stint(query)


def _rows_allowed(query: Query, limits: Limits) -> int:
    """The rows after which the engine stops a result: it counts rows, and bytes as marshal writes them."""
    connection, count, size = _open(query.database, limits), 0, 0
    connection.set_progress_handler(lambda: True, int(limits.max_steps))
    try:
        for row in connection.execute(query.sql):
            count, size = count + 1, size + 8 * len(row) + len(dumps(row, 2))
            if size > limits.max_bytes or count > limits.max_rows:
                break
    except (apsw.Error, UnicodeDecodeError, MemoryError):
        return count  # a value, the text or the heap is what was too large
    finally:
        connection.close(True)
    return count


def _open(path: str, limits: Limits) -> apsw.Connection:
    """Opened as the engine opens it: immutable and mapped into memory, which saves locks and copies."""
    uri = f"file://{quote(os.path.realpath(path))}?mode=ro&immutable=1"
    connection = apsw.Connection(uri, _OPEN, statementcachesize=0)
    connection.config(apsw.SQLITE_DBCONFIG_DQS_DML, 1)
    connection.limit(apsw.SQLITE_LIMIT_LENGTH, min(int(limits.max_bytes), 2**31 - 1))
    connection.execute(f"PRAGMA temp_store=MEMORY; PRAGMA mmap_size={2**40}").fetchall()
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    return connection
