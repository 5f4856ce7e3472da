"""The jobs of all calls, spread over the workers, whoever it is that drives them."""

from __future__ import annotations

import os
import select
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence

from sql_env.errors import ClosedError, SQLEnvError
from sql_env.execution.fork import forget_in_forks
from sql_env.execution.messages import Job, Judgement, JudgeRequest, ResultMode
from sql_env.execution.process import WorkerProcess
from sql_env.execution.stats import ExecutorStats
from sql_env.execution.ticket import Ticket
from sql_env.limits import Limits
from sql_env.types import ExecutionResult, Status

CHUNK = 64
"""Queries that are sent to a worker at once, at most. More would leave a worker alone with many
slow ones; fewer cost more messages."""

_AHEAD = 8  # queries that are worth a message, while no other worker could do with them
_LOOK_AFTER = 1.0  # seconds after which to look whether a silent worker is alive


class WorkerPool:
    """Up to ``size`` workers, started when they are first needed, and the calls that wait for them.

    There is no thread of its own: one of the calls leads, which is to say that it sends jobs to workers and
    receives judgements, for all. When its own are done, another takes over. So a single caller waits for
    nobody, and what many threads ask at the same time travels together; a query that one of them asks
    while it runs for another is not run again.

    A call may be interrupted anywhere, by a signal's handler say. What it did is then counted anew from
    what is known: the calls that wait, and what healthy workers have.

    A fork of this process does not share its workers: it starts its own.
    """

    def __init__(self, limits: Limits, size: int) -> None:
        self.limits = limits
        self.size = size
        self.closed = False
        self.stats = ExecutorStats()
        self._begin()
        forget_in_forks(self)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._leader: Ticket | None = None
        self._tickets: OrderedDict[Ticket, None] = OrderedDict()
        self._flying: dict[object, Job] = {}
        self._workers: dict[int, WorkerProcess] = {}  # by the file descriptor of their line
        self._woken, self._waker = os.pipe()
        self._hungry = False  # whether some worker could do with more
        for end in (self._woken, self._waker):
            os.set_blocking(end, False)
        self._watch()

    def run(self, cases: Sequence[JudgeRequest], ask: ResultMode) -> list[Judgement]:
        """Run all cases and return what came of them, in order.

        Raises:
            ClosedError: The dispatcher was closed meanwhile.
            SQLEnvError: Workers cannot be started.
        """
        ticket, began = Ticket(self.size), time.perf_counter()
        try:
            self._enqueue(ticket, cases, ask)
            while not self._done(ticket):
                if self._leader is ticket:
                    self._lead(ticket)
                else:
                    ticket.wake.wait()
                    ticket.wake.clear()
            self._leave(ticket, began)
        except BaseException:  # wherever it struck, in `_leave` maybe
            self._mend(ticket)
            raise
        return [job.judgement for job in ticket.jobs if job.judgement is not None]

    def close(self) -> None:
        """Kill all workers. A call that waits for one gets a `ClosedError`."""
        with self._lock:
            self.closed = True
            for worker in self._workers.values():
                worker.kill()
            for ticket in self._tickets:
                ticket.wake.set()
            if self._leader in self._tickets:
                self._wake_leader()
            else:
                self._bury(list(self._workers.values()))
                self._let_go()

    def forget(self) -> None:
        """In a fork of the process that made the workers: let go of them without harm."""
        for worker in self._workers.values():
            worker.abandon()
        if not self.closed:
            self._let_go()
            self._begin()

    # Joining and leaving

    def _enqueue(self, ticket: Ticket, cases: Sequence[JudgeRequest], ask: ResultMode) -> None:
        with self._lock:
            if self.closed:
                raise ClosedError("the executor is closed")
            self._tickets[ticket] = None
            for case in cases:
                key = _key(case, ask)
                job = self._flying.get(key)
                if job is None:
                    job = Job(case, ask)
                    if ask is not ResultMode.COST:  # which is asked twice to be measured twice
                        self._flying[key] = job
                    ticket.queue(job)
                else:
                    self.stats.shared += 1
                job.tickets.append(ticket)
                ticket.jobs.append(job)
                ticket.left += 1
            if self._hungry:
                self._wake_leader()

    def _done(self, ticket: Ticket) -> bool:
        """Whether a call may return. If not, it leads from here on where nobody else does."""
        with self._lock:
            if self.closed:
                raise ClosedError("the executor was closed while it ran queries")
            if ticket.error is not None:
                raise ticket.error
            if ticket.left and self._leader not in self._tickets:
                self._leader = ticket
            return not ticket.left

    def _leave(self, ticket: Ticket, began: float) -> None:
        """A call returns."""
        with self._lock:
            self.stats.waiting += time.perf_counter() - began
            self._tickets.pop(ticket, None)
            self._hand_over()

    def _hand_over(self) -> None:
        """Let another call lead, unless one does."""
        if self._leader in self._tickets:
            return
        self._leader, self._hungry = None, False
        if self.closed:
            self._bury(list(self._workers.values()))
            self._let_go()
        for ticket in self._tickets:
            ticket.wake.set()
            break

    def _mend(self, ticket: Ticket) -> None:
        """Something has ended a call in whatever it was doing: leave nothing half done."""
        doomed = []
        with self._lock:
            self._tickets.pop(ticket, None)
            if self._leader not in self._tickets:  # what it was doing to the workers is not known
                doomed = [
                    worker for worker in self._workers.values() if worker.outstanding or not worker.sound
                ]
                self._workers = {fd: each for fd, each in self._workers.items() if each not in doomed}
                self._watch()
            if not self.closed:
                self._recount()
            self._hand_over()
        for worker in doomed:
            worker.bury()

    def _watch(self) -> None:
        """Poll the workers that there are."""
        self._poll = select.poll()
        for end in (self._woken, *self._workers):
            if end >= 0:
                self._poll.register(end, select.POLLIN)

    def _recount(self) -> None:
        """Find out anew which jobs are left, for whom, and which of them no worker has."""
        held = {job for worker in self._workers.values() for job in worker.outstanding}
        for job in held:
            job.tickets = []
        for ticket in self._tickets:
            ticket.clear()
            for job in ticket.jobs:
                job.tickets = []
        left: dict[Job, None] = {}
        for ticket in self._tickets:
            for job in ticket.jobs:
                if job.judgement is None:
                    left[job] = None
                    job.tickets.append(ticket)
                    ticket.left += 1
            if not ticket.left:
                ticket.wake.set()
        self._flying = {_key(job.case, job.ask): job for job in left if job.ask is not ResultMode.COST}
        for job in left:
            if job not in held:
                job.tickets[0].queue(job)

    # Leading

    def _lead(self, ticket: Ticket) -> None:
        """Drive the workers until a call's jobs are done."""
        while ticket.left and not self.closed and ticket.error is None:
            if not self._dispatch():
                self._collect()

    def _dispatch(self) -> bool:
        """Send what waits to workers that have room. True where there is no call left to lead."""
        while True:
            with self._lock:
                found = None if self.closed else self._next()
                self._hungry = found is None and self._has_room()
                if found is None:
                    return self.closed
                worker, jobs = found
            if worker is None:
                self._start()
            else:
                worker.send(jobs)

    def _next(self) -> tuple[WorkerProcess | None, list[Job]] | None:
        """A worker that has room and jobs for it; no worker where another should be started."""
        waiting = sum(ticket.waiting for ticket in self._tickets)
        if not waiting:
            return None
        fair = -(-waiting // self.size)
        size = min(CHUNK, max(waiting // (4 * self.size), min(_AHEAD, fair)))
        free = [worker for worker in self._workers.values() if not worker.outstanding]
        if not free and len(self._workers) < self.size:
            return None, []
        if not free and waiting >= _AHEAD * self.size:
            free = [worker for worker in self._workers.values() if worker.may_have_more]
        if not free:
            return None
        worker = free[0]
        jobs: list[Job] = []
        share = max(1, size // len(self._tickets))
        for ticket in list(self._tickets):
            if len(jobs) >= size:
                break
            if ticket.waiting:
                jobs += ticket.take(worker.slot, share)
                self._tickets.move_to_end(ticket)
        worker.outstanding.extend(jobs)
        return worker, jobs

    def _has_room(self) -> bool:
        return len(self._workers) < self.size or any(not w.outstanding for w in self._workers.values())

    def _start(self) -> None:
        taken = {worker.slot for worker in self._workers.values()}
        try:
            worker = WorkerProcess(self.limits, next(slot for slot in range(self.size) if slot not in taken))
        except OSError as error:
            raise SQLEnvError(f"a worker process could not start: {error}") from error
        with self._lock:
            self._workers[worker.line] = worker
            self._poll.register(worker.line, select.POLLIN)
            self.stats.started += 1
            if self.closed:  # by a thread that did not see this one
                worker.kill()

    def _collect(self) -> None:
        """Wait until a worker has something to say, is overdue or dead, or a call has joined."""
        busy = [worker for worker in self._workers.values() if worker.outstanding]
        patience = min((worker.deadline for worker in busy), default=0.0) - time.monotonic()
        ready = [fd for fd, _ in self._poll.poll(1000 * min(max(0.0, patience), _LOOK_AFTER))]
        for fd in ready:
            if fd == self._woken:
                os.read(self._woken, 4096)
            else:
                self._receive(self._workers[fd])
        for worker in busy:
            if not worker.outstanding or worker.line in ready:
                continue
            worker.kill_if_overdue()
            if not ready and worker.died:
                self._lost(worker)

    def _receive(self, worker: WorkerProcess) -> None:
        try:
            judgements, execution, comparison = worker.receive()
        except EOFError:
            self._lost(worker)
            return
        with self._lock:
            self.stats.executing += execution
            self.stats.comparing += comparison
            for judgement in judgements:
                self._settle(worker.outstanding.popleft(), judgement)
            if worker.retiring and not worker.outstanding:
                self.stats.retired += 1
                self._bury([worker])

    def _settle(self, job: Job, judgement: Judgement) -> None:
        """A job is done, for all that wait for it."""
        job.judgement = judgement
        key = _key(job.case, job.ask)
        if self._flying.get(key) is job:
            del self._flying[key]
        self.stats.executed += 1
        if judgement.result.status is not Status.OK:
            self.stats.ended[judgement.result.status] += 1
        for ticket in job.tickets:
            ticket.left -= 1
            if not ticket.left:
                ticket.wake.set()
        job.tickets = []

    def _lost(self, worker: WorkerProcess) -> None:
        """A worker died: give a verdict on what it was running, and run the rest elsewhere."""
        if self.closed:
            return
        verdict, jobs = worker.verdict(), list(worker.outstanding)
        seconds = worker.running
        with self._lock:
            self.stats.killed += 1
            culprit = jobs.pop(worker.culprit) if jobs else None
            words, failed = worker.last_words, worker.failed_to_start
            self._bury([worker])
            if culprit is None:
                return
            self.stats.executing += seconds
            if failed:
                for ticket in self._tickets:
                    ticket.error = SQLEnvError(f"a worker process could not start: {words}")
                    ticket.wake.set()
                jobs.append(culprit)
            elif verdict is None and culprit.retried:
                verdict = ExecutionResult(Status.UNAVAILABLE, error=f"its worker died twice: {words}")
            if verdict is None and not failed:
                culprit.retried = True
                jobs.append(culprit)
            elif verdict is not None:
                self._settle(culprit, Judgement(verdict, (False,) * len(culprit.case.references)))
            for job in jobs:
                if job.tickets:
                    job.tickets[0].queue(job)

    def _bury(self, workers: Iterable[WorkerProcess]) -> None:
        for worker in workers:
            worker.bury()
            self._poll.unregister(worker.line)
            del self._workers[worker.line]

    def _wake_leader(self) -> None:
        self._hungry = False
        try:
            os.write(self._waker, b".")
        except BlockingIOError:  # it is full: the leader will wake
            return

    def _let_go(self) -> None:
        """Close the pipe that wakes the leader. Once is enough."""
        for end in (self._woken, self._waker):
            if end >= 0:
                os.close(end)
        self._woken = self._waker = -1


def _key(case: JudgeRequest, ask: ResultMode) -> object:
    """What makes two jobs the same. Golds are told apart by what they are, not by what they hold."""
    if not case.references:
        return ask, case.query, case.steps
    return ask, case.query, case.steps, tuple([(id(r.gold), r.comparison) for r in case.references])
