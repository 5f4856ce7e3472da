"""A pool of worker processes. One thread drives each process.

A caller puts its call into a queue and waits. The threads of the pool do everything else: only they change
the shared state. Python delivers signals to the main thread only. So Ctrl-C cannot leave the shared state
half changed.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from queue import SimpleQueue

from sql_env.errors import ClosedError, SQLEnvError
from sql_env.execution.blame import explain, find_result
from sql_env.execution.fork import register_for_fork
from sql_env.execution.messages import Judgement, JudgeRequest, ResultMode
from sql_env.execution.pending import MIN_CHUNK, Backlog, Call, PendingQuery
from sql_env.execution.stats import ExecutorStats
from sql_env.execution.worker_process import WorkerProcess
from sql_env.limits import Limits
from sql_env.types import ExecutionResult, Status

MAX_IDLE_DEATHS = 100
"""Deaths in a row of workers that have begun no query, before the calls fail."""


class WorkerPool:
    """Up to ``size`` worker processes, and the calls that wait for them.

    Threads and processes start with the first call that needs them. After a fork, the pool of the child is
    empty and starts its own.

    If a query fails in a way that has no known cause (its worker crashes, makes no progress or is killed, or
    the engine raises an unknown error), it runs again in a new worker, after a control query. Nobody can
    choose to be masked by such a failure: if the control works each time and the query fails each time, the
    query is to blame. If the control fails, too, the result is ``unavailable``.
    """

    def __init__(self, limits: Limits, size: int) -> None:
        self.limits = limits
        self.size = size
        self.closed = False
        self.stats = ExecutorStats()
        self._reset()
        register_for_fork(self)

    def _reset(self) -> None:
        # The lock guards all fields below. Only the pool's threads take it (and `close`, after they ended).
        self._lock = threading.Lock()
        self._inbox: SimpleQueue[Call | None] = SimpleQueue()  # None wakes a thread
        self._idle = 0  # waiting threads that nobody has sent a wake-up
        self._threads: list[threading.Thread] = []
        self._processes: list[WorkerProcess | None] = [None] * self.size
        self._small, self._large = Backlog(self.size), Backlog(self.size)
        self._isolated: deque[list[PendingQuery]] = deque()  # each runs in a new worker
        self._idle_deaths = 0  # in a row, of workers that have begun no query
        self._isolated_last = [False] * self.size  # the last queries of each worker were isolated
        self._small_last = [False] * self.size  # the last request of each worker was from a small call
        self._in_flight: dict[object, PendingQuery] = {}
        self._calls: set[Call] = set()

    @property
    def processes(self) -> list[WorkerProcess]:
        """The worker processes that run now."""
        return [process for process in self._processes if process is not None]

    def run(self, requests: Sequence[JudgeRequest], mode: ResultMode) -> list[Judgement]:
        """Run all requests and return their judgements in the same order.

        Raises:
            ClosedError: The pool is closed, or was closed during the call.
            SQLEnvError: Worker processes cannot be started.
        """
        if self.closed:
            raise ClosedError("the executor is closed")
        if not requests:
            return []
        call = Call(requests, mode)
        try:
            if not self._threads:
                self._start_thread()
            self._inbox.put(call)
            if self.closed:  # `close` may have emptied the inbox before
                raise ClosedError("the executor was closed while it ran queries")
            call.done.acquire()
        except BaseException:  # the caller was interrupted: the threads drop what nobody waits for
            call.abandoned = True
            raise
        if call.error is not None:
            raise call.error
        return [query.judgement for query in call.queries if query.judgement is not None]

    def close(self) -> None:
        """Kill all workers and end all threads. Calls that wait get a `ClosedError`."""
        self.closed = True
        for process in self.processes:
            process.kill()
        for _ in range(self.size):
            self._inbox.put(None)
        if threading.current_thread() in self._threads:
            return  # the garbage collector calls this in a pool thread, which may hold the lock
        for thread in list(self._threads):
            thread.join()
        with self._lock:
            self._receive_calls()
            self._fail_calls(ClosedError, "the executor was closed while it ran queries")

    def reset_after_fork(self) -> None:
        """Drop the workers of the parent, in a forked child. They continue for the parent."""
        for process in self.processes:
            process.detach()
        self._reset()

    # Threads

    def _start_thread(self) -> None:
        try:
            threading.Thread(target=self._serve, daemon=True, name="sql-env").start()
        except RuntimeError as error:  # the system allows no more threads
            if not self._threads:  # otherwise the others do its work
                raise SQLEnvError(f"a thread of the worker pool could not start: {error}") from None

    def _serve(self) -> None:
        """Drive one worker until the pool closes. If there are ``size`` threads already, this one ends."""
        with self._lock:
            # The thread registers itself. So an interrupted caller may start one too many, but loses none.
            number = len(self._threads)
            if self.closed or number == self.size:
                return
            self._threads.append(threading.current_thread())
        try:
            while self._serve_once(number):
                pass
        except Exception as error:
            # This is a defect of the pool. No caller may wait for a thread that has ended.
            self.closed = True
            with self._lock:
                self._receive_calls()
                self._fail_calls(SQLEnvError, f"the worker pool failed: {type(error).__name__}: {error}")
            raise
        finally:
            self._end_process(number)

    def _serve_once(self, number: int) -> bool:
        """Wait for queries and run them. Return False if the pool is closed.

        This is a function of its own so that the results are freed before the next wait.
        """
        queries = self._wait_for_queries(number)
        if queries:
            self._drive(number, queries)
        return bool(queries)

    def _wait_for_queries(self, number: int) -> list[PendingQuery]:
        """Take queries for a worker, as soon as there are some. Empty when the pool is closed."""
        while not self.closed:
            with self._lock:
                self._receive_calls()
                # Isolated queries are slow, so they take turns with the others.
                first, second = self._take_isolated, self._take
                if self._isolated_last[number]:
                    first, second = second, first
                if queries := first(number) or second(number):
                    return queries
                self._idle += 1
            call = self._inbox.get()
            if call is not None:
                with self._lock:
                    self._idle -= 1  # the sender of a wake-up has done it already
                    self._add_call(call)
        return []

    def _take(self, number: int) -> list[PendingQuery]:
        """Take queries, and wake another thread if more are left. Small and large calls take turns."""
        queries: list[PendingQuery] = []
        self._isolated_last[number] = False
        while not queries and (self._small.count or self._large.count):
            small = self._small.count > 0 and not (self._small_last[number] and self._large.count)
            self._small_last[number] = small
            queries = (self._small if small else self._large).take(number)
            if any(call.abandoned for call in self._calls):
                self._abandon(query for query in queries if query.abandoned)
                queries = [query for query in queries if not query.abandoned]
        self._wake()
        return queries

    def _take_isolated(self, number: int) -> list[PendingQuery]:
        """Take queries that need a new worker, and end the worker of this thread."""
        queries = self._isolated.popleft() if self._isolated else []
        if queries and queries[-1].abandoned:
            self._abandon(queries)
            return []
        self._isolated_last[number] = bool(queries)
        if queries:
            self._end_process(number)
            self._wake()
        return queries

    def _wake(self) -> None:
        """Wake or start another thread if there are queries for it. It wakes the next one in turn."""
        if self._small.count or self._large.count or self._isolated:
            if self._idle > 0:
                self._idle -= 1
                self._inbox.put(None)
            elif len(self._threads) < self.size:
                self._start_thread()

    def _drive(self, number: int, queries: list[PendingQuery]) -> None:
        """Send queries to a worker and settle them, until it has none."""
        process = self._processes[number]
        if process is None:
            try:
                process = self._start_process(number)
            except OSError as error:
                with self._lock:
                    self._fail_calls(SQLEnvError, f"a worker process could not start: {error}")
                return
        if queries[0].subject is not None:
            # A request of its own: so the answer to the control is here before the next query begins.
            process.send(queries[:1])
            queries = queries[1:]
        process.send(queries)
        while process.outstanding:
            # A second request waits in the socket, so that the worker need not wait for its next one.
            if process.has_capacity and self._small.count + self._large.count >= MIN_CHUNK * self.size:
                with self._lock:
                    more = self._take(number)
                if more:
                    process.send(more)
            try:
                judgements, execution, comparison = process.receive()
            except EOFError:
                self._replace(number, process)
                return
            with self._lock:
                self._receive_calls()  # a call that waits may contain a query that is answered now
                self._wake()
                self.stats.executing += execution
                self.stats.comparing += comparison
                self._idle_deaths = 0 if judgements else self._idle_deaths
                for judgement in judgements:
                    self._settle(process.outstanding.popleft(), judgement)
                if not judgements and all(query.abandoned for query in process.outstanding):
                    self._abandon(process.outstanding)
                    self.stats.killed += 1
                    self._end_process(number)
                    return
        if process.retiring:
            with self._lock:
                self.stats.retired += 1
            self._end_process(number)

    def _start_process(self, number: int) -> WorkerProcess:
        process = self._processes[number] = WorkerProcess(self.limits)
        with self._lock:
            self.stats.started += 1
        if self.closed:  # `close` did not see this process
            process.kill()
        return process

    def _end_process(self, number: int) -> None:
        process, self._processes[number] = self._processes[number], None
        if process is not None:
            process.close()

    def _replace(self, number: int, process: WorkerProcess) -> None:
        """Decide about the query that a dead worker ran, and put the others back."""
        if self.closed:
            return
        death, queries = process.find_death(), list(process.outstanding)
        with self._lock:
            self.stats.killed += 1
            self.stats.executing += process.running
            culprit = queries.pop(process.culprit) if death.began else None
            self._end_process(number)
            self._idle_deaths += culprit is None
            if death.failed_to_start or self._idle_deaths > MAX_IDLE_DEATHS:
                self._fail_calls(SQLEnvError, f"a worker process could not start: {death.reason}")
                return
            if culprit is not None and culprit.subject in queries:
                queries.remove(culprit.subject)  # `_run_again` adds it, with a new control
            for query in queries:
                if query.failures:
                    self._run_again(query)
                elif query.subject is None:
                    self._large.add(query)
            if culprit is not None:
                query = culprit.subject or culprit
                self._decide(query, find_result(culprit, death))

    def _decide(self, query: PendingQuery, result: ExecutionResult | None) -> None:
        """Settle a query that has failed, or run it again if there is no result."""
        if result is None:
            self._run_again(query)
        else:
            self._settle(query, Judgement(result, (False,) * len(query.request.references)))

    def _run_again(self, query: PendingQuery) -> None:
        """Run a query in a new worker, and its control query before it if the query is in doubt."""
        in_doubt = query.failures or query.interruptions
        self._isolated.append([query.make_control(), query] if in_doubt else [query])

    # Calls. The lock is held.

    def _receive_calls(self) -> None:
        """Add the calls that wait in the inbox."""
        while not self._inbox.empty():
            call = self._inbox.get_nowait()
            if call is None:
                self._idle += 1  # taken here, so the thread that it was for still waits
            else:
                self._add_call(call)

    def _add_call(self, call: Call) -> None:
        self._calls.add(call)
        backlog = self._small if len(call.requests) < MIN_CHUNK else self._large
        for request in call.requests:
            new = PendingQuery(request, call.mode)
            # Measurements of a cost are never shared.
            query = new if call.mode is ResultMode.COST else self._in_flight.setdefault(new.key, new)
            if query is new:
                backlog.add(query)
            else:
                self.stats.shared += 1
            query.calls.append(call)
            call.queries.append(query)
        call.left = len(call.requests)

    def _settle(self, query: PendingQuery, judgement: Judgement) -> None:
        """Give a judgement to all calls that wait for it."""
        if judgement.unexplained and query.subject is None:
            self._decide(query, explain(query, judgement.result))
            return
        query.judgement = judgement
        if query.subject is not None:
            return  # a control query
        self._forget_key(query)
        self.stats.executed += 1
        if judgement.result.status is not Status.OK:
            self.stats.ended[judgement.result.status] += 1
        for call in query.calls:
            call.left -= 1
            if not call.left and call.error is None:
                self.stats.waiting += time.perf_counter() - call.began
                self._calls.discard(call)
                call.done.release()

    def _abandon(self, queries: Iterable[PendingQuery]) -> None:
        """Drop queries that no caller waits for."""
        for query in queries:
            self._forget_key(query)
            for call in query.calls if query.subject is None else ():
                call.left -= 1
                if not call.left:  # until then, other queries of the call wait in the backlog
                    self._calls.discard(call)

    def _forget_key(self, query: PendingQuery) -> None:
        if self._in_flight.get(query.key) is query:
            del self._in_flight[query.key]

    def _fail_calls(self, kind: type[Exception], message: str) -> None:
        """End all calls. Each gets its own exception object, so that tracebacks do not mix."""
        for call in self._calls:
            call.fail(kind(message))
        self._calls.clear()
        self._in_flight.clear()
        self._isolated.clear()
        self._small, self._large = Backlog(self.size), Backlog(self.size)
