"""Groups of SQL samples for a task, as a model would write them: right, wrong, repeated, broken."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

from sql_env import Task

_NUMBER = re.compile(r"(?<![\w.])\d+(?![\w.])")
_SWAPS = (
    ("ASC", "DESC"),
    ("AVG(", "SUM("),
    ("MAX(", "MIN("),
    (" > ", " < "),
    (" >= ", " <= "),
    (" AND ", " OR "),
)


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
    kind = random.randrange(10)
    if kind < 2:
        return gold
    if kind < 4:
        return f"SELECT * FROM ({gold.rstrip().rstrip(';')})"
    if kind < 7:
        return change_query(gold, random)
    if kind < 9:
        return random.choice(others)
    return gold.replace("SELECT ", "SELECT no_such_column, ", 1)


def change_query(sql: str, random: Random) -> str:
    """Return the query with one number or operator changed, or else without its first row."""
    found = [
        f"{sql[: match.start()]}{int(match[0]) + random.randint(1, 3)}{sql[match.end() :]}"
        for match in _NUMBER.finditer(sql)
    ]
    for pair in _SWAPS:
        found += [sql.replace(a, b, 1) for a, b in (pair, pair[::-1]) if a in sql]
    return random.choice(found) if found else f"SELECT * FROM ({sql.rstrip().rstrip(';')}) LIMIT -1 OFFSET 1"
