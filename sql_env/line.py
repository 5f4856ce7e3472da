"""Messages over a socket, each with its length before it."""

from __future__ import annotations

import select
from socket import socket
from struct import Struct

_LENGTH = Struct("!Q")
_READ = 2**16  # a larger buffer is mapped anew each time


class Line:
    """One end of a socket. What has arrived of later messages is kept until they are whole."""

    def __init__(self, end: socket) -> None:
        self._socket = end
        self._rest = b""

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

    def receive(self) -> list[memoryview]:
        """All messages that have arrived, and at least one.

        Raises:
            EOFError: The other end is gone.
        """
        found: list[memoryview] = []
        data = self._rest
        while True:
            view, at = memoryview(data), 0
            while len(data) - at >= _LENGTH.size:
                end = at + _LENGTH.size + _LENGTH.unpack_from(data, at)[0]
                if end > len(data):
                    break
                found.append(view[at + _LENGTH.size : end])
                at = end
            self._rest = data[at:] if at else data
            if found:
                return found
            data = self._read(self._rest)

    def has_arrived(self) -> bool:
        """Whether `receive` would not wait."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        self._socket.close()

    def _read(self, before: bytes) -> bytes:
        """What has arrived before and more; of a long message all that is missing."""
        wanted = _LENGTH.unpack_from(before)[0] + _LENGTH.size - len(before) if len(before) >= 8 else 0
        parts, missing = [before], wanted
        while True:
            try:
                part = self._socket.recv(max(_READ, min(missing, 2**24)))
            except OSError:
                raise EOFError from None
            if not part:
                raise EOFError
            parts.append(part)
            missing -= len(part)
            if missing <= 0:
                return b"".join(parts)
