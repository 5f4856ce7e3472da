"""What a run was made on: without it no figure means anything."""

from __future__ import annotations

import os
import platform
import sqlite3
from importlib.metadata import version
from pathlib import Path
from typing import Any

import apsw
import psutil

from benchmarks.performance.throughput.c_api import release


def machine() -> dict[str, Any]:
    """The processor, the memory, how busy the machine is, and releases, as an object of JSON."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "load_average": list(os.getloadavg()),
        "system": platform.system(),
        "python": platform.python_version(),
        "sql_env": version("sql-env"),
        "apsw": apsw.apsw_version(),
        "sqlite": apsw.sqlite_lib_version(),
        "sqlite_of_plain_code": sqlite3.sqlite_version,
        "sqlite_of_sqlite3_exec": release(),
    }


def _cpu() -> str:
    """The processor's model; its architecture where the system does not say it."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
