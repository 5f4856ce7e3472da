"""The memory limit of a worker process."""

from __future__ import annotations

import resource
import sys

from sql_env.limits import Limits

_STEP = 16 * 2**20
"""Growth of the peak memory, in bytes, after which the memory is read again. To read it takes 10 us."""


class MemoryLimit:
    """A hard limit for the memory of this process. The kernel enforces it: allocations fail above it.

    It limits what an engine allocates outside its own limit, and what this program allocates for rows,
    errors and comparisons. The limit is `RLIMIT_DATA`, because `RLIMIT_AS` counts mapped files, too. macOS
    does not enforce it.
    """

    def __init__(self, limits: Limits) -> None:
        size = limits.process_bytes
        self._high = size - 2 * int(limits.memory_bytes)
        self._seen = 0
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        if hard != resource.RLIM_INFINITY:
            size = min(size, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (size, size))

    def is_near(self) -> bool:
        """Return True if the next query might not get all the memory that its limits allow."""
        peak = peak_bytes()
        if peak < self._seen + _STEP:
            return False
        self._seen = peak
        return data_bytes() > self._high


def peak_bytes() -> int:
    """Return the largest memory of this process so far, with mapped files. This is a cheap call."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def data_bytes() -> int:
    """Return the memory that counts towards `RLIMIT_DATA`; the peak memory if the system does not tell."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[5]) * resource.getpagesize()
    except FileNotFoundError:
        return peak_bytes()
