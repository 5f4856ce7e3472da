"""More databases than a process may hold open."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import psutil

from benchmarks.performance.throughput.clock import clocked, descendants
from benchmarks.performance.throughput.contest import WORKERS
from benchmarks.performance.throughput.floor import floor
from benchmarks.performance.throughput.items import Items, items
from benchmarks.performance.throughput.measurement import Contender
from benchmarks.performance.throughput.samples import sample
from benchmarks.performance.throughput.scorers import started
from benchmarks.performance.throughput.settings import Settings
from benchmarks.performance.throughput.stints import stints
from benchmarks.performance.throughput.workload import Finding, Workload
from sql_env.caching.folder import cache_root
from sql_env.types import Task

DATABASES, TASKS_EACH = 2000, 10
ALLOWED = 1024
"""Files that a process may hold open meanwhile: what most systems allow unless they are told otherwise."""

_GOLDS = (
    "SELECT COUNT(*) FROM part WHERE price > {n}",
    "SELECT name FROM part WHERE price < {n} ORDER BY name",
    "SELECT maker, AVG(price) FROM part GROUP BY maker",
    "SELECT part.name FROM part JOIN maker ON part.maker = maker.id WHERE maker.city = 'city {few}'",
    "SELECT MAX(price) FROM part WHERE maker = {few}",
)


def many(settings: Settings) -> Workload:
    """Tasks over two thousand small databases, in an order that is drawn, one completion each."""
    draw, count = settings.draw("many"), settings.scaled(DATABASES, least=2)
    tasks = [task for path in databases(settings, count) for task in _tasks(path, draw)]
    golds: dict[str, list[str]] = {}
    for task in tasks:
        golds.setdefault(task.database, []).append(task.gold_sql)
    draw.shuffle(tasks)
    batch = items([(task, [sample(task.gold_sql, golds[task.database], draw)]) for task in tasks])
    contenders = {f"scorer-{workers}": _scorer(batch, workers) for workers in WORKERS}
    return Workload(
        "many",
        "tasks over many small databases, shuffled; the floor finds them open",
        contenders | {"floor": floor(stints(batch), batch.limits, cached=False)},
        [
            Finding(
                "most open files of a process, as a share of its limit, many databases",
                lambda seen: max(
                    max(seen.values(f"scorer-{workers} cold", "open_files")) / ALLOWED for workers in WORKERS
                ),
                most=1.0,
            ),
            Finding(
                "efficiency, many databases, golds cold, scorer-2",
                lambda seen: seen.ratio("floor cold", "scorer-2 cold", "cpu_s"),
            ),
        ],
        batch.facts() | {"open_files_allowed": ALLOWED},
    )


def databases(settings: Settings, count: int) -> list[Path]:
    """So many small databases, made on first use and kept; see `sql_env.caching.folder.cache_root`."""
    folder = cache_root() / "throughput" / f"parts-{settings.seed}-{count}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder.parent) as made:
            parts, draw = Path(made, "parts"), settings.draw("parts")
            parts.mkdir()
            for number in range(count):
                _write(parts / f"part{number:05d}.sqlite", draw)
            parts.rename(folder)
    return sorted(folder.glob("*.sqlite"))


def _write(path: Path, draw: Random) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE maker (id INTEGER PRIMARY KEY, city TEXT)")
        connection.execute(
            "CREATE TABLE part (id INTEGER PRIMARY KEY, name TEXT, maker INTEGER, price INTEGER)"
        )
        makers = [(n, f"city {draw.randint(1, 5)}") for n in range(1, 11)]
        connection.executemany("INSERT INTO maker VALUES (?, ?)", makers)
        rows = [
            (n, f"part {draw.getrandbits(20)}", draw.randint(1, 10), draw.randint(1, 100)) for n in range(100)
        ]
        connection.executemany("INSERT INTO part VALUES (?, ?, ?, ?)", rows)


def _tasks(path: Path, draw: Random) -> list[Task]:
    golds = [
        _GOLDS[n % len(_GOLDS)].format(n=draw.randint(10, 90), few=draw.randint(1, 5))
        for n in range(TASKS_EACH)
    ]
    return [Task(f"{path.stem}-{n}", "Which?", sql, str(path), path.stem) for n, sql in enumerate(golds)]


def _scorer(batch: Items, workers: int) -> Contender:
    def run() -> dict[str, dict[str, float]]:
        with files_allowed(ALLOWED), started(batch, workers) as scorer:
            _, reading = clocked(lambda: scorer.score(batch.completions, batch.tasks))
            opened = max(process.num_fds() for process in (psutil.Process(), *descendants()))
        return {f"scorer-{workers} cold": reading.figures() | {"open_files": opened}}

    return run


@contextmanager
def files_allowed(count: int) -> Iterator[None]:
    """Let this process, and those that it starts meanwhile, open no more files than so many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
