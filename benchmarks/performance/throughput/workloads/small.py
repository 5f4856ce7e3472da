"""Small generated databases: the demo benchmark, judged strictly."""

from __future__ import annotations

from benchmarks.performance.throughput.contest import against_plain, contest, efficiency, engine_alone
from benchmarks.performance.throughput.items import Items, items
from benchmarks.performance.throughput.samples import groups
from benchmarks.performance.throughput.settings import Settings
from benchmarks.performance.throughput.workload import Workload
from sql_env.benchmark import load_benchmark

TASKS, SAMPLES = 512, 8


def small(settings: Settings) -> Workload:
    """Tasks of the demo benchmark with changed golds as samples."""
    batch = small_items(settings, TASKS)
    return Workload(
        "small",
        "generated databases of 20 to 32 kB, golds and changed golds as samples, strict comparison",
        contest(batch),
        [
            *efficiency("small databases", "cold", 0.70),
            engine_alone("small databases"),
            against_plain("small databases", "cpu_s", None),
        ],
        batch.facts(),
    )


def small_items(settings: Settings, tasks: int) -> Items:
    """So many tasks, or a share of them, with eight samples each."""
    draw = settings.draw("small")
    loaded = load_benchmark("demo", "train").tasks
    return items(groups(draw.sample(loaded, settings.scaled(tasks)), SAMPLES, draw))
