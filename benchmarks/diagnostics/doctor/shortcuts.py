"""Rules over right answers and repeated ones: is the reward met by a shortcut."""

from __future__ import annotations

from collections import defaultdict

from benchmarks.diagnostics.doctor.run import FEW, Run
from benchmarks.diagnostics.overlap.skeletons import exact
from benchmarks.records.finding import Finding

EMPTY = 0.15
"""The share of right answers with an empty result beyond which they are a finding.

Of Spider's dev golds 5.5 % are empty, of BIRD's none.
"""

ONE_SQL = 0.10
"""The share of distinct gold queries that one other query may answer, and `LEAST` of them."""

LEAST = 5


def empty_matches(run: Run) -> Finding | None:
    """Many right answers are right because they return nothing, as the gold query does."""
    right = [item for item in run.late if item.correct]
    empty = [item for item in right if item.result is not None and item.result.row_count == 0]
    if len(right) < FEW or len(empty) <= EMPTY * len(right):
        return None
    tasks = len({item.task_id for item in empty})
    return Finding(
        "empty-matches",
        f"{len(empty)} of {len(right)} right answers ({len(empty) / len(right):.0%}) return no row, "
        f"on {tasks} tasks",
        "Leave out tasks whose gold result is empty ('sql-env check', code 'empty'): any query that finds "
        "nothing is paid there.",
    )


def one_sql(run: Run) -> Finding | None:
    """One query is given as the answer to many questions that have other gold queries."""
    asked = {(item.db_id, exact(item.gold_sql)) for item in run.late}
    answers: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for item in run.late:
        if item.sql is not None and exact(item.sql) != exact(item.gold_sql):
            answers[exact(item.sql)].add((item.db_id, exact(item.gold_sql)))
    if len(run.late) < FEW or not answers:
        return None
    sql, golds = max(answers.items(), key=lambda answer: len(answer[1]))
    if len(golds) < max(LEAST, ONE_SQL * len(asked)):
        return None
    right = sum(bool(item.correct) for item in run.late if item.sql is not None and exact(item.sql) == sql)
    return Finding(
        "one-sql",
        f"{sql[:100]!r} answers questions with {len(golds)} of {len(asked)} gold queries, "
        f"and is right {right} times",
        "The policy falls back on one query. If it is right at times, those golds are too easy to meet "
        "(empty or NULL results: 'sql-env check'); else pay less for SQL that merely runs.",
    )
