"""Tasks without end over many small databases, drawn one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from benchmarks.performance.throughput.samples import sample
from benchmarks.performance.throughput.settings import Settings
from benchmarks.performance.throughput.workloads.many import databases
from sql_env.types import Task

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


@dataclass(frozen=True, slots=True)
class Generated:
    """A seeded number of tasks; the databases are made on first use and kept.

    Attributes:
        tasks: How many tasks.
        databases: Over how many databases of two tables with 10 and 100 rows.
        seed: What all is drawn with.
    """

    tasks: int
    databases: int
    seed: int = 0

    def prepare(self) -> list[Path]:
        """Make the databases, unless they are there."""
        return databases(Settings(seed=self.seed), self.databases)

    def __iter__(self) -> Iterator[Task]:
        """The tasks, those on one database together; none is kept."""
        paths = self.prepare()
        for number in range(self.tasks):
            path = paths[number * self.databases // self.tasks]
            draw = Random(f"{self.seed}/{number}")
            yield Task(f"part-{number}", "Which?", _gold(number, draw), str(path), path.stem)

    def pairs(self) -> Iterator[tuple[str, Task]]:
        """Each task with one completion, bare SQL; see `benchmarks.performance.throughput.samples.sample`."""
        for number, task in enumerate(self):
            draw = Random(f"{self.seed}/said/{number}")
            yield sample(task.gold_sql, [_gold(number + 1, draw)], draw), task


def _gold(number: int, draw: Random) -> str:
    low, high = sorted(draw.sample(range(5, 95), 2))
    return _GOLDS[number % len(_GOLDS)].format(a=low, b=high, c=draw.randint(1, 9))
