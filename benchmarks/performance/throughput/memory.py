"""The most memory that a process and all below it hold at once."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence

import psutil

INTERVAL = 0.01
"""Seconds between two looks. What comes and goes in between is not seen."""


def peak(command: Sequence[str]) -> float:
    """Run a command, and return the most bytes that its process tree held.

    Counted is PSS, in which a page that several processes share is shared out among them; where the system
    does not tell it, USS, which leaves shared pages out.

    Raises:
        subprocess.CalledProcessError: The command fails.
    """
    most = 0.0
    with subprocess.Popen(command) as process:
        while process.poll() is None:
            most = max(most, _held(process.pid))
            time.sleep(INTERVAL)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return most


def _held(pid: int) -> float:
    try:
        top = psutil.Process(pid)
        tree = [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    return sum(map(_share, tree))


def _share(process: psutil.Process) -> float:
    """Bytes of one process; 0 where it has ended."""
    try:
        memory = process.memory_full_info()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0.0
    share: float = getattr(memory, "pss", memory.uss)
    return share
