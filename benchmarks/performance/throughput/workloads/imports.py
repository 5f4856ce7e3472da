"""How long a user waits before anything happens."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from statistics import median

from benchmarks.performance.throughput.clock import clocked
from benchmarks.performance.throughput.measurement import Contender, Measurement
from benchmarks.performance.throughput.settings import Settings
from benchmarks.performance.throughput.workload import Finding, Workload

STARTS = 3
"""Fresh interpreters in each repeat, of which the fastest counts."""


def imports(settings: Settings) -> Workload:
    """Fresh interpreters that import gymnasium, import this library, and print the command's help."""
    help_text = [str(Path(sys.executable).with_name("sql-env")), "--help"]
    commands = {
        "python": [sys.executable, "-c", "pass"],
        "import gymnasium": [sys.executable, "-c", "import gymnasium"],
        "import sql_env": [sys.executable, "-c", "import sql_env"],
        "sql-env --help": help_text,
    }
    return Workload(
        "imports",
        "fresh interpreters, files in the system's cache",
        {name: _contender(name, command) for name, command in commands.items()},
        [
            Finding("import sql_env over import gymnasium, s", _beyond_gymnasium, most=0.25),
            Finding("sql-env --help, s", lambda seen: seen.median("sql-env --help", "wall_s"), most=0.5),
        ],
    )


def _beyond_gymnasium(seen: Measurement) -> float:
    ours, theirs = seen.values("import sql_env", "wall_s"), seen.values("import gymnasium", "wall_s")
    return median(own - other for own, other in zip(ours, theirs, strict=True))


def _contender(name: str, command: list[str]) -> Contender:
    def run() -> dict[str, dict[str, float]]:
        starts = [clocked(lambda: _start(command))[1] for _ in range(STARTS)]
        return {name: min(starts, key=lambda reading: reading.wall).figures()}

    return run


def _start(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
