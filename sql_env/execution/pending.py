"""Calls of a pool and their queries, until each query has its judgement."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import replace
from zlib import crc32

from sql_env.execution.messages import Judgement, JudgeRequest, ResultMode
from sql_env.types import Status

MAX_CHUNK = 64
"""The most queries in one request to a worker. More would leave one worker alone with many slow queries;
fewer would cost more messages."""

MAX_CHUNK_BYTES = 32 * 2**20
"""Bytes of gold results after which a request ends. A worker holds all golds of a request in memory."""

MIN_CHUNK = 8
"""Queries that justify a message of their own while other workers could run them. A call with fewer queries
is small, and does not wait behind large calls."""


class Call:
    """One call of `WorkerPool.run`. The pool's lock guards it.

    Attributes:
        queries: The pending queries in the order of the requests. Equal requests share one.
        left: Queries without a judgement.
        error: The exception that ends the call.
        abandoned: True after an exception has ended the caller's wait.
        done: A lock that is released when the call ends. A lock wakes its waiter faster than an Event.
    """

    __slots__ = ("abandoned", "began", "done", "error", "left", "mode", "queries", "requests")

    def __init__(self, requests: Sequence[JudgeRequest], mode: ResultMode) -> None:
        self.requests, self.mode = requests, mode
        self.queries: list[PendingQuery] = []
        self.left = 0
        self.error: Exception | None = None
        self.abandoned = False
        self.began = time.perf_counter()
        self.done = threading.Lock()
        self.done.acquire()

    def fail(self, error: Exception) -> None:
        """End the call with an exception, unless it has ended."""
        if self.error is None and self.done.locked():
            self.error = error
            self.done.release()


class PendingQuery:
    """A request that waits for its judgement, for all calls that made it.

    Attributes:
        key: Equal keys are the same work. Gold results are compared by identity, not by their rows.
        failures: The number of failures of which the query may be the cause, such as a crash of its worker.
        interruptions: The number of deaths of its worker of which it cannot be the cause.
        control: The control query that ran before it after a failure.
        subject: If this is a control query, the query after it.
    """

    __slots__ = (
        "calls", "control", "failures", "interruptions", "judgement", "key", "mode", "request", "subject",
    )  # fmt: skip

    def __init__(self, request: JudgeRequest, mode: ResultMode) -> None:
        self.request, self.mode = request, mode
        self.calls: list[Call] = []
        self.judgement: Judgement | None = None
        self.failures = self.interruptions = 0
        self.control: PendingQuery | None = None
        self.subject: PendingQuery | None = None
        golds = tuple([(id(each.gold), each.comparison) for each in request.references])
        self.key = mode, request.query, request.steps, golds

    @property
    def abandoned(self) -> bool:
        """True if no caller waits for it any more."""
        return all(call.abandoned for call in self.calls)

    @property
    def gold_bytes(self) -> int:
        """The size of its gold results."""
        return sum([len(reference.gold.packed) for reference in self.request.references])

    @property
    def works(self) -> bool:
        """True if it has run, and nothing is wrong with the database or its worker."""
        return self.judgement is not None and self.judgement.result.status is not Status.UNAVAILABLE

    def make_control(self) -> PendingQuery:
        """Return a new control query. It has the same calls, so it is abandoned with this query."""
        query = replace(self.request.query, sql=self.request.control)
        self.control = PendingQuery(JudgeRequest(query), ResultMode.VERDICT)
        self.control.calls, self.control.subject = self.calls, self
        return self.control


class Backlog:
    """Queries that no worker has yet. Each database has a home worker, which keeps its file open."""

    def __init__(self, workers: int) -> None:
        self.count = 0
        self._homes: list[OrderedDict[str, deque[PendingQuery]]] = [OrderedDict() for _ in range(workers)]

    def add(self, query: PendingQuery) -> None:
        """Add a query at the home of its database."""
        database = query.request.query.database
        home = self._homes[crc32(database.encode("utf-8", "surrogatepass")) % len(self._homes)]
        home.setdefault(database, deque()).append(query)
        self.count += 1

    def take(self, worker: int) -> list[PendingQuery]:
        """Remove queries for a worker: from its own databases, else from the fullest home."""
        workers = len(self._homes)
        fair = -(-self.count // workers)
        most = min(MAX_CHUNK, max(self.count // (4 * workers), min(MIN_CHUNK, fair)))
        taken: list[PendingQuery] = []
        room = MAX_CHUNK_BYTES
        while self.count and len(taken) < most and room > 0:
            home = self._homes[worker] or max(self._homes, key=len)
            database, queries = next(iter(home.items()))
            while queries and len(taken) < most and room > 0:
                query = queries.popleft()
                room -= query.gold_bytes
                taken.append(query)
                self.count -= 1
            if not queries:
                del home[database]
        return taken
