"""Find gold results that a wrong answer can match by chance."""

from benchmarks.diagnostics.checks.gold_case import GoldCase
from benchmarks.records.finding import Finding

_ADVICE = "Add a row to the database that answers the question, or leave the task out: {}."


def empty(case: GoldCase) -> Finding | None:
    """Find a gold query that returns no row."""
    if not case.result.ok or case.result.rows:
        return None
    return case.make_finding("empty", "no row", _ADVICE.format("any query that returns no row is right"))


def only_null(case: GoldCase) -> Finding | None:
    """Find a gold query that returns only NULL, as an aggregate over no rows does."""
    rows = case.result.rows
    if not rows or any(value is not None for row in rows for value in row):
        return None
    return case.make_finding(
        "only-null",
        f"{len(rows)} row{'s' * (len(rows) != 1)} of NULL",
        _ADVICE.format("any aggregate over no rows is right"),
    )
