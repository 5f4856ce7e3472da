"""A worker process, seen from its parent."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from marshal import dumps, loads
from pathlib import Path

from sql_env.execution.connection import Connection
from sql_env.execution.heartbeat import Heartbeat
from sql_env.execution.messages import Job, Judgement, Reply, Request
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

_FITS = 64 * 2**10
"""Bytes of a request that fit into an empty line. A longer one waits until the worker reads it: else each
might wait for the other to read."""

_NAMES = {int(each): each.name for each in signal.Signals}
_STATUS = {status.value: status for status in Status}
_TIMER_RANG = "most recent call first"
"""What faulthandler writes, unlike Python, when the kernel's CPU timer kills a worker."""


class WorkerProcess:
    """A worker process and the line to it; `sql_env.execution.worker` is what runs at the other end.

    It is started by `subprocess`, not by `multiprocessing`: nothing of the user's ``__main__`` is
    imported again, and no thread or CUDA context is forked.

    Args:
        limits: What a query may cost.
        slot: Which of its fellows it is, counted from 0.

    Attributes:
        slot: Which of its fellows it is.
        line: The file descriptor where its frames arrive.
        outstanding: The jobs that it has not answered yet, in its order.
        retiring: Whether it has grown, and is to get no more jobs.
        last_words: After its death, how it died.
        failed_to_start: After its death, whether it was by a Python error before any query.
    """

    def __init__(self, limits: Limits, slot: int = 0) -> None:
        self.slot = slot
        self.outstanding: deque[Job] = deque()
        self.retiring = False
        self.last_words = ""
        self.failed_to_start = False
        self._limits = limits
        self._overdue: int | None = None  # the place of a query for which it was killed
        self._answered = 0
        self._held = b""  # a request too long to be sent before the one before it is answered
        self._requests: deque[int] = deque()  # how many jobs of each are not answered yet
        with ExitStack() as undo, tempfile.TemporaryFile() as memory:
            ours, theirs = socket.socketpair()
            undo.callback(ours.close)
            with theirs:
                ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * _FITS)
                theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2 * _FITS)
                memory.truncate(Heartbeat.SIZE)
                self._progress = Heartbeat(memory.fileno())
                undo.callback(self._progress.close)
                self._progress.begin(-1)
                self._process = self._start(theirs.fileno(), memory.fileno())
            undo.pop_all()
        self._line = Connection(ours)
        self.line = ours.fileno()

    def _start(self, line: int, memory: int) -> subprocess.Popen[bytes]:
        code = _BOOT.format(
            path=[entry for entry in sys.path if os.path.isabs(entry)],  # never the working directory
            folder=str(_PACKAGE),
            socket=line,
            memory=memory,
            parent=os.getpid(),
            limits=asdict(self._limits),
        )
        return subprocess.Popen(
            [sys.executable, "-P", "-S", "-c", code],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(line, memory),
            env={**os.environ, "TZ": "UTC"},
            start_new_session=True,  # Ctrl-C goes to the terminal's process group
        )

    @property
    def deadline(self) -> float:
        """When the running query must have ended, on the monotonic clock."""
        return float("inf") if self._overdue is not None else self._progress.began + self._limits.wall_seconds

    @property
    def running(self) -> float:
        """Seconds since its last query began, or since it was sent where it has begun none."""
        return time.monotonic() - self._progress.began

    @property
    def died(self) -> bool:
        """Whether it has ended and all that it sent is received.

        Its line tells as much, unless a fork of this process holds the other end open.
        """
        return self._process.poll() is not None and not self._line.has_arrived()

    @property
    def culprit(self) -> int:
        """Which of the outstanding jobs it began last; the first where it began none of them."""
        return max(0, self._progress.place - self._answered)

    @property
    def sound(self) -> bool:
        """Whether it can be given jobs, as far as is known here."""
        return not self.retiring and self._line.fileno() >= 0

    @property
    def may_have_more(self) -> bool:
        """Whether it could be sent another request while it is at one, and neither side would block."""
        return not self.retiring and len(self._requests) == 1

    def send(self, jobs: Sequence[Job]) -> None:
        """Give it jobs, which are outstanding already. Where it is dead, `receive` will tell."""
        if not self._requests:
            self._progress.touch()
        payload = dumps(_request(jobs))  # type: ignore[arg-type]
        self._requests.append(len(jobs))
        if len(self._requests) > 1 and len(payload) > _FITS:
            self._held = payload
        else:
            self._send(payload)

    def receive(self) -> tuple[list[Judgement], float, float]:
        """What has arrived, maybe nothing: what came of the jobs that it has had longest, and what they took.

        Returns:
            Judgements, seconds of execution, seconds of comparison.

        Raises:
            EOFError: The worker is dead.
        """
        judgements: list[Judgement] = []
        seconds = [0.0, 0.0]
        for message in self._line.receive(wait=False):
            replies, execution, comparison, retire = loads(message)
            judgements += map(_judgement, replies)
            seconds = [seconds[0] + execution, seconds[1] + comparison]
            self.retiring = self.retiring or retire
            self._count(len(replies))
        return judgements, seconds[0], seconds[1]

    def _count(self, answered: int) -> None:
        """Note that so many jobs of the first request are answered."""
        self._answered += answered
        self._requests[0] -= answered
        if not self._requests[0]:
            self._requests.popleft()
            if self._held:
                self._progress.touch()
                self._send(self._held)
                self._held = b""

    def _send(self, payload: bytes) -> None:
        try:
            self._line.send(payload)
        except OSError:
            self._process.kill()

    def kill(self) -> None:
        """Kill it. What it had sent can still be received."""
        self._process.kill()

    def kill_if_overdue(self) -> None:
        """Kill it where the running query should have ended by now. It may end at this moment."""
        place = self._progress.place
        if self.deadline <= time.monotonic():
            self._overdue = place
            self._process.kill()

    def verdict(self) -> ExecutionResult | None:
        """What its death says about the query that it was running; None for nothing.

        Call it when `receive` has raised.
        """
        try:
            code = self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        said = self._read_errors()
        self.last_words = (
            f"killed by {_NAMES.get(-code, f'signal {-code}')}"
            if code < 0
            else said.rpartition("\n")[2] or "its exit status is lost"
        )
        self.failed_to_start = code > 0 and self._progress.place < 0
        if self._overdue == self._progress.place:  # else that one had just ended, and the next is innocent
            return ExecutionResult(Status.UNAVAILABLE, error=f"no end within {self._limits.wall_seconds} s")
        if code == -signal.SIGPROF or _TIMER_RANG in said:  # a handler of SIGCHLD may have taken the code
            if self._progress.comparing:
                return ExecutionResult(
                    Status.UNAVAILABLE, error="its result could not be compared: too large"
                )
            return ExecutionResult(Status.TIMEOUT, error=f"more than {self._limits.cpu_seconds} s of CPU")
        return None

    def bury(self) -> None:
        """Kill it if need be, and let go of all that it held."""
        self._process.kill()
        self._process.wait()
        self.abandon()

    def abandon(self) -> None:
        """Let go of it without touching the process itself."""
        self._line.close()
        self._progress.close()
        if self._process.stderr is not None:
            self._process.stderr.close()
        if self._process.returncode is None:
            self._process.returncode = 0  # another process's child: nothing to wait for

    def _read_errors(self) -> str:
        """What the dead worker wrote to its standard error."""
        if self._process.stderr is None:
            return ""
        os.set_blocking(self._process.stderr.fileno(), False)  # some fork may hold the other end open
        text = self._process.stderr.read(1 << 16) or b""
        return text.decode(errors="replace").strip()


def _request(jobs: Sequence[Job]) -> Request:
    """What is sent for some jobs. A reference that several share is sent once."""
    references: dict[tuple[str, int], int] = {}
    packed: list[tuple[str, bytes]] = []
    asked = []
    for job in jobs:
        query, places = job.case.query, []
        for reference in job.case.references:
            key = reference.comparison, id(reference.gold)
            place = references.setdefault(key, len(packed))
            if place == len(packed):
                packed.append((reference.comparison, reference.gold.packed))
            places.append(place)
        asked.append((int(job.ask), query.dialect, query.database, query.sql, job.case.steps, places))
    return packed, asked


def _judgement(reply: Reply) -> Judgement:
    status, columns, rows, error, equal, steps = reply
    kept = ROWS_NOT_FETCHED if rows is None and status == "ok" else rows or ()
    return Judgement(ExecutionResult(_STATUS[status], columns, kept, error), tuple(equal), steps)
