"""Real questions with what real models said to them, grouped as in GRPO."""

from __future__ import annotations

from benchmarks.loading.predictions import read_predictions
from benchmarks.performance.throughput.contest import against_plain, contest, efficiency, engine_alone
from benchmarks.performance.throughput.items import Items, items
from benchmarks.performance.throughput.settings import Settings
from benchmarks.performance.throughput.workload import Finding, Workload
from sql_env.benchmark import load_benchmark
from sql_env.errors import DataError


def spider(settings: Settings) -> Workload:
    """Spider's development split, each task with the predictions of all models at hand and its gold."""
    batch = spider_items(settings)
    return Workload(
        "spider",
        "Spider dev, the predictions of real models and the gold as one group of samples for each task",
        contest(batch),
        [
            *efficiency("spider", "cold", 0.60),
            *efficiency("spider", "cached", 0.75),
            Finding(
                "efficiency, spider, golds cached, scorer-2, predictions that are a gold left out",
                lambda seen: seen.ratio("floor unknown", "scorer-2 cached", "cpu_s"),
            ),
            engine_alone("spider"),
            against_plain("spider", "cpu_s", 20.0),
            against_plain("spider", "cpu_s", None, workers=1),
            Finding(
                "rate of two workers over one, spider",
                lambda seen: seen.ratio("scorer-1 cold", "scorer-2 cold", "wall_s"),
                least=1.8,
            ),
        ],
        batch.facts(),
    )


def spider_items(settings: Settings) -> Items:
    """The tasks whose database is at hand, or a sample of them, with all predictions.

    Raises:
        DataError: The data is not there.
    """
    loaded = load_benchmark("spider", "dev", str(settings.data("spider")))
    files = sorted(settings.data("predictions", "spider_dev").glob("*.txt"))
    if not files:
        raise DataError("no file of predictions (*.txt) in predictions/spider_dev")
    columns = [*(read_predictions(file, loaded) for file in files), [task.gold_sql for task in loaded.tasks]]
    groups = list(zip(loaded.tasks, zip(*columns, strict=True), strict=True))
    places = settings.draw("spider").sample(range(len(groups)), settings.scaled(len(groups)))
    return items([groups[place] for place in sorted(places)])
