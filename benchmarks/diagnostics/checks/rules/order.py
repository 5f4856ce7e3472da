"""Gold results that hang on an order that the query does not give."""

from benchmarks.diagnostics.checks.gold_case import Trial, difference
from benchmarks.diagnostics.checks.rewrites.variants import (
    LIMIT_WITHOUT_ORDER,
    NULL_ORDER,
    TIE_AT_LIMIT,
    TIE_IN_ORDER,
)
from benchmarks.records.finding import Finding


def tie_at_limit(trial: Trial) -> Finding | None:
    """A LIMIT cuts through rows whose sort keys are equal."""
    return _changed(
        trial,
        TIE_AT_LIMIT,
        "with ties broken in another way",
        "Ask for all rows that tie, add a sort key that the question names, or change the data: "
        "a right answer that breaks the tie in another way is judged wrong.",
    )


def limit_without_order(trial: Trial) -> Finding | None:
    """A LIMIT takes some rows of a result that is not sorted."""
    return _changed(
        trial,
        LIMIT_WITHOUT_ORDER,
        "with the rows sorted before the LIMIT",
        "Add the ORDER BY that the question means: as it is, which rows are right is up to the engine.",
    )


def tie_in_order(trial: Trial) -> Finding | None:
    """The order of rows counts, and the query leaves it open where sort keys are equal or missing."""
    return _changed(
        trial,
        TIE_IN_ORDER,
        "with ties broken in another way",
        "Compare with 'strict', which lets rows that tie change places, or add a sort key: "
        "a right answer whose plan is another is judged wrong.",
    )


def null_order(trial: Trial) -> Finding | None:
    """NULLs are sorted where the other end would give another result."""
    return _changed(
        trial,
        NULL_ORDER,
        "with NULLs at the other end",
        "Leave out rows without a value (IS NOT NULL) if the question means those that have one; "
        "other engines sort NULLs to the other end.",
    )


def _changed(trial: Trial, name: str, how: str, advice: str) -> Finding | None:
    variant = trial.changed(name)
    if variant is None:
        return None
    return trial.finding(name, f"{how}, {difference(variant)}", advice)
