"""A worker process, seen from its parent."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from marshal import dumps, loads
from multiprocessing.connection import Connection

import sql_env
from sql_env.limits import Limits
from sql_env.progress import Progress
from sql_env.types import ExecutionResult, Query, Status
from sql_env.worker import Reply

_BOOT = """
import sys
sys.path[:] = {path!r}
from importlib.util import module_from_spec, spec_from_file_location
spec = spec_from_file_location("sql_env", {file!r})
sys.modules["sql_env"] = module_from_spec(spec)
spec.loader.exec_module(sys.modules["sql_env"])
from sql_env.worker import main
main({socket}, {memory}, {parent}, {limits!r})
"""

_TIMER_RANG = "most recent call first"
"""What faulthandler writes, unlike Python, when the kernel's CPU timer kills a worker."""


class Worker:
    """A worker process and the line to it; `sql_env.worker` is what runs at the other end.

    It is started by `subprocess`, not by `multiprocessing`: nothing of the user's ``__main__`` is
    imported again, and no thread or CUDA context is forked.

    Attributes:
        connection: Where its frames arrive.
        last: The dialect and database of its last query, whose connection is warm.
        last_words: After its death, how it died.
        failed_to_start: After its death, whether it was by a Python error before any query.
    """

    def __init__(self, limits: Limits) -> None:
        self.last: tuple[str, str] | None = None
        self.last_words = ""
        self.failed_to_start = False
        self._limits = limits
        self._overdue = False
        ours, theirs = socket.socketpair()
        with theirs, tempfile.TemporaryFile() as memory:
            memory.truncate(Progress.SIZE)
            self._progress = Progress(memory.fileno())
            self._process = self._start(theirs.fileno(), memory.fileno())
        self.connection = Connection(ours.detach())

    def _start(self, line: int, memory: int) -> subprocess.Popen[bytes]:
        code = _BOOT.format(
            path=[entry for entry in sys.path if os.path.isabs(entry)],  # never the working directory
            file=sql_env.__file__,
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
            env={**os.environ, "SQL_ENV_WORKER": "1", "TZ": "UTC"},
            start_new_session=True,  # Ctrl-C goes to the terminal's process group
        )

    @property
    def deadline(self) -> float:
        """When the running query must have ended, on the monotonic clock."""
        return float("inf") if self._overdue else self._progress.began + self._limits.wall_seconds

    @property
    def died(self) -> bool:
        """Whether it has ended and all that it sent is received.

        Its line tells as much, unless a fork of this process holds the other end open.
        """
        return self._process.poll() is not None and not self.connection.poll()

    @property
    def place(self) -> int:
        """The place in its chunk of the query that it began last; -1 before the first."""
        return self._progress.place

    def send(self, queries: Sequence[Query], measured: bool) -> None:
        """Give it a chunk to run, or to measure. Where it is dead already, `receive` will tell."""
        self.last = queries[-1].dialect, queries[-1].database
        self._progress.begin(-1)
        try:
            self.connection.send_bytes(
                dumps((measured, [(query.dialect, query.database, query.sql) for query in queries]))
            )
        except OSError:
            self._process.kill()

    def receive(self) -> tuple[list[Reply], bool, bool]:
        """The next frame: replies, whether the chunk is done, whether to replace the worker.

        Raises:
            EOFError: The worker is dead.
        """
        try:
            replies, last, retire = loads(self.connection.recv_bytes())
        except OSError:
            raise EOFError from None
        return replies, last, retire

    def kill(self, overdue: bool = False) -> None:
        """Kill it. What it had sent can still be received."""
        self._overdue = self._overdue or overdue
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
            f"killed by {signal.Signals(-code).name}"
            if code < 0
            else said.rpartition("\n")[2] or "its exit status is lost"
        )
        self.failed_to_start = code > 0 and self.place < 0
        if self._overdue:
            return ExecutionResult(Status.UNAVAILABLE, error=f"no end within {self._limits.wall_seconds} s")
        if code == -signal.SIGPROF or _TIMER_RANG in said:  # a handler of SIGCHLD may have taken the code
            return ExecutionResult(Status.TIMEOUT, error=f"more than {self._limits.cpu_seconds} s of CPU")
        return None

    def bury(self) -> None:
        """Kill it if need be, and let go of all that it held."""
        self._process.kill()
        self._process.wait()
        self.abandon()

    def abandon(self) -> None:
        """Let go of it without touching the process itself."""
        self.connection.close()
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
