"""Workloads of one batch on different data: the scorer against the baselines."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from benchmarks.performance.batches import Batch, hostile_batch, make_batch, small_batch, spider_batch
from benchmarks.performance.generated import orders_database, part_databases, part_samples
from benchmarks.performance.resources import most_open_files
from benchmarks.performance.samples import change_query
from benchmarks.performance.settings import Settings
from benchmarks.performance.throughput.contenders import (
    WORKERS,
    clock_scores,
    naive_baseline,
    scorers,
    sqlite_baseline,
    start_scorer,
)
from benchmarks.performance.throughput.measurement import Contender, Finding, Measurement, Workload
from sql_env import Limits, Task

UNLIMITED = Limits(min_steps=2**31 - 1, max_steps=2**31 - 1, cpu_seconds=60.0, wall_seconds=300.0)
"""Limits that no query of the workload ``large`` reaches."""

FILES = 1024
"""Files that a process may open in the workload ``many``: the default of most systems."""

_LARGE = (
    "SELECT COUNT(*), SUM(quantity) FROM orders WHERE price > {n}",
    "SELECT day, AVG(price) FROM orders WHERE quantity > {few} GROUP BY day",
    "SELECT region, COUNT(*) FROM orders JOIN customer ON customer_id = customer.id WHERE quantity > {few} "
    "GROUP BY region",
    "SELECT category, SUM(price - cost) FROM orders JOIN product ON product_id = product.id "
    "WHERE price > {n} GROUP BY category",
    "SELECT MAX(price), MIN(price) FROM orders WHERE note LIKE '%{n}%'",
    "SELECT customer_id, SUM(price) FROM orders GROUP BY customer_id ORDER BY SUM(price) DESC LIMIT {few}",
)


def spider(settings: Settings) -> Workload:
    """Return Spider's development split with the predictions of real models."""
    batch = spider_batch(settings)
    return Workload(
        "Spider dev; real models' predictions and the gold query are the samples of a task",
        _contenders_and_baselines(batch),
        lambda seen: [
            _efficiency(seen, "spider", "cold", 0.60),
            _efficiency(seen, "spider", "cached", 0.75),
            Finding(
                "times less CPU than the naive baseline, spider, 2 workers",
                seen.ratio("naive_baseline", "scorer-2 cold", "cpu_ms_per_score"),
                20.0,
            ),
            Finding(
                "rate of two workers over one, spider",
                seen.ratio("scorer-2 cold", "scorer-1 cold", "scores_per_s"),
                1.8,
            ),
        ],
        batch.facts(),
    )


def small(settings: Settings) -> Workload:
    """Return tasks of the demo benchmark with changed gold queries as samples."""
    batch = small_batch(settings, 512)
    return Workload(
        "generated databases of 20 to 32 kB; gold queries and changed ones; strict comparison",
        _contenders_and_baselines(batch),
        lambda seen: [_efficiency(seen, "small databases", "cold", 0.70)],
        batch.facts(),
    )


def large(settings: Settings) -> Workload:
    """Return scans, joins and aggregates over 3.2 million rows, more than 200 MB."""
    path = orders_database(settings.scaled(3_200_000, least=1000), settings.seed)
    random = settings.random("large")
    groups = []
    for place in range(settings.scaled(6, least=2)):
        gold = _LARGE[place].format(n=random.randint(100, 900), few=random.randint(3, 9))
        task = Task(f"large-{place}", "How much?", gold, str(path), "orders", comparison="bird")
        samples = [gold, *(change_query(gold, random) for _ in range(3))]
        groups.append((task, [gold, *(random.choice(samples) for _ in range(7))]))
    batch = make_batch(groups, UNLIMITED)
    return Workload(
        "scans, joins and aggregates over one generated database",
        {**scorers(batch, "cold"), "sqlite_baseline": sqlite_baseline(batch, "cold")},
        lambda seen: [_efficiency(seen, "large database", "cold", 0.95)],
        batch.facts() | {"megabytes": round(path.stat().st_size / 1e6)},
    )


def hostile(settings: Settings) -> Workload:
    """Return the demo benchmark with runaways, huge results, destructive statements and syntax errors."""
    batch = hostile_batch(settings, 512)
    return Workload(
        "2 % runaways, 2 % huge results, 1 % destructive, 10 % syntax errors; small databases",
        {**scorers(batch, "cold"), "naive_baseline": naive_baseline(batch)},
        lambda seen: [
            Finding(
                "times faster than the naive baseline, hostile mix, 2 workers",
                seen.ratio("scorer-2 cold", "naive_baseline", "scores_per_s"),
                10.0,
            ),
        ],
        batch.facts(),
    )


def many(settings: Settings) -> Workload:
    """Return tasks over more databases than a process may open."""
    paths = part_databases(settings.scaled(2000, least=2), settings.seed)
    pairs = list(part_samples(paths, 10 * len(paths), settings.seed))
    settings.random("many").shuffle(pairs)
    batch = make_batch([(task, [sql]) for sql, task in pairs])

    return Workload(
        "tasks over many small databases, in random order",
        {f"scorer-{workers}": partial(_score_many, batch, workers) for workers in WORKERS},
        lambda seen: [
            Finding(
                "most open files of a process, as a share of its limit, many databases",
                max(max(seen.values(f"scorer-{workers} cold", "open_files")) for workers in WORKERS) / FILES,
                1.0,
                "<=",
            )
        ],
        batch.facts() | {"open_files_allowed": FILES},
    )


def _score_many(batch: Batch, workers: int) -> dict[str, dict[str, float]]:
    with open_files_limited(FILES), start_scorer(batch, workers) as scorer:
        figures = clock_scores(batch, lambda: scorer.score(batch.completions, batch.tasks))
        return {f"scorer-{workers} cold": {**figures, "open_files": float(most_open_files())}}


@contextmanager
def open_files_limited(count: int) -> Iterator[None]:
    """Limit the open files of this process and of those that it starts in the meantime."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _contenders_and_baselines(batch: Batch) -> dict[str, Contender]:
    return {
        **scorers(batch, "cold", "cached"),
        "sqlite_baseline": sqlite_baseline(batch, "cold", "cached"),
        "naive_baseline": naive_baseline(batch),
    }


def _efficiency(seen: Measurement, name: str, golds: str, bar: float) -> Finding:
    """Return SQLite's CPU time over that of the scorer with two workers."""
    ratio = seen.ratio(f"sqlite_baseline {golds}", f"scorer-2 {golds}", "cpu_ms_per_score")
    return Finding(f"efficiency, {name}, golds {golds}, scorer-2", ratio, bar)
