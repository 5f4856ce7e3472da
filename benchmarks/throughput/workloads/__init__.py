"""What is measured, by name: one file each."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.throughput.settings import Settings
from benchmarks.throughput.workload import Workload
from benchmarks.throughput.workloads.spider import spider

WORKLOADS: dict[str, Callable[[Settings], Workload]] = {"spider": spider}
"""Every workload, in the order in which they are run."""
