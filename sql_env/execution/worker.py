"""The program inside a worker process: it runs queries, and compares what they return.

It talks marshal over a socket. It is sent `sql_env.execution.messages.Request` after request, and answers
in frames
``(replies, seconds of execution, seconds of comparison, retire)``, the replies in the order of the queries.
They are gathered for a moment, because a message for each costs more than a small query. Shared memory
says which query is being run and since when, so a killed worker loses nothing but that one.
"""

from __future__ import annotations

import faulthandler
import os
import resource
import select
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from marshal import dumps, loads
from socket import socket as Socket
from time import perf_counter, thread_time

from sql_env.comparison import get_comparison, unpack_gold
from sql_env.execution.connection import Connection
from sql_env.execution.engines import Engine, load_engine
from sql_env.execution.heartbeat import Heartbeat
from sql_env.execution.messages import Reply, Request, ResultMode
from sql_env.limits import Limits
from sql_env.types import ExecutionResult, Status

GATHER_SECONDS = 0.05
GATHER_ROWS = 2_000

_OK = Status.OK


def main(socket: int, memory: int, parent: int, limits: dict[str, float]) -> None:
    """Serve the parent at the other end of ``socket``, a file descriptor, as is ``memory``."""
    _settle(parent, socket)
    serve(Connection(Socket(fileno=socket)), Heartbeat(memory), Limits(**limits))  # type: ignore[arg-type]


def serve(line: Connection, progress: Heartbeat, limits: Limits) -> None:
    """Answer requests until the line ends."""
    engines: dict[str, Engine] = {}
    place = 0
    while True:
        try:
            messages = line.receive()
        except EOFError:
            return
        for message in messages:
            request: Request = loads(message)
            for dialect in {job[1] for job in request[1]} - set(engines):
                engines[dialect] = load_engine(dialect, limits)  # before any query's time begins
            stint = RequestRunner(engines, request, progress, line.send)
            place = stint.run(place, 2 * limits.memory_bytes + 128 * 2**20)


class RequestRunner:
    """One request, from its first query to its last."""

    def __init__(
        self,
        engines: dict[str, Engine],
        request: Request,
        progress: Heartbeat,
        send: Callable[[bytes], None],
    ) -> None:
        references, self._jobs = request
        self._engines = engines
        self._progress = progress
        self._send = send
        self._references = [(get_comparison(name), unpack_gold(gold)) for name, gold in references]
        self._replies: list[Reply] = []
        self._comparing = 0.0

    def run(self, place: int, memory: float) -> int:
        """Run each query under a timer of the kernel, which kills this process when it runs out.

        Args:
            place: How many queries this process has run before.
            memory: Bytes beyond which it should be replaced.

        Returns:
            How many it has run now.
        """
        for engine in self._engines.values():
            engine.start_request()
        left, rows = len(self._jobs), 0
        began = perf_counter()
        for ask, dialect, database, sql, steps, references in self._jobs:
            engine = self._engines[dialect]
            self._progress.begin(place)
            place += 1
            _arm(engine)
            taken: int | None = None
            if ask < ResultMode.GOLD:
                result = engine.run(database, sql, steps)
            elif ask == ResultMode.GOLD:
                result, taken = engine.measure(database, sql)
            else:
                result = _measured(engine, database, sql)
            equal = self._compare(engine, result, references) if references else ()
            kept = None if ask == ResultMode.VERDICT else result.rows
            self._replies.append((result.status.value, result.columns, kept, result.error, equal, taken))
            left -= 1
            rows += len(kept) if kept else 0
            if left and (rows > GATHER_ROWS or perf_counter() - began > GATHER_SECONDS):
                began, rows = self._flush(began, False), 0
        signal.setitimer(signal.ITIMER_PROF, 0)
        self._flush(began, peak_bytes() > memory and resident_bytes() > memory)
        return place

    def _compare(self, engine: Engine, result: ExecutionResult, references: Sequence[int]) -> list[bool]:
        if result.status is not _OK:
            return [False] * len(references)
        began = perf_counter()
        equal = []
        for reference in references:
            semantics, gold = self._references[reference]
            if result.rows == gold.result.rows and len(result.columns) == len(gold.result.columns):
                equal.append(True)  # under any semantics
                continue
            self._progress.compare()
            _arm(engine)
            equal.append(semantics.is_equal(result, gold))
        self._comparing += perf_counter() - began
        return equal

    def _flush(self, began: float, retire: bool) -> float:
        now = perf_counter()
        self._send(dumps((self._replies, now - began - self._comparing, self._comparing, retire)))
        self._replies, self._comparing = [], 0.0
        return perf_counter()


def _arm(engine: Engine) -> None:
    signal.setitimer(signal.ITIMER_PROF, engine.limits.cpu_seconds + engine.cpu_grace)


def _measured(engine: Engine, database: str, sql: str) -> ExecutionResult:
    """What a query took: one row, its steps and its seconds of CPU."""
    began = thread_time()
    result, steps = engine.measure(database, sql)
    seconds = thread_time() - began
    return ExecutionResult(_OK, rows=((steps, seconds),)) if result.ok else result


def peak_bytes() -> int:
    """The most memory that this process has held, mapped files included. It costs little to ask."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def resident_bytes() -> int:
    """The memory that this process holds now without mapped files; its peak where that is unknown."""
    try:
        with open("/proc/self/statm", "rb") as file:
            _, resident, shared, *_ = map(int, file.read().split())
        return (resident - shared) * resource.getpagesize()
    except FileNotFoundError:
        return peak_bytes()


def _settle(parent: int, socket: int) -> None:
    """Be killable by the timer, deaf to Ctrl-C, unable to write files, and gone when the parent is."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    faulthandler.register(signal.SIGPROF, all_threads=False, chain=True)  # a line, then the default: death
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGPROF})
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    threading.Thread(target=_leave_with, args=(parent, socket), daemon=True).start()


def _leave_with(parent: int, socket: int) -> None:
    """End this process, even in mid-query, when the other end of ``socket`` has closed.

    A fork of the parent may keep that end open, so the parent itself is looked at, too.
    """
    poll = select.poll()
    poll.register(socket, 0)  # no event but a hang-up
    while not poll.poll(1_000) and os.getppid() == parent:
        pass
    os._exit(0)
