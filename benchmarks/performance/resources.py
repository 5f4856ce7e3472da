"""Time and memory of a process tree, and a description of the machine."""

from __future__ import annotations

import gc
import os
import platform
import resource
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import apsw

with suppress(ImportError):  # `exit_on_error` names the missing package
    import psutil

Result = TypeVar("Result")

INTERVAL = 0.01
"""Seconds between two readings of memory. A shorter peak is missed."""


def clocked(work: Callable[[], Result]) -> tuple[Result, dict[str, float]]:
    """Call a function, and return its result with ``cpu_s`` and ``wall_s``.

    CPU time is user and system time of this process and of all processes that it has started. Processes
    that end in the meantime count once they are waited for. Garbage is collected first, so that no
    contender works for another.
    """
    gc.collect()
    cpu, wall = _cpu_of_descendants() + time.process_time(), time.perf_counter()
    result = work()
    wall, own = time.perf_counter() - wall, time.process_time()
    return result, {"cpu_s": _cpu_of_descendants() + own - cpu, "wall_s": wall}


def own_memory() -> float:
    """Return the bytes that belong to this process alone (USS)."""
    return float(psutil.Process().memory_full_info().uss)


def most_open_files() -> int:
    """Return the largest number of open files among this process and its descendants."""
    return max(int(process.num_fds()) for process in _process_tree())


def peak_memory(command: Sequence[str]) -> float:
    """Run a command, and return the most bytes that its process tree had at one time.

    Memory is PSS, which divides a shared page among its processes. A system without PSS gives USS, which
    leaves out shared pages.

    Raises:
        subprocess.CalledProcessError: The command fails.
    """
    most = 0.0
    with subprocess.Popen(command) as process:
        while process.poll() is None:
            with suppress(psutil.NoSuchProcess):
                most = max(most, _total(_process_tree(process.pid), _memory))
            time.sleep(INTERVAL)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return most


def describe_machine() -> dict[str, Any]:
    """Return the processor, its load, the memory and the releases in use."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "load_average": list(os.getloadavg()),
        "system": platform.system(),
        "python": platform.python_version(),
        "sql_env": version("sql-env"),
        "apsw": apsw.apsw_version(),
        "sqlite": apsw.sqlite_lib_version(),
        "sqlite_of_naive_baseline": sqlite3.sqlite_version,
    }


def _process_tree(pid: int | None = None) -> list[psutil.Process]:
    """Return a process, this one by default, and all its descendants."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def _total(processes: Sequence[psutil.Process], read: Callable[[psutil.Process], float]) -> float:
    """Add up a reading of several processes. A process that has ended counts 0."""
    total = 0.0
    for process in processes:
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied, OSError):
            total += read(process)
    return total


def _memory(process: psutil.Process) -> float:
    memory = process.memory_full_info()
    return float(getattr(memory, "pss", memory.uss))


def _cpu_of_descendants() -> float:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime + _total(_process_tree()[1:], _cpu)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    own: float = times.user + times.system
    if sys.platform == "linux":
        # The kernel's id of a process's CPU clock (CPUCLOCK_SCHED). It counts nanoseconds; psutil counts
        # ticks of 10 ms, which is too coarse for a batch of 0.2 s.
        own = time.clock_gettime(~process.pid << 3 | 2)
    return own + float(times.children_user + times.children_system)
