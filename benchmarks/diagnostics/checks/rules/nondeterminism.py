"""Gold results that hang on something outside the data."""

from benchmarks.diagnostics.checks.gold_case import Trial, difference
from benchmarks.diagnostics.checks.rewrites.variants import CLOCK, RANDOM
from benchmarks.records.finding import Finding


def clock(trial: Trial) -> Finding | None:
    """The result is another at another time."""
    variant = trial.changed(CLOCK)
    if variant is None:
        return None
    return trial.finding(
        CLOCK,
        f"at another time, {difference(variant)}",
        "Write the date that the question means into it. Here the clock stands still at 2025-01-01, for "
        "predictions too; a result from elsewhere is of another day.",
    )


def random(trial: Trial) -> Finding | None:
    """The result is another with other random numbers."""
    variant = trial.changed(RANDOM)
    if variant is None:
        return None
    return trial.finding(
        RANDOM,
        f"with other random numbers, {difference(variant)}",
        "Leave the task out: here random() is seeded, and elsewhere any answer is as right.",
    )
