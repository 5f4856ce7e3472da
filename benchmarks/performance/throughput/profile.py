"""Where the parent process spends its time."""

from __future__ import annotations

import cProfile
import io
import pstats

from benchmarks.performance.throughput.scorers import started
from benchmarks.performance.throughput.settings import Settings
from benchmarks.performance.throughput.workloads.spider import spider_items


def profiled(settings: Settings, workers: int = 2) -> str:
    """The profile of one batch of the workload ``spider`` with cold golds, and of a second with cached ones.

    Functions by their own time, the dearest first. The profiler itself makes calls dearer than they are.

    Raises:
        DataError: The data is not there.
    """
    batch = spider_items(settings)
    parts = []
    with started(batch, workers) as scorer:
        for golds in ("cold", "cached"):
            profiler = cProfile.Profile()
            profiler.runcall(scorer.score, batch.completions, batch.tasks)
            text = io.StringIO()
            pstats.Stats(profiler, stream=text).strip_dirs().sort_stats("tottime").print_stats(40)
            parts.append(f"spider, golds {golds}, {workers} workers: the parent process\n{text.getvalue()}")
    return "\n".join(parts)
