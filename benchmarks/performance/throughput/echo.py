"""A process that does nothing but answer: the least that one more process can cost."""

from __future__ import annotations

import socket
import subprocess
import sys
from types import TracebackType

from sql_env.execution.connection import Connection

_CODE = """
import socket, sys
from sql_env.execution.connection import Line
line = Line(socket.socket(fileno=int(sys.argv[1])))
try:
    while True:
        for message in line.receive():
            line.send(message)
except EOFError:
    pass
"""


class Echo:
    """A process that sends back what it receives, over the kind of line that workers have."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _CODE, str(theirs.fileno())], pass_fds=[theirs.fileno()]
            )
        self._line = Connection(ours)

    def exchange(self, message: bytes) -> bytes:
        """Send a message, wait for what comes back, and return it.

        Raises:
            EOFError: The process is gone.
        """
        self._line.send(message)
        return bytes(self._line.receive()[0])

    def close(self) -> None:
        """End the process."""
        self._line.close()
        self._process.wait()

    def __enter__(self) -> Echo:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
