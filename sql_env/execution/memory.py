"""The memory limit of a worker process."""

from __future__ import annotations

import os
import resource
import sys
from contextlib import suppress

from sql_env.limits import Limits


class MemoryLimit:
    """A hard limit for the memory of this process. The kernel enforces it: allocations fail above it.

    It limits what an engine allocates outside its own limit, and what this program allocates for rows,
    errors and comparisons. The limit is `RLIMIT_DATA`, because `RLIMIT_AS` counts mapped files, too. macOS
    does not enforce it.
    """

    def __init__(self, limits: Limits) -> None:
        size = limits.process_bytes
        self._high = size - 2 * int(limits.memory_bytes)
        self._file: int | None = None  # open, because reading it again takes a microsecond
        with suppress(FileNotFoundError):
            self._file = os.open("/proc/self/statm", os.O_RDONLY)
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        if hard != resource.RLIM_INFINITY:
            size = min(size, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (size, size))

    def is_near(self) -> bool:
        """Return True if the next query might not get all the memory that its limits allow."""
        return self.used_bytes > self._high

    @property
    def used_bytes(self) -> int:
        """The memory that counts towards `RLIMIT_DATA`; the peak memory if the system does not tell.

        Linux gives a new process the largest memory of its parent, so that figure would be useless there.
        """
        if self._file is not None:
            return int(os.pread(self._file, 256, 0).split()[5]) * resource.getpagesize()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else 1024 * peak
