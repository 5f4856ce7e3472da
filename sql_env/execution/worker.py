"""The program of a worker process: it runs queries and compares their results.

It reads one `sql_env.execution.messages.Request` after another from a socket, in the marshal format. It
answers in frames ``(replies, seconds of execution, seconds of comparison, retire)``, with the replies in
the order of the queries. A frame holds the replies of up to `GATHER_SECONDS`, because a message for each
reply costs more than a small query. Shared memory (`heartbeat`) holds the index and the start time of the
running query. So if the process is killed, the parent knows which query ran.
"""

from __future__ import annotations

import faulthandler
import os
import resource
import select
import signal
import threading
from collections.abc import Callable, Sequence
from marshal import dumps, loads
from socket import socket as Socket
from time import perf_counter, thread_time

from sql_env.comparison import get_comparison, unpack_gold
from sql_env.execution.connection import Connection
from sql_env.execution.engines import Engine, load_engine
from sql_env.execution.heartbeat import Heartbeat
from sql_env.execution.memory import MemoryLimit
from sql_env.execution.messages import EXIT_OUT_OF_MEMORY, UNEXPLAINED, Reply, Request, ResultMode
from sql_env.limits import Limits
from sql_env.types import ExecutionResult, Status

GATHER_SECONDS = 0.05
"""The longest time for which a reply waits for others."""

GATHER_ROWS = 2_000
"""The most rows that wait."""

MAX_ERROR = 2_000
"""The longest error message, in characters. The parent keeps it for each query."""

MAX_NAMES = 4_000
"""The most characters of all column names of a result. Beyond it each name is cut."""

_CUT_NAME = 40
_OK = Status.OK


def main(socket: int, memory: int, parent: int, limits: dict[str, float]) -> None:
    """Serve the parent. ``socket`` and ``memory`` are file descriptors."""
    _prepare(parent, socket)
    serve(Connection(Socket(fileno=socket)), Heartbeat(memory), Limits(**limits))  # type: ignore[arg-type]


def serve(connection: Connection, heartbeat: Heartbeat, limits: Limits) -> None:
    """Answer requests until the connection is closed."""
    memory = MemoryLimit(limits)
    engines: dict[str, Engine] = {}
    place = 0
    while True:
        try:
            messages = connection.receive()
        except EOFError:
            return
        for message in messages:
            request: Request = loads(message)
            for dialect in {query[1] for query in request[1]} - set(engines):
                engines[dialect] = load_engine(dialect, limits)  # before the time of a query begins
            runner = RequestRunner(engines, request, heartbeat, connection.send, memory)
            try:
                place = runner.run(place)
            except MemoryError:
                # In a new process the memory of earlier queries does not count.
                os._exit(EXIT_OUT_OF_MEMORY)


class RequestRunner:
    """Run the queries of one request."""

    def __init__(
        self,
        engines: dict[str, Engine],
        request: Request,
        heartbeat: Heartbeat,
        send: Callable[[bytes], None],
        memory: MemoryLimit,
    ) -> None:
        references, self._queries = request
        self._engines = engines
        self._heartbeat = heartbeat
        self._send = send
        self._memory = memory
        self._references = [(get_comparison(name), unpack_gold(gold)) for name, gold in references]
        self._replies: list[Reply] = []
        self._comparing = 0.0

    def run(self, place: int) -> int:
        """Run each query under a timer of the kernel, which kills this process at the CPU limit.

        Args:
            place: The number of queries that this process has run before.

        Returns:
            The number of queries that it has run now.

        Raises:
            MemoryError: Memory ran out. The replies to all earlier queries are sent.
        """
        for engine in self._engines.values():
            engine.start_request()
        left, rows = len(self._queries), 0
        began = perf_counter()
        for query in self._queries:
            self._heartbeat.begin(place)
            place += 1
            try:
                reply = self._answer(*query)
            except MemoryError:
                self._flush(began, True)
                raise
            self._replies.append(reply)
            left -= 1
            rows += len(reply[2]) if reply[2] else 0
            if left and (rows > GATHER_ROWS or perf_counter() - began > GATHER_SECONDS):
                began, rows = self._flush(began, False), 0
        signal.setitimer(signal.ITIMER_PROF, 0)
        self._flush(began, self._memory.is_near())
        return place

    def _answer(
        self, mode: int, dialect: str, database: str, sql: str, steps: int | None, references: Sequence[int]
    ) -> Reply:
        engine = self._engines[dialect]
        _arm(engine)
        taken: int | None = None
        try:
            if mode < ResultMode.GOLD:
                result = engine.run(database, sql, steps)
            elif mode == ResultMode.GOLD:
                result, taken = engine.measure(database, sql)
            else:
                result = _measured(engine, database, sql)
            if engine.out_of_memory:
                raise MemoryError
            equal = self._compare(engine, result, references) if references else ()
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - a control query decides if the query is to blame
            engine.close()
            message = f"{type(error).__name__}: {error}"[:MAX_ERROR]
            return UNEXPLAINED, (), (), message, [False] * len(references), None
        columns, kept = result.columns, None if mode == ResultMode.VERDICT else result.rows
        if len("".join(columns)) > MAX_NAMES:
            columns = tuple([name[:_CUT_NAME] for name in columns])
        return result.status.value, columns, kept, result.error[:MAX_ERROR], equal, taken

    def _compare(self, engine: Engine, result: ExecutionResult, references: Sequence[int]) -> list[bool]:
        if result.status is not _OK:
            return [False] * len(references)
        began = perf_counter()
        equal = []
        for reference in references:
            comparison, gold = self._references[reference]
            if result.rows == gold.result.rows and len(result.columns) == len(gold.result.columns):
                equal.append(True)  # under every comparison
                continue
            self._heartbeat.compare()
            _arm(engine)
            equal.append(comparison.is_equal(result, gold))
        self._comparing += perf_counter() - began
        return equal

    def _flush(self, began: float, retire: bool) -> float:
        now = perf_counter()
        self._send(dumps((self._replies, now - began - self._comparing, self._comparing, retire)))
        self._replies, self._comparing = [], 0.0
        return perf_counter()


def _arm(engine: Engine) -> None:
    # The kernel's CPU timer stops code that never returns to Python, such as one long SQL function.
    signal.setitimer(signal.ITIMER_PROF, engine.limits.cpu_seconds + engine.cpu_grace)


def _measured(engine: Engine, database: str, sql: str) -> ExecutionResult:
    """Measure a query. The only row of the result is (steps, CPU seconds)."""
    began = thread_time()
    result, steps = engine.measure(database, sql)
    seconds = thread_time() - began
    return ExecutionResult(_OK, rows=((steps, seconds),)) if result.ok else result


def _prepare(parent: int, socket: int) -> None:
    """Set up signals and limits of the process, and a thread that ends it with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which decides
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    # faulthandler writes a line before the timer kills: it shows the cause even if the exit code is lost.
    faulthandler.register(signal.SIGPROF, all_threads=False, chain=True)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGPROF})
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # no file can grow
    threading.Thread(target=_exit_with, args=(parent, socket), daemon=True).start()


def _exit_with(parent: int, socket: int) -> None:
    """End this process, even during a query, when the other end of ``socket`` is closed.

    A fork of the parent may keep that end open. So the parent's process id is checked, too.
    """
    poll = select.poll()
    poll.register(socket, 0)  # no event but a hang-up
    while not poll.poll(1_000) and os.getppid() == parent:
        pass
    os._exit(0)
