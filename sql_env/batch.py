"""One `run_many`: its queries cut into chunks, spread over workers, and gathered again."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait

from sql_env.errors import ClosedError, SQLEnvError
from sql_env.pool import Pool
from sql_env.process import Worker
from sql_env.types import ExecutionResult, Query, Status
from sql_env.worker import Reply

CHUNK = 64
"""Queries that are sent to a worker at once, at most."""

_LOOK_AGAIN = 0.05  # seconds after which to ask again for a worker that another thread has
_STATUS = {status.value: status for status in Status}


@dataclass(slots=True)
class Chunk:
    """Queries on one database, by their places in the batch, and how many are answered."""

    key: tuple[str, str]
    places: Sequence[int]
    answered: int = 0


class Batch:
    """The queries of one call and their results as they come. It belongs to one thread."""

    def __init__(self, pool: Pool, queries: Sequence[Query]) -> None:
        self._pool = pool
        self._queries = queries
        self._results: list[ExecutionResult | None] = [None] * len(queries)
        self._retried: set[int] = set()
        self._waiting = deque(_chunks(queries, pool.size))
        self._running: dict[Connection, tuple[Worker, Chunk]] = {}

    def run(self) -> list[ExecutionResult]:
        """Run all queries and return their results in order.

        Raises:
            ClosedError: The pool was closed meanwhile.
            SQLEnvError: Workers cannot be started.
        """
        try:
            while self._waiting or self._running:
                self._dispatch()
                self._collect()
        finally:  # Ctrl-C, say: no result will be wanted
            for worker, _ in self._running.values():
                self._pool.discard(worker)
        return [result for result in self._results if result is not None]

    def _dispatch(self) -> None:
        while self._waiting and (worker := self._pool.acquire(patient=not self._running)):
            chunk = next((chunk for chunk in self._waiting if chunk.key == worker.last), self._waiting[0])
            self._waiting.remove(chunk)
            self._running[worker.connection] = worker, chunk
            worker.send(*chunk.key, [self._queries[place].sql for place in chunk.places])

    def _collect(self) -> None:
        now = time.monotonic()
        patience = min(worker.deadline for worker, _ in self._running.values()) - now
        if self._waiting:
            patience = min(patience, _LOOK_AGAIN)
        ready = wait(list(self._running), max(0.0, patience) if patience < float("inf") else None)
        for connection in ready:
            self._receive(*self._running[connection])  # type: ignore[index]
        if not ready:
            for worker, _ in self._running.values():
                if worker.deadline <= time.monotonic():
                    worker.kill(overdue=True)

    def _receive(self, worker: Worker, chunk: Chunk) -> None:
        try:
            replies, last, retire = worker.receive()
        except EOFError:
            self._lost(worker, chunk)
            return
        for place, reply in zip(chunk.places[chunk.answered :], replies, strict=False):
            self._results[place] = _result(reply)
        chunk.answered += len(replies)
        if last:
            del self._running[worker.connection]
            self._pool.release(worker, retire)

    def _lost(self, worker: Worker, chunk: Chunk) -> None:
        """A worker died: give a verdict on what it was running, and run the rest elsewhere."""
        if self._pool.closed:
            raise ClosedError("the executor was closed while it ran queries")
        verdict, began = worker.verdict(), worker.place
        if worker.failed_to_start:
            raise SQLEnvError(f"a worker process could not start: {worker.last_words}")
        del self._running[worker.connection]
        self._pool.discard(worker)
        culprit = chunk.places[max(began, chunk.answered)]
        rest = [place for place in chunk.places[chunk.answered :] if place != culprit]
        if rest:
            self._waiting.appendleft(Chunk(chunk.key, rest))
        if verdict is None and culprit in self._retried:
            verdict = ExecutionResult(Status.UNAVAILABLE, error=f"its worker died twice: {worker.last_words}")
        if verdict is None:
            self._retried.add(culprit)
            self._waiting.append(Chunk(chunk.key, [culprit]))
        self._results[culprit] = verdict


def _chunks(queries: Sequence[Query], workers: int) -> list[Chunk]:
    """The queries grouped by database, in groups small enough to keep all workers busy."""
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, query in enumerate(queries):
        groups[query.dialect, query.database].append(place)
    size = max(1, min(CHUNK, len(queries) // (4 * workers)))
    return [
        Chunk(key, places[start : start + size])
        for key, places in groups.items()
        for start in range(0, len(places), size)
    ]


def _result(reply: Reply) -> ExecutionResult:
    status, columns, rows, error = reply
    return ExecutionResult(_STATUS[status], columns, rows, error)
