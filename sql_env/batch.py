"""One `run_many`: its queries cut into chunks, spread over workers, and gathered again."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from multiprocessing.connection import Connection, wait

from sql_env.errors import ClosedError, SQLEnvError
from sql_env.pool import Pool
from sql_env.process import Worker
from sql_env.types import ExecutionResult, Query, Status
from sql_env.worker import Reply

CHUNK = 32
"""Queries that are sent to a worker at once, at most. More would leave a worker alone with many
slow ones; fewer cost more messages."""

_LOOK_AGAIN = 0.05  # seconds after which to ask again for a worker that another thread has
_LOOK_AFTER = 1.0  # seconds after which to look whether a silent worker is alive
_STATUS = {status.value: status for status in Status}


@dataclass(slots=True)
class Chunk:
    """Queries for one worker, by their places in the batch, and how many of them are answered."""

    places: Sequence[int]
    answered: int = 0


class Batch:
    """The queries of one call and their results as they come. It belongs to one thread.

    Where ``measured``, the results are what the queries took; see `sql_env.worker`.
    """

    def __init__(self, pool: Pool, queries: Sequence[Query], measured: bool = False) -> None:
        self._pool = pool
        self._queries = queries
        self._measured = measured
        self._results: list[ExecutionResult | None] = [None] * len(queries)
        self._retried: set[int] = set()
        self._waiting = deque(self._chunks())
        self._running: dict[Connection, tuple[Worker, Chunk]] = {}
        self._borrowed: set[Worker] = set()

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
            for worker in list(self._borrowed):
                self._pool.discard(worker, self._borrowed)
        return [result for result in self._results if result is not None]

    def _chunks(self) -> list[Chunk]:
        """All queries, those on one database together, in chunks small enough to keep all workers busy."""
        groups: dict[tuple[str, str], list[int]] = defaultdict(list)
        for place, query in enumerate(self._queries):
            groups[_key(query)].append(place)
        places = list(chain.from_iterable(groups.values()))
        size = max(1, min(CHUNK, len(places) // (4 * self._pool.size)))
        return [Chunk(places[start : start + size]) for start in range(0, len(places), size)]

    def _dispatch(self) -> None:
        while self._waiting and (worker := self._pool.acquire(self._borrowed, patient=not self._running)):
            chunk = self._next_for(worker)
            self._waiting.remove(chunk)
            self._running[worker.connection] = worker, chunk
            worker.send([self._queries[place] for place in chunk.places], self._measured)

    def _next_for(self, worker: Worker) -> Chunk:
        """The first chunk that begins with the database that the worker has just used, or the first."""
        warm = (chunk for chunk in self._waiting if _key(self._queries[chunk.places[0]]) == worker.last)
        return next(warm, self._waiting[0])

    def _collect(self) -> None:
        now = time.monotonic()
        patience = min(worker.deadline for worker, _ in self._running.values()) - now
        if self._waiting and len(self._running) < self._pool.size:
            patience = min(patience, _LOOK_AGAIN)
        ready = wait(list(self._running), min(max(0.0, patience), _LOOK_AFTER))
        for connection in ready:
            self._receive(*self._running[connection])  # type: ignore[index]
        for worker, chunk in list(self._running.values()):
            if worker.deadline <= time.monotonic():
                worker.kill(overdue=True)
            elif not ready and worker.died:
                self._lost(worker, chunk)

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
            self._pool.release(worker, self._borrowed, retire)

    def _lost(self, worker: Worker, chunk: Chunk) -> None:
        """A worker died: give a verdict on what it was running, and run the rest elsewhere."""
        if self._pool.closed:
            raise ClosedError("the executor was closed while it ran queries")
        verdict, began = worker.verdict(), worker.place
        if worker.failed_to_start:
            raise SQLEnvError(f"a worker process could not start: {worker.last_words}")
        self._pool.discard(worker, self._borrowed)
        del self._running[worker.connection]
        culprit = chunk.places[max(began, chunk.answered)]
        rest = [place for place in chunk.places[chunk.answered :] if place != culprit]
        if rest:
            self._waiting.appendleft(Chunk(rest))
        if verdict is None and culprit in self._retried:
            verdict = ExecutionResult(Status.UNAVAILABLE, error=f"its worker died twice: {worker.last_words}")
        if verdict is None:
            self._retried.add(culprit)
            self._waiting.append(Chunk([culprit]))
        self._results[culprit] = verdict


def _key(query: Query) -> tuple[str, str]:
    return query.dialect, query.database


def _result(reply: Reply) -> ExecutionResult:
    status, columns, rows, error = reply
    return ExecutionResult(_STATUS[status], columns, rows, error)
