"""The workloads by name, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.performance.settings import Settings
from benchmarks.performance.throughput.measurement import Workload
from benchmarks.performance.throughput.workloads.batches import hostile, large, many, small, spider
from benchmarks.performance.throughput.workloads.calls import step, threads, vector
from benchmarks.performance.throughput.workloads.processes import imports, memory, verdicts

WORKLOADS: dict[str, Callable[[Settings], Workload]] = {
    "spider": spider,
    "small": small,
    "large": large,
    "hostile": hostile,
    "threads": threads,
    "step": step,
    "vector": vector,
    "many": many,
    "memory": memory,
    "imports": imports,
    "verdicts": verdicts,
}
