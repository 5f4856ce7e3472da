"""What is measured, by name: one file each."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.throughput.settings import Settings
from benchmarks.throughput.workload import Workload
from benchmarks.throughput.workloads.hostile import hostile
from benchmarks.throughput.workloads.imports import imports
from benchmarks.throughput.workloads.large import large
from benchmarks.throughput.workloads.many import many
from benchmarks.throughput.workloads.memory import memory
from benchmarks.throughput.workloads.overrun import overrun
from benchmarks.throughput.workloads.small import small
from benchmarks.throughput.workloads.spider import spider
from benchmarks.throughput.workloads.step import step
from benchmarks.throughput.workloads.threads import threads
from benchmarks.throughput.workloads.vector import vector
from benchmarks.throughput.workloads.verdicts import verdicts

WORKLOADS: dict[str, Callable[[Settings], Workload]] = {
    "spider": spider,
    "small": small,
    "large": large,
    "hostile": hostile,
    "threads": threads,
    "step": step,
    "vector": vector,
    "many": many,
    "overrun": overrun,
    "memory": memory,
    "imports": imports,
    "verdicts": verdicts,
}
"""Every workload, in the order in which they are run."""
