"""Options, clocks, readings of memory, and output that all measurement commands share."""

from __future__ import annotations

import gc
import json
import logging
import os
import platform
import resource
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Annotated, Any, TypeVar

import typer

from benchmarks.evaluation import options
from benchmarks.records import json_lines
from benchmarks.records.run import describe_environment
from sql_env.errors import DataError
from sql_env.plugins import require

with suppress(ImportError):  # `exit_on_error` names the missing package
    import psutil

Result = TypeVar("Result")

INTERVAL = 0.01
"""Seconds between two readings of memory. A shorter peak is missed."""

DATA = "SQL_ENV_TEST_DATA"
"""The environment variable with the folder of real data. The tests use the same one."""

Repeats = Annotated[int, typer.Option(min=1, help="Number of repeats of each measurement.")]
Seed = Annotated[int, typer.Option(help="Random seed of tasks, databases and completions.")]
DataDir = Annotated[Path | None, typer.Option(help="Folder of real data. The default is $SQL_ENV_TEST_DATA.")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="File for all figures.")]


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a run.

    Attributes:
        repeats: Number of times that each contender runs.
        seed: Random seed of completions, generated databases and the order of contenders.
        data_dir: Folder of real data, with ``spider/`` and ``predictions/``. None stands for the folder in
            ``SQL_ENV_TEST_DATA``, or ``shared/data`` beside the checkout.
        scale: Share of a workload's full size.
    """

    repeats: int = 5
    seed: int = 0
    data_dir: Path | None = None
    scale: float = 1.0

    def scaled(self, count: int, least: int = 1) -> int:
        """Return the scaled size of a workload with ``count`` parts."""
        return min(count, max(least, round(count * self.scale)))

    def random(self, purpose: str) -> Random:
        """Return a random generator that depends on the seed and the purpose only."""
        return Random(f"{self.seed}/{purpose}")

    def data(self, *parts: str) -> Path:
        """Return the path of a file or folder of the real data.

        Raises:
            DataError: It does not exist.
        """
        folder = self.data_dir or Path(os.environ.get(DATA) or Path(__file__).parents[3] / "shared" / "data")
        if not folder.joinpath(*parts).exists():
            raise DataError(f"no {'/'.join(parts)} in {str(folder)!r}: set --data-dir or {DATA}")
        return folder.joinpath(*parts)


@contextmanager
def exit_on_error(*packages: str) -> Iterator[None]:
    """Print an `sql_env.errors.SQLEnvError` as one line and exit with code 2.

    A missing package is such an error. The list of tasks that Spider leaves out is not logged.
    """
    logging.getLogger("sql_env.benchmark").setLevel(logging.ERROR)
    with options.exit_on_error():
        for package in packages:
            require("bench", package, purpose="this measurement")
        yield


def write_json(path: Path | None, figures: dict[str, Any]) -> None:
    """Write figures to a file, and make its folder. Do nothing if the path is None.

    Infinite numbers become null.

    Raises:
        DataError: The file cannot be written.
    """
    if path is not None:
        finite = json.loads(json.dumps(figures), parse_constant=lambda infinity: None)
        json_lines.write_json(path, finite)


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


def peak_memory(command: Sequence[str]) -> float:
    """Run a command, and return the most bytes that its process tree had at one time.

    Memory is PSS, which divides a shared page among its processes. A system without PSS gives USS, which
    leaves out shared pages.

    Raises:
        subprocess.CalledProcessError: The command fails.
    """
    most = 0.0
    with psutil.Popen(command) as process:
        while process.poll() is None:
            with suppress(psutil.NoSuchProcess):
                most = max(most, _total([process, *process.children(recursive=True)], _memory))
            time.sleep(INTERVAL)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return most


def describe_machine() -> dict[str, Any]:
    """Return the processor, its load, the memory and the releases in use."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if sys.platform == "linux" else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        **describe_environment(),
        "cpu": models[0] if models else platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "load_average": list(os.getloadavg()),
        "sqlite_of_naive_baseline": sqlite3.sqlite_version,
    }


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
    return ended.ru_utime + ended.ru_stime + _total(psutil.Process().children(recursive=True), _cpu)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    own: float = times.user + times.system
    if sys.platform == "linux":
        # The kernel's id of a process's CPU clock (CPUCLOCK_SCHED). It counts nanoseconds; psutil counts
        # ticks of 10 ms, which is too coarse for a batch of 0.2 s.
        own = time.clock_gettime(~process.pid << 3 | 2)
    return own + float(times.children_user + times.children_system)
