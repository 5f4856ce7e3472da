"""SQL that models write by accident or in malice, mixed into a batch.

Runaways 2 %, huge results 2 %, destructive statements 1 %, syntax errors 10 %.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from random import Random
from urllib.parse import quote

from sql_env.types import Task

SHARES = {"runaway": 0.02, "huge": 0.02, "destructive": 0.01, "syntax": 0.10}
"""Which share of a batch is of which kind."""

_ENDLESS = "WITH RECURSIVE r(x) AS (SELECT {n} UNION ALL SELECT x + 1 FROM r) "
_DESTRUCTIVE = (
    "DROP TABLE {table}",
    "DELETE FROM {table}",
    "DELETE FROM {table} RETURNING *",
    "UPDATE {table} SET rowid = rowid + 1",
    "INSERT INTO {table} DEFAULT VALUES",
    "SELECT 1; DROP TABLE {table}",
    "PRAGMA writable_schema = ON",
    "ATTACH ':memory:' AS other",  # a name of a file would make one, where nothing forbids it
)


@dataclass(frozen=True, slots=True)
class _Table:
    """The largest table of a database: its name as SQL, and how many rows it has."""

    name: str
    rows: int

    def crossed(self, rows: float) -> str:
        """The table joined with itself until there are at least so many rows."""
        copies, product = 1, max(2, self.rows)
        while product < rows:
            copies, product = copies + 1, product * max(2, self.rows)
        return ", ".join(f"{self.name} AS t{n}" for n in range(copies))


def spoiled(groups: Sequence[tuple[Task, Sequence[str]]], draw: Random) -> list[tuple[Task, list[str]]]:
    """The same groups with some samples replaced; the shares are exact, the places drawn."""
    found = [(task, list(samples)) for task, samples in groups]
    places = [(row, column) for row, (_, samples) in enumerate(found) for column in range(len(samples))]
    draw.shuffle(places)
    for kind, share in SHARES.items():
        count = round(share * sum(len(samples) for _, samples in found))
        for row, column in (places.pop() for _ in range(count)):
            task, samples = found[row]
            samples[column] = _KINDS[kind](task, samples[column], draw)
    return found


def _runaway(task: Task, sql: str, draw: Random) -> str:
    n, crossed = draw.randint(1, 3), _largest(task.database).crossed(1e12)
    return draw.choice(
        (
            f"{_ENDLESS.format(n=n)}SELECT count(*) FROM r",
            f"SELECT count(*) + {n} FROM {crossed}",
            f"{_ENDLESS.format(n=n)}SELECT x FROM r ORDER BY -x LIMIT 1",
        )
    )


def _huge(task: Task, sql: str, draw: Random) -> str:
    n, crossed = draw.randint(1, 3), _largest(task.database).crossed(2e5)
    return draw.choice(
        (
            f"SELECT * FROM {crossed}",
            f"SELECT * FROM {crossed} LIMIT {30_000 * n}",
            f"{_ENDLESS.format(n=n)}SELECT x FROM r",
            f"{_ENDLESS.format(n=n)}SELECT x, hex(zeroblob(1000)) FROM r LIMIT 90000",
        )
    )


def _destructive(task: Task, sql: str, draw: Random) -> str:
    return draw.choice(_DESTRUCTIVE).format(table=_largest(task.database).name)


def _syntax(task: Task, sql: str, draw: Random) -> str:
    """A typo, or an end in the middle."""
    words = sql.split() or ["SELECT"]
    place = draw.randrange(len(words))
    return draw.choice(
        (
            f"SELCT {' '.join(words[1:])}",
            f"{' '.join(words)} WHERE AND",
            f"{' '.join(words[:place])} FROM (",
            f"{' '.join(words)} )",
        )
    )


_KINDS = {"runaway": _runaway, "huge": _huge, "destructive": _destructive, "syntax": _syntax}


@cache
def _largest(database: str) -> _Table:
    uri = f"file:{quote(database)}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        quoted = ('"' + name.replace('"', '""') + '"' for (name,) in sorted(names) if "sqlite_" not in name)
        counted = ((name, connection.execute(f"SELECT count(*) FROM {name}").fetchone()) for name in quoted)
        return max((_Table(name, count) for name, (count,) in counted), key=lambda table: table.rows)
