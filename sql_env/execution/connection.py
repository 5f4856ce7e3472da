"""Messages over a socket. Eight bytes of length precede each message.

`multiprocessing.connection` cannot read a part of a message: if a worker stopped in the middle of one, the
parent's thread would block beyond its deadline. This connection never waits for the rest of a message.
"""

from __future__ import annotations

from socket import MSG_DONTWAIT, socket
from struct import Struct

_LENGTH = Struct("!Q")
_READ = 2**16  # a larger buffer is mapped anew each time
_MOST = 2**20  # of a long message


class Connection:
    """One end of a socket. It keeps the parts of a message until the message is complete."""

    def __init__(self, end: socket) -> None:
        self._socket = end
        self._parts: list[bytes] = []
        self._have = 0  # bytes in them
        self._need = _LENGTH.size  # bytes that complete the message, or its length

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, message: bytes) -> None:
        """Send a message. It may block until the other end reads.

        Raises:
            OSError: The other end is closed.
        """
        head = _LENGTH.pack(len(message))
        if len(message) < _READ:
            self._socket.sendall(head + message)
        else:  # to join both would copy the message, which costs more than a second call
            self._socket.sendall(head)
            self._socket.sendall(message)

    def receive(self, wait: bool = True) -> list[memoryview]:
        """Return all complete messages; if ``wait``, at least one.

        Raises:
            EOFError: The other end is closed.
        """
        found: list[memoryview] = []
        while not found:
            size = max(_READ, min(self._need - self._have, _MOST))
            try:
                part = self._socket.recv(size, 0 if wait else MSG_DONTWAIT)
            except BlockingIOError:
                return []
            except OSError:
                raise EOFError from None
            if not part:
                raise EOFError
            self._parts.append(part)
            self._have += len(part)
            if self._have >= self._need:
                found = self._split()
        return found

    def close(self) -> None:
        self._socket.close()

    def _split(self) -> list[memoryview]:
        """Split the parts into complete messages, and keep the rest."""
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        found, view, at = [], memoryview(data), 0
        self._need = _LENGTH.size
        while len(data) - at >= _LENGTH.size:
            end = at + _LENGTH.size + _LENGTH.unpack_from(data, at)[0]
            if end > len(data):
                self._need = end - at
                break
            found.append(view[at + _LENGTH.size : end])
            at = end
        rest = data[at:]
        self._parts, self._have = [rest] if rest else [], len(rest)
        return found
