"""The program inside a worker process: it answers chunks of queries until its parent is gone.

It talks marshal over a socket. A request is ``(measured, [(dialect, database, sql), ...])``; the answer is
one or more frames ``(replies, last, retire)``, where a reply is the fields of an `ExecutionResult`. Where
``measured``, a query that runs has a table of what it took for a result, as EXPLAIN has one of a plan.
Replies are gathered for a moment, because a message for each costs more than a small query. Shared
memory says which query is being run and since when, so a killed worker loses nothing but that one.
"""

from __future__ import annotations

import faulthandler
import os
import resource
import select
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from marshal import dumps, loads
from multiprocessing.connection import Connection

from sql_env.engines import Engine, load_engine
from sql_env.limits import Limits
from sql_env.progress import Progress
from sql_env.types import ExecutionResult, Row, Status

GATHER_SECONDS = 0.05
GATHER_ROWS = 2_000

Reply = tuple[str, tuple[str, ...], tuple[Row, ...], str]


def main(socket: int, memory: int, parent: int, limits: dict[str, float]) -> None:
    """Serve the parent at the other end of ``socket``, a file descriptor, as is ``memory``."""
    _settle(parent, socket)
    connection = Connection(socket)
    serve(connection, Progress(memory), Limits(**limits))  # type: ignore[arg-type]


def serve(connection: Connection, progress: Progress, limits: Limits) -> None:
    """Answer requests until the connection ends."""
    engines: dict[str, Engine] = {}
    while True:
        try:
            measured, queries = loads(connection.recv_bytes())
        except EOFError:
            return
        for dialect in {dialect for dialect, _, _ in queries} - set(engines):
            engines[dialect] = load_engine(dialect, limits)  # before any query's time begins
        results = _results(engines, measured, queries, progress)
        _answer(connection, results, len(queries), 2 * limits.memory_bytes + 128 * 2**20)


def _results(
    engines: Mapping[str, Engine], measured: bool, queries: list[tuple[str, str, str]], progress: Progress
) -> Iterator[ExecutionResult]:
    """Run each query under a timer of the kernel, which kills this process when it runs out."""
    for place, (dialect, database, sql) in enumerate(queries):
        engine = engines[dialect]
        progress.begin(place)
        signal.setitimer(signal.ITIMER_PROF, engine.limits.cpu_seconds + engine.cpu_grace)
        result = _measured(engine, database, sql) if measured else engine.run(database, sql)
        signal.setitimer(signal.ITIMER_PROF, 0)
        yield result


def _measured(engine: Engine, database: str, sql: str) -> ExecutionResult:
    """What a query took: one row, its steps and its seconds of CPU."""
    began = time.thread_time()
    result, steps = engine.measure(database, sql)
    seconds = time.thread_time() - began
    return ExecutionResult(Status.OK, rows=((steps, seconds),)) if result.ok else result


def _answer(connection: Connection, results: Iterator[ExecutionResult], count: int, memory: float) -> None:
    replies: list[Reply] = []
    rows, since = 0, time.monotonic()
    for result in results:
        replies.append((result.status.value, result.columns, result.rows, result.error))
        rows += len(result.rows)
        count -= 1
        if count and (rows > GATHER_ROWS or time.monotonic() - since > GATHER_SECONDS):
            connection.send_bytes(dumps((replies, False, False)))
            replies, rows, since = [], 0, time.monotonic()
    connection.send_bytes(dumps((replies, True, resident_bytes() > memory)))


def resident_bytes() -> int:
    """The memory that this process holds now without mapped files; its peak where that is unknown."""
    try:
        with open("/proc/self/statm", "rb") as file:
            _, resident, shared, *_ = map(int, file.read().split())
        return (resident - shared) * resource.getpagesize()
    except FileNotFoundError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS: bytes


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
