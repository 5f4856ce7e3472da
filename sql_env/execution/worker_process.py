"""The parent's side of a worker process."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from marshal import dumps, loads
from pathlib import Path

from sql_env.execution.connection import Connection
from sql_env.execution.death import Death, End, find_death
from sql_env.execution.heartbeat import Heartbeat, open_memory
from sql_env.execution.messages import UNEXPLAINED, Judgement, Reply, Request
from sql_env.execution.pending import PendingQuery
from sql_env.execution.rows import ROWS_NOT_FETCHED
from sql_env.limits import Limits
from sql_env.types import ExecutionResult, Status

_BOOT = """
import sys
sys.path[:] = {path!r}
from types import ModuleType
package = sys.modules["sql_env"] = ModuleType("sql_env")
package.__path__ = [{folder!r}]
from sql_env.execution.worker import main
main({socket}, {memory}, {parent}, {limits!r})
"""

_PACKAGE = Path(__file__).parents[1]

_BUFFER = 64 * 2**10
"""Bytes of a second request that the empty socket buffer takes for certain. A longer one is sent after the
first is answered: otherwise both processes might block in a send, each until the other reads."""

_LIVENESS_SECONDS = 1.0
"""The longest wait before a check that the process is alive and that somebody waits for its answers."""

_BUSY = 0.01
"""The share of a core that a running query uses at least, even on a machine with many more processes than
cores. A worker that uses less for the wall limit is stuck: stopped by a signal, or waiting for a disk."""

_STATUS = {status.value: status for status in Status} | {UNEXPLAINED: Status.UNAVAILABLE}


class WorkerProcess:
    """A worker process and the connection to it. `sql_env.execution.worker` runs at the other end.

    One thread owns it. Other threads may only call `kill`. `subprocess` starts it, not `multiprocessing`: so
    the user's ``__main__`` is not imported again, and no thread or CUDA context is forked.

    Args:
        limits: What a query may cost.

    Attributes:
        outstanding: The queries without an answer, in the order in which the worker runs them.
        retiring: True after its memory has grown: it gets no more queries.
    """

    def __init__(self, limits: Limits) -> None:
        self.outstanding: deque[PendingQuery] = deque()
        self.retiring = False
        self._limits = limits
        self._overdue: int | None = None  # the index of the query for which it was killed
        self._stopped = False  # by a signal, when it was killed
        self._watched = -2, 0.0, 0.0  # the index of a long query; a time, and the CPU seconds until then
        self._first_look = 0.0, 0.0  # at that query: seconds after it began, and the CPU seconds until then
        self._answered = 0
        self._held = b""  # a second request that is longer than the buffer
        self._requests: deque[int] = deque()  # the number of unanswered queries of each request
        with ExitStack() as undo, open_memory() as memory:
            ours, theirs = socket.socketpair()
            undo.callback(ours.close)
            with theirs:
                ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * _BUFFER)
                theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2 * _BUFFER)
                self._heartbeat = Heartbeat(memory.fileno())
                undo.callback(self._heartbeat.close)
                self._heartbeat.begin(-1)
                self._process = self._start(theirs.fileno(), memory.fileno())
            undo.pop_all()
        self._connection = Connection(ours)
        self._poll = select.poll()
        self._poll.register(ours, select.POLLIN)

    def _start(self, connection: int, memory: int) -> subprocess.Popen[bytes]:
        code = _BOOT.format(
            path=[entry for entry in sys.path if os.path.isabs(entry)],  # never the working directory
            folder=str(_PACKAGE),
            socket=connection,
            memory=memory,
            parent=os.getpid(),
            limits=asdict(self._limits),
        )
        return subprocess.Popen(
            [sys.executable, "-P", "-S", "-c", code],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(connection, memory),
            env={**os.environ, "TZ": "UTC"},
            start_new_session=True,  # Ctrl-C goes to the terminal's process group: the parent decides
        )

    @property
    def running(self) -> float:
        """Seconds since its last query began, or since it was sent if it has begun none."""
        return time.monotonic() - self._heartbeat.began

    @property
    def culprit(self) -> int:
        """The index in `outstanding` of the query that it began last; 0 if it began none of them."""
        return max(0, self._heartbeat.place - self._answered)

    @property
    def has_capacity(self) -> bool:
        """True if a second request can be sent while it answers the first."""
        return not self.retiring and len(self._requests) == 1

    def send(self, queries: Sequence[PendingQuery]) -> None:
        """Send queries in one request. If the process is dead, `receive` will raise."""
        self.outstanding.extend(queries)
        if not self._requests:
            self._heartbeat.touch()
        payload = dumps(_encode(queries))  # type: ignore[arg-type]
        self._requests.append(len(queries))
        if len(self._requests) > 1 and len(payload) > _BUFFER:
            self._held = payload
        else:
            self._send(payload)

    def receive(self) -> tuple[list[Judgement], float, float]:
        """Wait for answers to the oldest queries, and kill the process if its query makes no progress.

        Returns:
            The judgements, maybe none; seconds of execution; seconds of comparison.

        Raises:
            EOFError: The process is dead, and everything that it sent is received.
        """
        if self._poll.poll(1000 * min(_LIVENESS_SECONDS, self._limits.wall_seconds)):
            return self._read()
        self._watch_progress()  # before `poll`, which removes a dead process and its times
        if self._process.poll() is not None and not self._poll.poll(0):
            raise EOFError  # a fork of this process may hold the other end open, so no hang-up is seen
        return [], 0.0, 0.0

    def _watch_progress(self) -> None:
        """Kill the process if its query has used no CPU time for the wall limit.

        While it uses CPU time, the kernel's CPU timer decides. So the number of processes on the machine
        does not change a verdict.
        """
        now, (state, seconds) = time.monotonic(), self._read_state()
        place = self._heartbeat.place
        watched, since, spent = self._watched
        since = max(since, self._heartbeat.began)
        if place != watched:
            self._watched = place, self._heartbeat.began, seconds
            self._first_look = now - self._heartbeat.began, seconds
        elif now - since >= self._limits.wall_seconds and self._overdue is None:
            if seconds - spent >= _BUSY * (now - since):
                self._watched = place, now, seconds
            else:
                self._overdue, self._stopped = place, state in "Tt"
                self._process.kill()

    def _read_state(self) -> tuple[str, float]:
        """The state of the process (``T`` if a signal has stopped it), and its CPU time so far.

        ``?`` and 0 if the system does not tell.
        """
        try:
            fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return "?", 0.0
        return fields[0], (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _read(self) -> tuple[list[Judgement], float, float]:
        """Read the messages that have arrived, without waiting for the rest of a message."""
        judgements: list[Judgement] = []
        execution = comparison = 0.0
        for message in self._connection.receive(wait=False):
            replies, executing, comparing, retire = loads(message)
            judgements += map(_decode, replies)
            execution += executing
            comparison += comparing
            self.retiring = self.retiring or retire
            self._count(len(replies))
        return judgements, execution, comparison

    def _count(self, answered: int) -> None:
        """Count answers to the first request, and send the request that was held back for it."""
        self._answered += answered
        self._requests[0] -= answered
        if not self._requests[0]:
            self._requests.popleft()
            if self._held:
                self._heartbeat.touch()
                self._send(self._held)
                self._held = b""

    def _send(self, payload: bytes) -> None:
        try:
            self._connection.send(payload)
        except OSError:
            self._process.kill()

    def kill(self) -> None:
        """Kill the process. Messages that it has sent can still be received."""
        self._process.kill()

    def find_death(self) -> Death:
        """Return how the process ended, and the suspect. Call it after EOFError."""
        _, spent = self._read_state()
        try:
            code = self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        place = self._heartbeat.place
        end = End(
            code,
            self._read_errors(),
            stuck=self._overdue == place,  # otherwise that query has ended, and the next is innocent
            stopped=self._stopped,
            comparing=self._heartbeat.comparing,
            timer_possible=self._may_have_used(self._limits.cpu_seconds, spent),
        )
        return find_death(end, self._limits, began=place >= self._answered, first=place <= 0)

    def _may_have_used(self, seconds: float, spent: float) -> bool:
        """Return False if the running query cannot have used this CPU time.

        Args:
            seconds: The CPU time.
            spent: The CPU time of the process until its end; 0 if it is unknown.
        """
        if self._watched[0] == self._heartbeat.place and spent:
            late, before = self._first_look
            spent -= before
            seconds -= late  # the watch began so much later than the query
        return self.running >= 0.9 * seconds and (not spent or spent >= 0.9 * seconds)

    def close(self) -> None:
        """Kill the process, reap it and release its descriptors and memory."""
        self._process.kill()
        self._process.wait()
        self.detach()

    def detach(self) -> None:
        """Release descriptors and memory without touching the process: in a fork it is no child."""
        self._connection.close()
        self._heartbeat.close()
        if self._process.stderr is not None:
            self._process.stderr.close()
        if self._process.returncode is None:
            self._process.returncode = 0  # the process of another parent: nothing to wait for

    def _read_errors(self) -> str:
        """The text that the dead process wrote to its standard error."""
        if self._process.stderr is None:
            return ""
        os.set_blocking(self._process.stderr.fileno(), False)  # a fork may hold the other end open
        text = self._process.stderr.read(1 << 16) or b""
        return text.decode(errors="replace").strip()


def _encode(queries: Sequence[PendingQuery]) -> Request:
    """The wire format of some queries. A reference that several share is sent once."""
    indexes: dict[tuple[str, int], int] = {}
    packed: list[tuple[str, bytes]] = []
    encoded = []
    for each in queries:
        request, places = each.request, []
        for reference in request.references:
            key = reference.comparison, id(reference.gold)
            place = indexes.setdefault(key, len(packed))
            if place == len(packed):
                packed.append((reference.comparison, reference.gold.packed))
            places.append(place)
        query = request.query
        encoded.append((int(each.mode), query.dialect, query.database, query.sql, request.steps, places))
    return packed, encoded


def _decode(reply: Reply) -> Judgement:
    status, columns, rows, error, equal, steps = reply
    kept = ROWS_NOT_FETCHED if rows is None and status == "ok" else rows or ()
    result = ExecutionResult(_STATUS[status], columns, kept, error)
    return Judgement(result, tuple(equal), steps, status == UNEXPLAINED)
