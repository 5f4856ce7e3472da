"""What a worker and its parent share: which query runs, and since when."""

from __future__ import annotations

import time
from mmap import mmap


class Heartbeat:
    """Sixteen bytes of shared memory: which query a worker runs or compares, and since when.

    Each is one aligned word, stored at once. `struct.pack_into` would not do: it clears the bytes
    before it writes them, and a reader that comes in between takes a healthy worker for overdue.

    Args:
        file: A file descriptor of at least `SIZE` bytes. It may be closed afterwards.
    """

    SIZE = 16

    def __init__(self, file: int) -> None:
        self._memory = mmap(file, self.SIZE)
        self._view = memoryview(self._memory)
        self._places = self._view.cast("q")
        self._times = self._view.cast("d")

    @property
    def began(self) -> float:
        """When the running query began, on the monotonic clock."""
        return self._times[0]

    @property
    def place(self) -> int:
        """How many queries were begun before the last one; -1 before the first."""
        return self._places[1] >> 1

    @property
    def comparing(self) -> bool:
        """Whether the last query's result is being compared."""
        return bool(self._places[1] & 1)

    def begin(self, place: int) -> None:
        """Note that the query at this place begins now.

        The time comes first: who reads the place before the time does not take it for the last one's.
        """
        self._times[0] = time.monotonic()
        self._places[1] = place << 1

    def compare(self) -> None:
        """Note that its result is being compared."""
        self._places[1] |= 1

    def touch(self) -> None:
        """Note that what comes next was asked for now."""
        self._times[0] = time.monotonic()

    def close(self) -> None:
        """Let go of the memory."""
        for view in (self._places, self._times, self._view):
            view.release()
        self._memory.close()
