"""What a model in training really writes: much of it is broken, and some never ends."""

from __future__ import annotations

from benchmarks.performance.throughput.contest import against_plain, short_contest
from benchmarks.performance.throughput.hostile import spoiled
from benchmarks.performance.throughput.items import Items, items
from benchmarks.performance.throughput.samples import groups
from benchmarks.performance.throughput.settings import Settings
from benchmarks.performance.throughput.workload import Finding, Workload
from benchmarks.performance.throughput.workloads.small import SAMPLES
from sql_env.benchmark import load_benchmark

TASKS = 512


def hostile(settings: Settings) -> Workload:
    """The demo benchmark with runaways, huge results, destructive statements and syntax errors."""
    batch = hostile_items(settings, TASKS)
    return Workload(
        "hostile",
        "2 % runaways, 2 % huge results, 1 % destructive, 10 % syntax errors on small databases",
        short_contest(batch, yardstick=True),
        [
            against_plain("hostile mix", "wall_s", 10.0),
            against_plain("hostile mix", "wall_s", None, workers=1),
            Finding(
                "efficiency, hostile mix, golds cold, scorer-2",
                lambda seen: seen.ratio("floor cold", "scorer-2 cold", "cpu_s"),
            ),
        ],
        batch.facts(),
    )


def hostile_items(settings: Settings, tasks: int) -> Items:
    """So many tasks, or a share of them, with eight samples each."""
    draw = settings.draw("hostile")
    chosen = draw.sample(load_benchmark("demo", "train").tasks, settings.scaled(tasks, least=13))
    return items(spoiled(groups(chosen, SAMPLES, draw), draw))
