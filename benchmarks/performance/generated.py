"""Generated databases and tasks. A database is made on first use and stays in the cache folder."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from benchmarks.performance.batches import sample
from sql_env import Task
from sql_env.caching.folder import cache_root

_ORDERS = """
CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT, region TEXT);
CREATE TABLE product (id INTEGER PRIMARY KEY, name TEXT, category TEXT, cost REAL);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customer,
    product_id INTEGER REFERENCES product, day TEXT, quantity INTEGER, price REAL, note TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000)
INSERT INTO customer SELECT i, 'customer ' || i, 'region ' || (i * 7919 / 64 % 5) FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 2000)
INSERT INTO product SELECT i, 'product ' || i, 'category ' || (i * 7919 / 64 % 4), 1 + i * 7919 % 500 FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {rows})
INSERT INTO orders SELECT i, 1 + h / 3 % 20000, 1 + h / 5 % 2000,
    printf('2024-%02d-%02d', 1 + h / 4096 % 12, 1 + h / 65536 % 28), 1 + h / 7 % 12,
    h / 1024 % 65536 / 64.0, printf('%020d noted', h * 2147483647)
    FROM (SELECT i, (i * 2654435761 + {seed}) % 4294967296 AS h FROM n);
"""

_PARTS = """
CREATE TABLE maker (id INTEGER PRIMARY KEY, city TEXT);
CREATE TABLE part (id INTEGER PRIMARY KEY, name TEXT, maker INTEGER, price INTEGER);
INSERT INTO maker VALUES {makers};
INSERT INTO part VALUES {parts};
"""

_GOLDS = (
    "SELECT COUNT(*) FROM part WHERE price > {a} AND id <> {b}",
    "SELECT name FROM part WHERE price BETWEEN {a} AND {b} ORDER BY name",
    "SELECT maker, AVG(price) FROM part WHERE price <> {a} GROUP BY maker HAVING COUNT(*) > {c}",
    "SELECT p.name, m.city FROM part AS p JOIN maker AS m ON p.maker = m.id WHERE p.price < {a} AND m.id > 2",
    "SELECT MAX(price) - MIN(price) FROM part WHERE maker = {c} AND price <= {b}",
    "SELECT m.city, COUNT(*) AS parts FROM part AS p JOIN maker AS m ON p.maker = m.id "
    "WHERE p.price >= {a} GROUP BY m.city ORDER BY parts DESC, m.city LIMIT {c}",
    "SELECT name FROM part WHERE price > (SELECT AVG(price) FROM part WHERE id > {b}) AND id > {a}",
    "SELECT id FROM maker WHERE id NOT IN (SELECT maker FROM part WHERE price > {b}) OR id = {c}",
    "SELECT name, RANK() OVER (ORDER BY price DESC) FROM part WHERE maker = {c} AND id < {b}",
    "SELECT name FROM part WHERE price > {b} UNION SELECT city FROM maker WHERE id > {c}",
)


def part_databases(count: int, seed: int) -> list[Path]:
    """Return databases of two tables with 10 and 100 rows."""
    random = Random(f"{seed}/parts")
    return _make_databases(f"parts-{seed}-{count}", (_parts_script(random) for _ in range(count)))


def part_tasks(databases: Sequence[Path], count: int, seed: int) -> Iterator[Task]:
    """Draw tasks over databases from `part_databases`. Tasks on one database are neighbours."""
    for number in range(count):
        path = databases[number * len(databases) // count]
        yield Task(
            f"part-{number}", "Which?", _gold(number, Random(f"{seed}/{number}")), str(path), path.stem
        )


def part_samples(databases: Sequence[Path], count: int, seed: int) -> Iterator[tuple[str, Task]]:
    """Draw the same tasks, each with one sample of bare SQL; see `benchmarks.performance.batches.sample`."""
    for number, task in enumerate(part_tasks(databases, count, seed)):
        random = Random(f"{seed}/sample/{number}")
        yield sample(task.gold_sql, [_gold(number + 1, random)], random), task


def orders_database(rows: int, seed: int) -> Path:
    """Return a database of orders, customers and products, with about 70 bytes an order."""
    [path] = _make_databases(f"orders-{seed}-{rows}", [_ORDERS.format(rows=rows, seed=seed)])
    return path


def _gold(number: int, random: Random) -> str:
    low, high = sorted(random.sample(range(5, 95), 2))
    return _GOLDS[number % len(_GOLDS)].format(a=low, b=high, c=random.randint(1, 9))


def _parts_script(random: Random) -> str:
    makers = [f"({n}, 'city {random.randint(1, 5)}')" for n in range(1, 11)]
    parts = [
        f"({n}, 'part {random.getrandbits(20)}', {random.randint(1, 10)}, {random.randint(1, 100)})"
        for n in range(100)
    ]
    return _PARTS.format(makers=", ".join(makers), parts=", ".join(parts))


def _make_databases(name: str, scripts: Iterable[str]) -> list[Path]:
    """Run each script in a database of its own, unless the folder exists. See `cache_root`."""
    folder = cache_root() / "performance" / name
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder.parent) as temporary:  # another process sees all or nothing
            made = Path(temporary, "databases")
            made.mkdir()
            for number, script in enumerate(scripts):
                path = made / f"{name.partition('-')[0]}-{number:05d}.sqlite"
                with closing(sqlite3.connect(path)) as connection:
                    connection.executescript(f"PRAGMA synchronous = OFF; BEGIN; {script} COMMIT;")
            made.rename(folder)
    return sorted(folder.glob("*.sqlite"))
