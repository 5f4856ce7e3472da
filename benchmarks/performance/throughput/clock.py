"""CPU and wall time of this process together with all the processes that it has started."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import psutil

Result = TypeVar("Result")

_LIBC = ctypes.CDLL(None)


@dataclass(frozen=True, slots=True)
class Reading:
    """What something took.

    Attributes:
        cpu: Seconds of CPU, user and system, of the whole process tree.
        wall: Seconds of elapsed time.
    """

    cpu: float
    wall: float

    def __add__(self, other: Reading) -> Reading:
        return Reading(self.cpu + other.cpu, self.wall + other.wall)

    def figures(self) -> dict[str, float]:
        """As figures of a row."""
        return {"cpu_s": self.cpu, "wall_s": self.wall}


def clocked(work: Callable[[], Result]) -> tuple[Result, Reading]:
    """Do something, and read what it took.

    Garbage is collected before, so that nobody pays for what another has left. Processes that end
    meanwhile are counted, as far as they are waited for.
    """
    gc.collect()
    cpu, wall = _tree() + time.process_time(), time.perf_counter()
    result = work()
    wall, own = time.perf_counter() - wall, time.process_time()
    return result, Reading(_tree() + own - cpu, wall)


def descendants() -> list[psutil.Process]:
    """The processes that this one has started, theirs too."""
    found: list[psutil.Process] = psutil.Process().children(recursive=True)
    return found


def _tree() -> float:
    """Seconds of CPU of all processes below this one, those that have ended included."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime + sum(map(_taken, descendants()))


def _taken(process: psutil.Process) -> float:
    """Seconds of CPU of one process and of those that it has waited for; 0 where it is gone."""
    try:
        times = process.cpu_times()
        waited_for: float = times.children_user + times.children_system
        own: float = _cpu_clock(process.pid, times.user + times.system)
    except (psutil.NoSuchProcess, OSError):
        return 0.0
    return own + waited_for


def _cpu_clock(pid: int, coarse: float) -> float:
    """The CPU clock of a process, to the nanosecond where the system has one; else what ticks say."""
    if not hasattr(_LIBC, "clock_getcpuclockid"):
        return coarse
    clock = ctypes.c_int()
    if code := _LIBC.clock_getcpuclockid(pid, ctypes.byref(clock)):
        raise ProcessLookupError(code, os.strerror(code))
    taken: float = time.clock_gettime(clock.value)
    return taken
