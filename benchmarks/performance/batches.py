"""Batches to score: completions with their tasks, grouped as in GRPO.

A sample is SQL as a model would write it: right, wrong, repeated, broken or hostile.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from math import ceil, log
from random import Random
from urllib.parse import quote

from benchmarks.loading.predictions import read_predictions
from benchmarks.performance.harness import Settings
from sql_env import Limits, Query, Score, Scorer, Task, load_benchmark, parse, respond
from sql_env.comparison import get_comparison
from sql_env.errors import DataError

SAMPLES = 8
"""Samples of a task in generated batches."""

_NUMBER = re.compile(r"(?<![\w.])\d+(?![\w.])")
_SWAPS = (
    ("ASC", "DESC"),
    ("AVG(", "SUM("),
    ("MAX(", "MIN("),
    (" > ", " < "),
    (" >= ", " <= "),
    (" AND ", " OR "),
)
_ENDLESS = "WITH RECURSIVE r(x) AS (SELECT {n} UNION ALL SELECT x + 1 FROM r) "

HOSTILE = {
    "runaway": (
        0.02,
        (
            f"{_ENDLESS}SELECT count(*) FROM r",
            f"{_ENDLESS}SELECT x FROM r ORDER BY -x LIMIT 1",
            "SELECT count(*) + {n} FROM {endless_join}",
        ),
    ),
    "huge": (
        0.02,
        (
            "SELECT * FROM {large_join}",
            "SELECT * FROM {large_join} LIMIT 30000 * {n}",
            f"{_ENDLESS}SELECT x FROM r",
            f"{_ENDLESS}SELECT x, hex(zeroblob(1000)) FROM r LIMIT 90000",
        ),
    ),
    "destructive": (
        0.01,
        (
            "DROP TABLE {table}",
            "DELETE FROM {table}",
            "DELETE FROM {table} RETURNING *",
            "UPDATE {table} SET rowid = rowid + 1",
            "INSERT INTO {table} DEFAULT VALUES",
            "SELECT 1; DROP TABLE {table}",
            "PRAGMA writable_schema = ON",
            "ATTACH ':memory:' AS other",  # the naive baseline would create a file here
        ),
    ),
    "syntax": (0.10, ("SELCT {rest}", "{sql} WHERE AND", "{start} FROM (", "{sql} )")),
}
"""Each kind of hostile SQL with its share of a batch and its templates."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch for the preset ``sql-r1``.

    Attributes:
        completions: Texts in the preset's response format.
        tasks: The task of each completion.
        limits: Limits of each query.
    """

    completions: Sequence[str]
    tasks: Sequence[Task]
    limits: Limits = field(default_factory=Limits)

    def predictions(self) -> list[Query | None]:
        """Return the query of each completion, or None for a completion without SQL."""
        return [
            None if action.sql is None else prediction_query(task, action.sql)
            for action, task in zip(map(parse, self.completions), self.tasks, strict=True)
        ]

    def facts(self) -> dict[str, int]:
        """Return the sizes of the batch."""
        predictions = {query for query in self.predictions() if query is not None}
        return {
            "scores": len(self.tasks),
            "tasks": len(set(self.tasks)),
            "databases": len({task.database for task in self.tasks}),
            "distinct_predictions": len(predictions),
            "distinct_queries": len(predictions.union(map(gold_query, self.tasks))),
        }


def prediction_query(task: Task, sql: str) -> Query:
    """Return a prediction as it runs: after its comparison has rewritten it."""
    return Query(task.database, get_comparison(task.comparison).prepare(sql), task.dialect)


def gold_query(task: Task) -> Query:
    """Return the gold query as it runs: after its comparison has rewritten it."""
    return Query(task.database, get_comparison(task.comparison).prepare_gold(task.gold_sql), task.dialect)


def make_batch(groups: Sequence[tuple[Task, Sequence[str]]], limits: Limits | None = None) -> Batch:
    """Return a batch of tasks with their SQL samples, each in the response format with some reasoning."""
    pairs = [(task, sql) for task, samples in groups for sql in samples]
    completions = [
        respond(sql, f"The question is: {task.question} It is about {task.db_id}; I select what it asks for.")
        for task, sql in pairs
    ]
    return Batch(completions, [task for task, _ in pairs], limits or Limits())


def spider_batch(settings: Settings) -> Batch:
    """Return Spider dev, or a sample of it: each task with real models' predictions and its gold query.

    Raises:
        DataError: The data does not exist.
    """
    benchmark = load_benchmark("spider", "dev", str(settings.data("spider")))
    files = sorted(settings.data("predictions", "spider_dev").glob("*.txt"))
    if not files:
        raise DataError("no file of predictions (*.txt) in predictions/spider_dev")
    columns = [*(read_predictions(file, benchmark) for file in files), [t.gold_sql for t in benchmark.tasks]]
    groups = list(zip(benchmark.tasks, zip(*columns, strict=True), strict=True))
    places = settings.random("spider").sample(range(len(groups)), settings.scaled(len(groups)))
    return make_batch([groups[place] for place in sorted(places)])


def small_batch(settings: Settings, tasks: int) -> Batch:
    """Return tasks of the demo benchmark with eight samples each."""
    random, demo = settings.random("small"), load_benchmark("demo", "train").tasks
    return make_batch(sample_groups(random.sample(demo, settings.scaled(tasks)), SAMPLES, random))


def hostile_batch(settings: Settings, tasks: int) -> Batch:
    """Return tasks of the demo benchmark with eight samples each, some of them hostile."""
    random, demo = settings.random("hostile"), load_benchmark("demo", "train").tasks
    groups = sample_groups(random.sample(demo, settings.scaled(tasks, least=13)), SAMPLES, random)
    return make_batch(add_hostile_queries(groups, random))


def score_one_by_one(scorer: Scorer, batch: Batch, threads: int) -> list[Score]:
    """Score each completion by a call of its own, from a pool of threads."""
    with ThreadPoolExecutor(threads) as pool:
        calls = pool.map(lambda text, task: scorer.score([text], [task]), batch.completions, batch.tasks)
        return [score for [score] in calls]


def sample_groups(tasks: Sequence[Task], size: int, random: Random) -> list[tuple[Task, list[str]]]:
    """Return each task with ``size`` samples: the gold query, and others from `sample`.

    Samples repeat within a group, as they do when a model is sampled.
    """
    golds: dict[str, list[str]] = {}
    for task in tasks:
        golds.setdefault(task.database, []).append(task.gold_sql)
    return [
        (
            task,
            [task.gold_sql, *(sample(task.gold_sql, golds[task.database], random) for _ in range(size - 1))],
        )
        for task in tasks
    ]


def sample(gold: str, others: Sequence[str], random: Random) -> str:
    """Return one sample for the question of ``gold``.

    Of ten samples, two are the gold query and two are its rewriting as a subquery. Three have a changed
    number or operator. Two are other questions' queries on the same database. One names an unknown column.
    """
    subquery = f"SELECT * FROM ({gold.rstrip().rstrip(';')})"
    unknown = gold.replace("SELECT ", "SELECT no_such_column, ", 1)
    kinds = (gold, subquery, change_query(gold, random), random.choice(others), unknown)
    return random.choices(kinds, weights=(2, 2, 3, 2, 1))[0]


def change_query(sql: str, random: Random) -> str:
    """Return the query with one number or operator changed, or else without its first row."""
    found = [
        f"{sql[: match.start()]}{int(match[0]) + random.randint(1, 3)}{sql[match.end() :]}"
        for match in _NUMBER.finditer(sql)
    ]
    for pair in _SWAPS:
        found += [sql.replace(a, b, 1) for a, b in (pair, pair[::-1]) if a in sql]
    return random.choice(found) if found else f"SELECT * FROM ({sql.rstrip().rstrip(';')}) LIMIT -1 OFFSET 1"


def add_hostile_queries(
    groups: Sequence[tuple[Task, Sequence[str]]], random: Random
) -> list[tuple[Task, list[str]]]:
    """Return the groups with some samples replaced by hostile SQL. The shares are exact."""
    mixed = [(task, list(samples)) for task, samples in groups]
    places = [(task, samples, place) for task, samples in mixed for place in range(len(samples))]
    random.shuffle(places)
    counts = {kind: round(share * len(places)) for kind, (share, _) in HOSTILE.items()}
    for kind, count in counts.items():
        for _ in range(count):
            task, samples, place = places.pop()
            template = random.choice(HOSTILE[kind][1])
            samples[place] = _fill(template, task.database, samples[place].split() or ["SELECT"], random)
    return mixed


def _fill(template: str, database: str, words: Sequence[str], random: Random) -> str:
    table, rows = _largest_table(database)
    return template.format(
        n=random.randint(1, 3),
        table=table,
        large_join=_cross_join(table, rows, 2e5),
        endless_join=_cross_join(table, rows, 1e12),
        sql=" ".join(words),
        rest=" ".join(words[1:]),
        start=" ".join(words[: random.randrange(len(words))]),
    )


def _cross_join(table: str, rows: int, least: float) -> str:
    """Join a table with itself until the product has ``least`` rows."""
    return ", ".join(f"{table} AS t{n}" for n in range(ceil(log(least, max(2, rows)))))


@cache
def _largest_table(database: str) -> tuple[str, int]:
    """Return the quoted name of the largest table and its number of rows."""
    uri = f"file:{quote(database)}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        quoted = ['"' + name.replace('"', '""') + '"' for (name,) in sorted(names) if "sqlite_" not in name]
        counts = [connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in quoted]
    return max(zip(quoted, counts, strict=True), key=lambda table: table[1])
