"""Groups of samples for a task, as a model would write them: right, wrong, twice the same, broken."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

from sql_env.types import Task

_NUMBER = re.compile(r"(?<![\w.])\d+(?![\w.])")
_SWAPS = (
    ("ASC", "DESC"),
    ("AVG(", "SUM("),
    ("MAX(", "MIN("),
    (" > ", " < "),
    (" >= ", " <= "),
    (" AND ", " OR "),
)


def groups(tasks: Sequence[Task], size: int, draw: Random) -> list[tuple[Task, list[str]]]:
    """For each task a group of ``size`` samples.

    The gold is one of them. Each of the others is, as the draw has it, the gold or the gold in other words
    (4 of 10), the gold with a number or an operator changed (3), another question's query on the same
    database (2), or one that names a column that is not there (1). So samples repeat themselves within a
    group, as they do where a model is sampled.
    """
    golds: dict[str, list[str]] = {}
    for task in tasks:
        golds.setdefault(task.database, []).append(task.gold_sql)
    return [
        (task, [task.gold_sql, *(sample(task.gold_sql, golds[task.database], draw) for _ in range(size - 1))])
        for task in tasks
    ]


def sample(gold: str, others: Sequence[str], draw: Random) -> str:
    """One sample for the question that ``gold`` answers; see `groups`."""
    kind = draw.randrange(10)
    if kind < 2:
        return gold
    if kind < 4:
        return f"SELECT * FROM ({gold.rstrip().rstrip(';')})"
    if kind < 7:
        return changed(gold, draw)
    if kind < 9:
        return draw.choice(others)
    return gold.replace("SELECT ", "SELECT no_such_column, ", 1)


def changed(sql: str, draw: Random) -> str:
    """The query with one number or operator changed; with a row fewer where it has neither."""
    found = [
        f"{sql[: match.start()]}{int(match[0]) + draw.randint(1, 3)}{sql[match.end() :]}"
        for match in _NUMBER.finditer(sql)
    ]
    for pair in _SWAPS:
        found += [sql.replace(a, b, 1) for a, b in (pair, pair[::-1]) if a in sql]
    return draw.choice(found) if found else f"SELECT * FROM ({sql.rstrip().rstrip(';')}) LIMIT -1 OFFSET 1"
