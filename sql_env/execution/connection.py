"""Messages over a socket, each with its length before it."""

from __future__ import annotations

import select
from socket import MSG_DONTWAIT, socket
from struct import Struct

_LENGTH = Struct("!Q")
_READ = 2**16  # a larger buffer is mapped anew each time
_MOST = 2**20  # of a long message


class Connection:
    """One end of a socket. What has arrived of later messages is kept until they are whole."""

    def __init__(self, end: socket) -> None:
        self._socket = end
        self._parts: list[bytes] = []
        self._have = 0  # bytes in them
        self._need = _LENGTH.size  # bytes with which they are a message, or say how long one is

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, message: bytes) -> None:
        """Send a message, however long it takes the other end to read it.

        Raises:
            OSError: The other end is gone.
        """
        head = _LENGTH.pack(len(message))
        if len(message) < _READ:
            self._socket.sendall(head + message)
        else:  # a copy would cost more than a call
            self._socket.sendall(head)
            self._socket.sendall(message)

    def receive(self, wait: bool = True) -> list[memoryview]:
        """All messages that have arrived; at least one if it is to wait.

        Raises:
            EOFError: The other end is gone.
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

    def has_arrived(self) -> bool:
        """Whether `receive` would not wait."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        self._socket.close()

    def _split(self) -> list[memoryview]:
        """The whole messages among the parts; what is left of them is kept."""
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
