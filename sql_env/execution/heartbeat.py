"""Memory that a worker and its parent share: the index and the start time of the running query."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from mmap import mmap
from tempfile import TemporaryFile
from typing import IO


class Heartbeat:
    """Sixteen bytes of shared memory: the start time of a query, and its index with a flag.

    Each is one aligned word, which the processor stores at once. `struct.pack_into` would first clear the
    bytes. A parent that reads a cleared time would kill a healthy worker as overdue.

    Args:
        file: A descriptor of the file that `open_memory` opens. It may be closed afterwards.
    """

    SIZE = 16

    def __init__(self, file: int) -> None:
        self._memory = mmap(file, self.SIZE)
        self._view = memoryview(self._memory)
        self._places = self._view.cast("q")
        self._times = self._view.cast("d")

    @property
    def began(self) -> float:
        """The start time of the last query, on the monotonic clock."""
        return self._times[0]

    @property
    def place(self) -> int:
        """The index of the last query that began; -1 before the first."""
        return self._places[1] >> 1

    @property
    def comparing(self) -> bool:
        """True while the result of the last query is compared."""
        return bool(self._places[1] & 1)

    def begin(self, place: int) -> None:
        """Store that the query with this index begins now.

        The time is stored first. So a reader that reads the index first never sees an old time with it.
        """
        self._times[0] = time.monotonic()
        self._places[1] = place << 1

    def compare(self) -> None:
        """Store that its result is compared now."""
        self._places[1] |= 1

    def touch(self) -> None:
        """Store the time at which the next query was sent."""
        self._times[0] = time.monotonic()

    def close(self) -> None:
        """Release the memory."""
        for view in (self._places, self._times, self._view):
            view.release()
        self._memory.close()


@contextmanager
def open_memory() -> Iterator[IO[bytes]]:
    """Open a file for a heartbeat. It lies in memory if the system has such files.

    Its bytes are written, so that their page is allocated now. A file that is only truncated gets its page at
    the first store: on a full disk, SIGBUS would then kill the parent.

    Raises:
        OSError: The memory or the temporary folder is full.
    """
    create = getattr(os, "memfd_create", None)  # Linux has it
    with os.fdopen(create("sql-env"), "wb", 0) if create else TemporaryFile(buffering=0) as file:
        file.write(bytes(Heartbeat.SIZE))
        yield file
