"""The measurement of contenders in turns, and the workloads.

Workloads are batches on different data, calls other than one batch, memory, and verdicts under load.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from random import Random
from statistics import median, quantiles
from typing import Any, Literal

from benchmarks.performance.batches import (
    Batch,
    change_query,
    hostile_batch,
    make_batch,
    sample_groups,
    score_one_by_one,
    small_batch,
    spider_batch,
)
from benchmarks.performance.generated import orders_database
from benchmarks.performance.harness import Settings, peak_memory
from benchmarks.performance.throughput.contenders import (
    Contender,
    Figures,
    SQLiteBaseline,
    clock_scores,
    naive_baseline,
    scorers,
    sqlite_baseline,
    start_scorer,
)
from sql_env import Limits, Query, Scorer, SQLEnv, Task, load_benchmark, respond

THREADS, WORKERS, HOSTILE_TASKS = 64, 2, 512
WARM_UP, TRIES = 20, 5
"""Steps before the first measured step, and runs of a query in SQLite. The fastest run counts."""

UNLIMITED = Limits(min_steps=2**31 - 1, max_steps=2**31 - 1, cpu_seconds=60.0, wall_seconds=300.0)
"""Limits that no query of the workload ``large`` reaches."""

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


@dataclass(frozen=True, slots=True)
class Measurement:
    """The figures of each row in each repeat."""

    repeats: Sequence[Mapping[str, Figures]]

    def values(self, row: str, figure: str) -> list[float]:
        """Return a figure of each repeat."""
        return [repeat[row][figure] for repeat in self.repeats]

    def ratio(self, over: str, under: str, figure: str) -> float:
        """Return the median of the ratios of two rows, each from one repeat.

        The speed of a machine changes over minutes. It changes least within one repeat.

        Example:
            >>> Measurement([{"a": {"s": 1.0}, "b": {"s": 2.0}}]).ratio("b", "a", "s")
            2.0
        """
        pairs = zip(self.values(over, figure), self.values(under, figure), strict=True)
        return median(above / below for above, below in pairs)

    def summary(self) -> dict[str, dict[str, dict[str, float]]]:
        """Return median, minimum and maximum by row and figure. Rows are in alphabetical order."""
        return {
            row: {
                figure: {
                    "median": median(self.values(row, figure)),
                    "min": min(self.values(row, figure)),
                    "max": max(self.values(row, figure)),
                }
                for figure in figures
            }
            for row, figures in sorted(self.repeats[0].items())
        }


@dataclass(frozen=True, slots=True)
class Finding:
    """A number from a measurement, with its bar.

    Attributes:
        name: The name, with its unit.
        value: The number.
        bar: The smallest or the largest number that is good enough.
        sense: ``>=`` if the bar is the smallest such number, ``<=`` if it is the largest.

    Example:
        >>> Finding("time, s", 2.0, 1.5, "<=").ok
        False
    """

    name: str
    value: float
    bar: float
    sense: Literal[">=", "<="] = ">="

    @property
    def ok(self) -> bool:
        """True unless the bar is missed."""
        return self.value >= self.bar if self.sense == ">=" else self.value <= self.bar


@dataclass(frozen=True, slots=True)
class Workload:
    """Contenders that do the same work in different ways.

    Attributes:
        about: One line about the work.
        contenders: The contenders by name.
        findings: Derives the findings from the measurement.
        facts: Counts and sizes of the work.
        repeats: Number of times that each contender runs; None for the number in the settings.
    """

    about: str
    contenders: Mapping[str, Contender]
    findings: Callable[[Measurement], Sequence[Finding]]
    facts: Mapping[str, Any] = field(default_factory=dict)
    repeats: int | None = None


def measure(
    contenders: Mapping[str, Contender], repeats: int, random: Random, progress: Callable[[int], None]
) -> Measurement:
    """Run every contender once in each repeat, in a new random order, and report progress after each."""
    found = []
    for _ in range(repeats):
        figures = dict[str, Figures]()
        for name in random.sample(list(contenders), len(contenders)):
            figures |= contenders[name]()
            progress(1)
        found.append(figures)
    return Measurement(found)


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
        changed = [change_query(gold, random) for _ in range(3)]
        groups.append((task, [gold, *random.choices([gold, *changed], k=7)]))
    batch = make_batch(groups, UNLIMITED)
    return Workload(
        "scans, joins and aggregates over one generated database",
        {**scorers(batch, "cold"), "sqlite_baseline": sqlite_baseline(batch, "cold")},
        lambda seen: [_efficiency(seen, "large database", "cold", 0.95)],
        batch.facts() | {"megabytes": round(path.stat().st_size / 1e6)},
    )


def hostile(settings: Settings) -> Workload:
    """Return the demo benchmark with runaways, huge results, destructive statements and syntax errors."""
    batch = hostile_batch(settings, HOSTILE_TASKS)
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


def threads(settings: Settings) -> Workload:
    """Return single calls from many threads, as verl makes them, against one batch."""
    batch, row = spider_batch(settings), f"{THREADS} threads, {WORKERS} workers"

    def run() -> dict[str, dict[str, float]]:
        with start_scorer(batch, WORKERS) as scorer:
            return {row: clock_scores(batch, lambda: score_one_by_one(scorer, batch, THREADS))}

    return Workload(
        f"real Spider completions, one by one from {THREADS} threads and as one batch, golds cold",
        {**scorers(batch, "cold", workers=[WORKERS]), row: run},
        lambda seen: [
            Finding(
                f"rate of {THREADS} threads sample by sample over that of one batch",
                seen.ratio(row, f"scorer-{WORKERS} cold", "scores_per_s"),
                0.6,
            )
        ],
        batch.facts(),
    )


def step(settings: Settings) -> Workload:
    """Return steps of the demo environment, less the fastest run of the same query in SQLite alone."""
    random = settings.random("step")
    tasks = random.sample(load_benchmark("demo", "test").tasks, settings.scaled(400, least=10))
    answers = [(task, samples[1]) for task, samples in sample_groups(tasks, 2, random)]

    def run() -> dict[str, dict[str, float]]:
        baseline = SQLiteBaseline((task.database for task in tasks), Limits())
        steps = []
        with closing(SQLEnv("demo", split="test")) as env, closing(baseline):
            for task, sql in (*answers[:WARM_UP], *answers):
                env.reset(options={"task_id": task.id})
                steps.append(_microseconds(partial(env.step, respond(sql, task.question))))
            fastest = [
                min(_microseconds(partial(baseline.rows, Query(task.database, sql))) for _ in range(TRIES))
                for task, sql in answers
            ]
        times = {"env.step": steps[-len(answers) :], "sqlite_baseline": fastest}
        times["beyond sqlite_baseline"] = [a - b for a, b in zip(*times.values(), strict=True)]
        return {
            row: {"median_us": median(values), "p95_us": quantiles(values, n=20)[-1]}
            for row, values in times.items()
        }

    return Workload(
        "env.step on small databases, and the same queries in SQLite alone",
        {"env.step": run},
        lambda seen: [
            Finding(
                "env.step beyond SQLite's time, median, us",
                median(seen.values("beyond sqlite_baseline", "median_us")),
                150.0,
                "<=",
            )
        ],
        {"steps": len(answers), "databases": len({task.database for task in tasks})},
    )


def memory(settings: Settings) -> Workload:
    """Return the batch of the workload ``hostile``, made and scored by a fresh interpreter."""
    code = f"from {__name__} import score_hostile; score_hostile({settings.seed}, {settings.scale})"
    row = f"scorer-{WORKERS}"
    return Workload(
        "the hostile mix as one batch in a fresh interpreter; PSS of the whole process tree",
        {row: lambda: {row: {"peak_gb": peak_memory([sys.executable, "-c", code]) / 1e9}}},
        lambda seen: [
            Finding(
                f"peak memory of the whole tree, hostile mix, {WORKERS} workers, GB",
                max(seen.values(row, "peak_gb")),
                1.5,
                "<=",
            )
        ],
        {"completions": len(hostile_batch(settings, HOSTILE_TASKS).tasks)},
    )


def score_hostile(seed: int, scale: float) -> None:
    """Score the hostile batch once."""
    batch = hostile_batch(Settings(seed=seed, scale=scale), HOSTILE_TASKS)
    with Scorer(limits=batch.limits, workers=WORKERS) as scorer:
        scorer.score(batch.completions, batch.tasks)


def verdicts(settings: Settings) -> Workload:
    """Return real and hostile completions, scored with more workers and under load, and compared."""
    mixed, real = hostile_batch(settings, 278), spider_batch(settings)
    batch = Batch([*mixed.completions, *real.completions], [*mixed.tasks, *real.tasks])
    expected = _verdicts(batch, workers=1, busy=0)

    def compare(row: str, workers: int, busy: int) -> dict[str, dict[str, float]]:
        pairs = zip(_verdicts(batch, workers, busy), expected, strict=True)
        return {row: {"differing": float(sum(found != wanted for found, wanted in pairs))}}

    loads = (("idle", 0), ("full load", os.cpu_count() or 1))
    rows = {
        f"workers {workers}, {load}": (workers, busy) for workers, (load, busy) in product((1, 2, 4), loads)
    }
    return Workload(
        "real Spider completions and the hostile mix; full load is one busy process on each core",
        {row: partial(compare, row, *setting) for row, setting in rows.items()},
        lambda seen: [
            Finding(
                "verdicts that differ, with 1, 2 and 4 workers, idle and under full load",
                sum(max(seen.values(row, "differing")) for row in rows),
                0.0,
                "<=",
            )
        ],
        batch.facts(),
        repeats=1,
    )


def _verdicts(batch: Batch, workers: int, busy: int) -> list[tuple[object, ...]]:
    """Score a batch beside some busy processes, and return what must not differ.

    That is the status of the query and of its gold query, correctness, the total and the components.
    """
    with start_scorer(batch, workers) as scorer, ExitStack() as stack:
        for _ in range(busy):
            process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            stack.callback(process.wait)
            stack.callback(process.kill)
        scores = scorer.score(batch.completions, batch.tasks)
    return [
        (
            score.rollout.result and score.rollout.result.status,
            score.rollout.gold.status,
            score.rollout.correct,
            score.total,
            tuple(score.components.items()),
        )
        for score in scores
    ]


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


def _microseconds(call: Callable[[], object]) -> float:
    began = time.perf_counter_ns()
    call()
    return (time.perf_counter_ns() - began) / 1000
