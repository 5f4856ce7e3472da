"""What is measured, by name: one file each."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.performance.throughput.settings import Settings
from benchmarks.performance.throughput.workload import Workload
from benchmarks.performance.throughput.workloads.hostile import hostile
from benchmarks.performance.throughput.workloads.imports import imports
from benchmarks.performance.throughput.workloads.large import large
from benchmarks.performance.throughput.workloads.many import many
from benchmarks.performance.throughput.workloads.memory import memory
from benchmarks.performance.throughput.workloads.overrun import overrun
from benchmarks.performance.throughput.workloads.small import small
from benchmarks.performance.throughput.workloads.spider import spider
from benchmarks.performance.throughput.workloads.step import step
from benchmarks.performance.throughput.workloads.threads import threads
from benchmarks.performance.throughput.workloads.vector import vector
from benchmarks.performance.throughput.workloads.verdicts import verdicts

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
