"""Make wrong labels on purpose: queries that a careless annotator would write instead of the gold query.

The training demo replaces about half of its cold-start labels with these. The errors are systematic, not
random: most of the time, the same kind of query has the same error. So supervised training learns them, and
only feedback from execution shows that they are wrong.
"""

import random
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from benchmarks.demo.tables.database import Cell
from sql_env.types import Task

FIRST_ERROR_CHANCE = 0.8
"""The probability of the first error that applies, instead of a later one."""


class LabelError(NamedTuple):
    """A systematic error: the pattern that it changes, and its replacement."""

    name: str
    pattern: str
    replacement: str


LABEL_ERRORS = (
    LabelError("not in as in", r"\bNOT (IN|EXISTS) \(", r"\1 ("),
    LabelError("left join as join", r"\bLEFT JOIN\b(?!.*IS NULL)", "JOIN"),
    LabelError("none as some", r"\bIS NULL\b", "IS NOT NULL"),
    LabelError("known as missing", r"(WHERE \w+) IS NOT NULL$", r"\1 IS NULL"),
    LabelError("except as intersect", r"\bEXCEPT\b", "INTERSECT"),
    LabelError("intersect as union", r"\bINTERSECT\b", "UNION"),
    LabelError("union as intersect", r"\bUNION\b", "INTERSECT"),
    LabelError("descending as ascending", r"\bDESC\b", "ASC"),
    LabelError("ascending as descending", r"\bASC\b", "DESC"),
    LabelError("missing distinct", r"\bDISTINCT ", ""),
    LabelError("highest as lowest", r"\bMAX\(", "MIN("),
    LabelError("lowest as highest", r"\bMIN\(", "MAX("),
    LabelError("total as average", r"^(SELECT [^()]*)\bSUM\((?!n\))", r"\1AVG("),
    LabelError("average as total", r"^(SELECT [^()]*)\bAVG\(", r"\1SUM("),
    LabelError("running as plain", r"SUM\(n\) OVER \(ORDER BY year\)", "n"),
    LabelError("more than as at least", r"(HAVING .*) > ", r"\1 >= "),
    LabelError("fewer than as at most", r"(HAVING .*) < ", r"\1 <= "),
    LabelError("at least as more than", r"(HAVING .*) >= ", r"\1 > "),
    LabelError("at most as fewer than", r"(HAVING .*) <= ", r"\1 < "),
    LabelError("or as and", r"\bOR\b", "AND"),
    LabelError("above as below", r" (>|>=) ", " < "),
    LabelError("below as above", r" (<|<=) ", " > "),
    LabelError("prefix as part", r"LIKE '(\w+)%'", r"LIKE '%\1%'"),
    LabelError("part as prefix", r"LIKE '%(\w+)%'", r"LIKE '\1%'"),
    LabelError("suffix as part", r"LIKE '%(\w+)'", r"LIKE '%\1%'"),
    LabelError("between as from", r"BETWEEN (\S+) AND \S+", r">= \1"),
    LabelError("list cut short", r"(IN \('[^()]*), '[^()]*'\)", r"\1)"),
    LabelError("year as since", r"(strftime\('%Y', \S+\)) = ", r"\1 >= "),
    LabelError("percentage as share", r"100\.0 \* ", "1.0 * "),
    LabelError("key for column", r"^SELECT (\w+\.)?\w+(?= FROM|,)", r"SELECT \1id"),
    LabelError("last column forgotten", r"^(SELECT \S+), .*?(?= FROM)", r"\1"),
    LabelError("condition forgotten", r" WHERE .*?(?= GROUP BY| ORDER BY| HAVING|$)", ""),
    LabelError("last condition forgotten", r" AND (?!.* (AND|GROUP|ORDER) ).*$", ""),
    LabelError("rows for groups", r" GROUP BY \S+$", ""),
)


def mislabel(task: Task, rng: random.Random) -> Task | None:
    """Replace the gold query by a wrong query that runs and has another result.

    Returns:
        The task with another ``gold_sql``; None if no error applies.
    """
    uri = Path(task.database).absolute().as_uri() + "?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        gold = _result(connection, task.gold_sql)
        wrong = [
            sql for sql in make_wrong_queries(task.gold_sql) if _result(connection, sql) not in (gold, None)
        ]
    if not wrong:
        return None
    first = len(wrong) == 1 or rng.random() < FIRST_ERROR_CHANCE
    return replace(task, gold_sql=wrong[0] if first else rng.choice(wrong[1:]))


def make_wrong_queries(sql: str) -> Iterator[str]:
    """Yield the query with each error that applies, the most frequent error first."""
    for error in LABEL_ERRORS:
        wrong = re.sub(error.pattern, error.replacement, sql, count=1)
        if wrong != sql:
            yield wrong


def _result(
    connection: sqlite3.Connection, sql: str
) -> list[tuple[Cell, ...]] | Counter[tuple[Cell, ...]] | None:
    """Return the rows, in order only if the query sorts; None if it does not run."""
    try:
        rows = connection.execute(sql).fetchall()
    except sqlite3.Error:
        return None
    return rows if " ORDER BY " in sql.rpartition(")")[2] else Counter(rows)
