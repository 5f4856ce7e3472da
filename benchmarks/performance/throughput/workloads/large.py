"""One database of more than 200 MB, where nearly all time is SQLite's own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from benchmarks.performance.throughput.contest import efficiency, short_contest
from benchmarks.performance.throughput.items import items
from benchmarks.performance.throughput.samples import changed
from benchmarks.performance.throughput.settings import Settings
from benchmarks.performance.throughput.workload import Workload
from sql_env.caching.folder import cache_root
from sql_env.limits import Limits
from sql_env.types import Task

ROWS = 3_200_000
"""Orders in the database, at some 70 bytes each."""

TASKS, SAMPLES = 6, 8
LIMITS = Limits(max_steps=2**31 - 1, cpu_seconds=60.0, wall_seconds=300.0)
"""High enough that no query of this workload meets one."""

_SCHEMA = """
CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT, region TEXT);
CREATE TABLE product (id INTEGER PRIMARY KEY, name TEXT, category TEXT, cost REAL);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customer,
    product_id INTEGER REFERENCES product, day TEXT, quantity INTEGER, price REAL, note TEXT);
"""
_QUESTIONS = (
    "SELECT COUNT(*), SUM(quantity) FROM orders WHERE price > {n}",
    "SELECT day, AVG(price) FROM orders WHERE quantity > {few} GROUP BY day",
    "SELECT region, COUNT(*) FROM orders JOIN customer ON customer_id = customer.id WHERE quantity > {few} "
    "GROUP BY region",
    "SELECT category, SUM(price - cost) FROM orders JOIN product ON product_id = product.id "
    "WHERE price > {n} GROUP BY category",
    "SELECT MAX(price), MIN(price) FROM orders WHERE note LIKE '%{n}%'",
    "SELECT customer_id, SUM(price) FROM orders GROUP BY customer_id ORDER BY SUM(price) DESC LIMIT {few}",
)


def large(settings: Settings) -> Workload:
    """Scans, joins and aggregates over millions of rows, judged as BIRD judges."""
    path, draw = database(settings), settings.draw("large")
    groups = []
    for place in range(settings.scaled(TASKS, least=2)):
        gold = _QUESTIONS[place % len(_QUESTIONS)].format(n=draw.randint(100, 900), few=draw.randint(3, 9))
        task = Task(f"large-{place}", "How much?", gold, str(path), "orders", comparison="bird")
        wrong = [changed(gold, draw) for _ in range(3)]
        groups.append((task, [gold, *(draw.choice([gold, *wrong]) for _ in range(SAMPLES - 1))]))
    batch = items(groups, LIMITS)
    return Workload(
        "large",
        "scans, joins and aggregates over one generated database",
        short_contest(batch),
        efficiency("large database", "cold", 0.95),
        batch.facts() | {"megabytes": round(path.stat().st_size / 1e6)},
    )


def database(settings: Settings) -> Path:
    """The database, which is made on first use and kept; see `sql_env.caching.folder.cache_root`."""
    rows = settings.scaled(ROWS, least=1000)
    path = cache_root() / "throughput" / f"orders-{settings.seed}-{rows}.sqlite"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=path.parent) as folder:  # nobody sees half a file
            _write(Path(folder, path.name), rows, settings.draw("orders")).replace(path)
    return path


def _write(path: Path, rows: int, draw: Random) -> Path:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(_SCHEMA)
        regions, categories = ("north", "east", "south", "west", "centre"), ("food", "tool", "book", "toy")
        customers = ((n, f"customer {n}", draw.choice(regions)) for n in range(1, 20_001))
        connection.executemany("INSERT INTO customer VALUES (?, ?, ?)", customers)
        products = (
            (n, f"product {n}", draw.choice(categories), draw.randint(1, 500)) for n in range(1, 2001)
        )
        connection.executemany("INSERT INTO product VALUES (?, ?, ?, ?)", products)
        connection.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?)", _orders(rows, draw))
    return path


def _orders(rows: int, draw: Random) -> Iterator[tuple[int, int, int, str, int, float, str]]:
    for n in range(1, rows + 1):
        bits = draw.getrandbits(64)
        day = f"2024-{bits % 12 + 1:02d}-{bits // 12 % 28 + 1:02d}"
        price = (bits >> 16 & 0xFFFF) / 64
        yield (
            n,
            1 + (bits >> 32) % 20_000,
            1 + bits % 2000,
            day,
            1 + bits // 7 % 12,
            price,
            f"{bits:020d} noted",
        )
