"""Gold results that a wrong answer meets by chance."""

from benchmarks.diagnostics.checks.gold_case import Trial
from benchmarks.records.finding import Finding

_ADVICE = "Put a row into the database that answers the question, or leave the task out: {}."


def empty(trial: Trial) -> Finding | None:
    """The gold query returns no row."""
    if not trial.result.ok or trial.result.rows:
        return None
    return trial.finding("empty", "no row", _ADVICE.format("any query that finds nothing is right"))


def only_null(trial: Trial) -> Finding | None:
    """The gold query returns nothing but NULL, as an aggregate of no row does."""
    rows = trial.result.rows
    if not rows or any(value is not None for row in rows for value in row):
        return None
    return trial.finding(
        "only-null",
        f"{len(rows)} row{'s' * (len(rows) != 1)} of NULL",
        _ADVICE.format("any aggregate of no row is right"),
    )
