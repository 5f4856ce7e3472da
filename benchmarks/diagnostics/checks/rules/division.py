"""Gold results that integer division has cut off."""

from benchmarks.diagnostics.checks.gold_case import Trial, difference
from benchmarks.diagnostics.checks.rewrites.variants import INTEGER_DIVISION
from benchmarks.records.finding import Finding


def integer_division(trial: Trial) -> Finding | None:
    """A division of whole numbers drops the remainder, and the result shows it."""
    variant = trial.changed(INTEGER_DIVISION)
    if variant is None:
        return None
    return trial.finding(
        INTEGER_DIVISION,
        f"with real division, {difference(variant)}",
        "Write CAST(... AS REAL) if the question asks for a ratio or an average; keep it if for whole units.",
    )
